"""The tamper matrix: what somebody with a database tool does, and what finds it, or nothing.

`docs/tamper.md` is this matrix for people; the last test compares the two. That every column of
every table is found is in `test_tamper_columns.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db import repository
from db.ledger import Actor, append, digest
from db.models import CHAIN_COLUMN, SYSTEM
from db.session import Database
from orchestrator.history.verify import anchor_keys, anchors
from orchestrator.history.verify.protections import Outside
from orchestrator.history.verify.verification import verify
from tests import histories
from tests.histories import CAMPAIGN, KEY
from tests.intruder import Intruder

PAGE = Path(__file__).parents[2] / "docs" / "tamper.md"
TRUSTED = KEY.public_key().public_bytes_raw().hex()
SAYS = {
    "chain": "was changed: its hash is|as the hash before it|its kind is|"
    "what was between them is missing|"
    "the system chain (says|names it|does not)|the clock (went|did not go) back",
    "fold": "by the ledger|cannot be folded|no entry made it$|the ledger has this row|"
    "of which the ledger has no",
    "schema": "no release makes|was added: this release|was changed: it is|view .* is over it",
    "artifacts": r"its bytes (were changed|are missing)|weights\.safetensors: was changed",
    "triggers": "(the|a) trigger",
    "signatures": "signature [0-9]+: '",
    "secrets": "table secret",
    "anchor": ": anchor of |is no anchor",
    "trusted key": "under the keys that are trusted",
}
"""What each kind of check says when it finds something."""

INSIDE = " WHERE chain <> 'system'"


@dataclass
class Scene:
    """A sound history, its anchors outside, and somebody who comes."""

    intruder: Intruder
    copies: Callable[[], Intruder]
    folder: Path

    def __post_init__(self) -> None:
        self.files = [self.folder / "anchors.jsonl"]
        anchor(self.intruder.database, self.files[0])

    def does(self, *statements: str, **values: object) -> None:
        """Run raw SQL, past triggers and foreign keys."""
        self.intruder.does(*statements, **values)

    def finds(self, *files: Path, trust: bool = False) -> set[str]:
        """Which checks find something, given these files of anchors."""
        self.intruder.leaves()
        trusted = frozenset({TRUSTED}) if trust else None
        outside = Outside(files, trusted, self.folder / "models")
        problems = [str(one) for one in verify(self.intruder.database, outside=outside).problems]
        found = {kind: [one for one in problems if re.search(SAYS[kind], one)] for kind in SAYS}
        assert {one for some in found.values() for one in some} >= set(problems), problems
        return {kind for kind, some in found.items() if some}


def anchor(database: Database, file: Path, private: Ed25519PrivateKey = KEY) -> None:
    """Sign all heads, as `assayloop audit anchor` does."""
    with database.read() as session:
        made = [
            anchors.sign(private, head.chain, head.sequence, head.hash, 10)
            for head in anchor_keys._heads(session)
        ]
    file.write_text("".join(f"{one.line()}\n" for one in made))


# What somebody does ---------------------------------------------------------------------------

Act = Callable[[Scene], None]


def sql(*statements: str) -> Act:
    """Run these."""
    return lambda scene: scene.does(*statements)


def tail_is_cut(scene: Scene) -> None:
    """The last two entries, told and signed, and all that came of them."""
    scene.does(f"DELETE FROM ledger_entry{INSIDE} AND sequence >= 6", "DELETE FROM signature")
    for table in ("candidate", "measurement"):
        scene.does(f"DELETE FROM {table} WHERE entry = 6")
    scene.does("UPDATE campaign SET state = 'running', reason = ''")


def campaign_is_deleted(scene: Scene) -> None:
    """The campaign with its rows and its chain; the system chain still names it."""
    scene.does(f"DELETE FROM ledger_entry{INSIDE}", f"DELETE FROM artifact_chunk{INSIDE}")
    for table, column in CHAIN_COLUMN.items():
        if column is not None:
            scene.does(f"DELETE FROM {table} WHERE {column} <> 'system'")


def campaign_never_was(scene: Scene) -> None:
    """And the system chain rewritten, too."""
    campaign_is_deleted(scene)
    scene.does("DELETE FROM ledger_entry WHERE kind = 'campaign'", "DELETE FROM anchor")
    scene.intruder.rewrites(SYSTEM, 2, {}, numbered=1)
    for table in ("artifact", "latent_model", "account", "signing_key"):
        scene.does(f"UPDATE {table} SET entry = entry - 1")


def backup_is_restored(scene: Scene) -> None:
    """Somebody worked on, anchored, and lost it."""
    histories.write(scene.intruder.database, histories.model(b"more"), chain=SYSTEM, at=9)
    anchor(scene.intruder.database, scene.files[0])
    scene.intruder = scene.copies()


def rewritten_from_the_middle(scene: Scene) -> None:
    """Another value, hashes that fit, a table that says the same, and signatures bound again."""
    scene.intruder.rewrites(CAMPAIGN, 6, {"0.3333333333333333": "0.4"})
    scene.does(
        "UPDATE measurement SET value = 0.4 WHERE number = 2",
        f"UPDATE signature SET hash = (SELECT hash FROM ledger_entry{INSIDE} AND sequence = 6)",
    )


def rewritten_under_a_signature(scene: Scene) -> None:
    """The same, and the signature left as it was given."""
    with scene.intruder.database.read() as session:
        entry = session.connection().exec_driver_sql(
            f"SELECT hash FROM ledger_entry{INSIDE} AND sequence = 6"
        )
        bound = str(entry.scalar_one())
    rewritten_from_the_middle(scene)
    with scene.intruder.database.read() as session:
        entry = session.connection().exec_driver_sql(
            f"SELECT hash FROM ledger_entry{INSIDE} AND sequence = 6"
        )
        now = str(entry.scalar_one())
    scene.intruder.rewrites(CAMPAIGN, 7, {now: bound})
    scene.does(f"UPDATE signature SET hash = '{bound}'")


def signature_is_moved(scene: Scene) -> None:
    """To another entry, in the ledger too, with hashes that fit."""
    scene.intruder.rewrites(CAMPAIGN, 7, {'"signed":6,': '"signed":5,'})
    scene.does("UPDATE signature SET signed = 5")


def forked(scene: Scene) -> None:
    """Two copies that each went on, and each was anchored."""
    other = scene.copies().database
    for database, weights, name in (
        (scene.intruder.database, b"here", "anchors.jsonl"),
        (other, b"there", "others.jsonl"),
    ):
        histories.write(database, histories.model(weights), chain=SYSTEM, at=9)
        anchor(database, scene.folder / name)
    scene.files.append(scene.folder / "others.jsonl")


def forged_after_the_last_anchor(scene: Scene) -> None:
    """By somebody who has our code, and says that they are Ada."""
    ada = Actor("account", "ada", mode="multi-user")
    with scene.intruder.database.write(SYSTEM) as session:
        append(session, SYSTEM, ada, histories.model(b"forged"), 9)


def all_rewritten_and_signed_again(scene: Scene) -> None:
    """With a key of one's own in the place of ours, and the file of anchors replaced."""
    own = Ed25519PrivateKey.generate()
    key = own.public_key().public_bytes_raw().hex()
    scene.does("DELETE FROM anchor", f"UPDATE signing_key SET key = '{key}'")
    scene.intruder.rewrites(SYSTEM, 3, {TRUSTED: key})
    anchor(scene.intruder.database, scene.files[0], own)


def anchor_is_changed(scene: Scene) -> None:
    """One digit of one hash in the file."""
    lines = [json.loads(line) for line in scene.files[0].read_text().splitlines()]
    lines[0]["hash"] = lines[0]["hash"][::-1]
    scene.files[0].write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def weights_are_changed(scene: Scene) -> None:
    """Of a registered model on disk."""
    with scene.intruder.database.read() as session:
        found = session.connection().exec_driver_sql("SELECT hash FROM latent_model").scalar_one()
    folder = scene.folder / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"weights_sha256": str(found)}))
    (folder / "weights.safetensors").write_bytes(b"weighed")


def trigger_is_dropped(scene: Scene) -> None:
    """And not put back."""
    sqlite = scene.intruder.database.engine.dialect.name == "sqlite"
    with scene.intruder.database.engine.begin() as connection:
        where = "" if sqlite else " ON measurement"
        connection.exec_driver_sql(f"DROP TRIGGER measurement_no_delete{where}")


def entry_of_no_kind(scene: Scene) -> None:
    """The last one, under a hash that fits."""
    with scene.intruder.database.read() as session:
        entry = list(repository.entries(session, CAMPAIGN))[-1]
    entry.kind = "mend"
    scene.does(
        "UPDATE ledger_entry SET kind = 'mend', hash = :hash "
        f"{INSIDE} AND sequence = {entry.sequence}",
        hash=digest(entry),
    )


def bytes_under_another_hash(scene: Scene) -> None:
    """A picture in the place of a result, which has none then."""
    scene.does(
        f"DELETE FROM artifact_chunk{INSIDE} AND sha256 = "
        "(SELECT delivery FROM measurement WHERE number = 1)",
        "UPDATE artifact_chunk SET sha256 = (SELECT delivery FROM measurement WHERE number = 1)"
        f"{INSIDE}",
    )


def schema(*statements: str) -> Act:
    """Change the schema, as its owner can."""

    def act(scene: Scene) -> None:
        with scene.intruder.database.engine.begin() as connection:
            for one in statements:
                connection.exec_driver_sql(one)

    return act


def trigger_is_added(scene: Scene) -> None:
    """One that does nothing yet."""
    sqlite = scene.intruder.database.engine.dialect.name == "sqlite"
    act = "BEGIN SELECT 1; END" if sqlite else "EXECUTE FUNCTION assayloop_refuse()"
    schema(f"CREATE TRIGGER more AFTER INSERT ON job FOR EACH ROW {act}")(scene)


def secret_is_planted(scene: Scene) -> None:
    """A token of somebody's, past every command."""
    scene.does(
        "INSERT INTO secret (id, account, kind, hash, scopes, created_at) "
        "VALUES ('ada/00000000', 'ada', 'token', 'x', '[\"own\"]', 1)"
    )


def artifact_is_changed(scene: Scene) -> None:
    """The bytes of a model's weights, in the database."""
    scene.does("UPDATE artifact_chunk SET data = :data WHERE chain = 'system'", data=b"weighed")


# The matrix -----------------------------------------------------------------------------------

MATRIX: list[tuple[str, Act, str]] = [
    (
        "a value of a row changed",
        sql("UPDATE measurement SET value = 9 WHERE number = 1"),
        "fold",
    ),
    ("the first row deleted", sql("DELETE FROM candidate WHERE number = 1"), "fold"),
    ("a middle row deleted", sql("DELETE FROM candidate WHERE number = 2"), "fold"),
    ("the last row deleted", sql("DELETE FROM candidate WHERE number = 3"), "fold"),
    (
        "a row inserted",
        sql("INSERT INTO batch SELECT campaign, 9, evaluator, 'nine', entry, '' FROM batch"),
        "fold",
    ),
    (
        "two rows swapped",
        sql(
            "UPDATE measurement SET number = -1 WHERE number = 1",
            "UPDATE measurement SET number = 1 WHERE number = 2",
            "UPDATE measurement SET number = 2 WHERE number = -1",
        ),
        "fold",
    ),
    (
        "the actor of an entry exchanged",
        sql(f"UPDATE ledger_entry SET actor_id = 'eve'{INSIDE} AND sequence = 3"),
        "chain",
    ),
    (
        "the time of an entry exchanged",
        sql(f"UPDATE ledger_entry SET at = at + 1{INSIDE} AND sequence = 7"),
        "chain",
    ),
    (
        "the first entry deleted",
        sql(f"DELETE FROM ledger_entry{INSIDE} AND sequence = 1"),
        "chain, fold",
    ),
    (
        "a middle entry deleted",
        sql(f"DELETE FROM ledger_entry{INSIDE} AND sequence = 5"),
        "chain, fold",
    ),
    (
        "the last entry deleted, and its rows left",
        sql(f"DELETE FROM ledger_entry{INSIDE} AND sequence = 7"),
        "fold",
    ),
    (
        "two entries swapped",
        sql(
            f"UPDATE ledger_entry SET sequence = -1{INSIDE} AND sequence = 5",
            f"UPDATE ledger_entry SET sequence = 5{INSIDE} AND sequence = 6",
            f"UPDATE ledger_entry SET sequence = 6{INSIDE} AND sequence = -1",
        ),
        "chain, fold, signatures",
    ),
    ("the tail cut, entries and rows", tail_is_cut, "anchor"),
    ("a whole campaign deleted", campaign_is_deleted, "chain"),
    ("a whole campaign deleted, and the system chain rewritten", campaign_never_was, "anchor"),
    ("an old backup restored", backup_is_restored, "anchor"),
    ("a chain rewritten consistently from the middle", rewritten_from_the_middle, "anchor"),
    ("the same under a signature that was left", rewritten_under_a_signature, "signatures"),
    ("two copies that each went on", forked, "two anchors"),
    ("an entry forged after the last anchor", forged_after_the_last_anchor, "nothing"),
    (
        "all rewritten, and signed again with another key",
        all_rewritten_and_signed_again,
        "trusted key",
    ),
    ("an artifact changed", artifact_is_changed, "artifacts"),
    ("the bytes of an artifact put under another's hash", bytes_under_another_hash, "artifacts"),
    ("a weight file changed", weights_are_changed, "artifacts"),
    ("a trigger dropped", trigger_is_dropped, "triggers"),
    ("a trigger added", trigger_is_added, "triggers, schema"),
    ("a table added", schema("CREATE TABLE more (x INTEGER)"), "schema"),
    ("a column added", schema("ALTER TABLE candidate ADD COLUMN more TEXT"), "schema"),
    ("a view over a table", schema("CREATE VIEW more AS SELECT * FROM candidate"), "schema"),
    (
        "an index changed",
        schema(
            "DROP INDEX ix_job_campaign_state",
            "CREATE INDEX ix_job_campaign_state ON job (campaign, evaluator)",
        ),
        "schema",
    ),
    ("the role of an account changed", sql("UPDATE account SET role = 'admin'"), "fold"),
    ("an entry of a kind that there is not", entry_of_no_kind, "chain"),
    (
        "a lease changed",
        sql("INSERT INTO lease VALUES ('x', 1, 'host', 1, 0.0, 1)"),
        "nothing",
    ),
    ("a file of anchors changed", anchor_is_changed, "anchor"),
    (
        "a signature moved to another entry, in its table",
        sql("UPDATE signature SET signed = 5"),
        "fold, signatures",
    ),
    (
        "a signature moved to another entry, in ledger and table",
        signature_is_moved,
        "signatures",
    ),
    ("a token planted", secret_is_planted, "secrets"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("act", "by"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX])
def test_each_tampering_is_found_by_what_the_page_says(
    act: Act, by: str, copies: Callable[[], Intruder], tmp_path: Path
) -> None:
    """An auditor must know what each check is worth, and what no check can show."""
    scene = Scene(copies(), copies, tmp_path)
    assert scene.finds(*scene.files, trust=True) == set(), "before"
    act(scene)
    beyond = {"anchor", "two anchors", "trusted key", "nothing"}
    assert scene.finds() == set(by.split(", ")) - beyond
    if by in beyond:
        own, *others = scene.files
        assert scene.finds(own) == ({"anchor"} if by == "anchor" else set())
        assert scene.finds(own, *others) == ({"anchor"} if "anchor" in by else set())
        assert scene.finds(own, trust=True) >= ({"trusted key"} if by == "trusted key" else set())
    if by == "nothing":
        assert scene.finds(*scene.files, trust=True) == set()


def test_the_page_is_the_matrix() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line[:1] == "|"]
    assert [(what.strip(), by.strip()) for what, by, *_ in rows[2:]] == [
        (what, by) for what, _, by in MATRIX
    ]
