"""A crate proves itself elsewhere, and nothing in it can be changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rocrate.rocrate import ROCrate
from sqlalchemy import text

from db import ledger, migrate, repository
from db.ledger import Actor
from db.models import SYSTEM
from db.session import Database
from orchestrator.errors import BadInput, Conflict, Unverified
from orchestrator.history.export.crate import verifier
from orchestrator.history.export.crate.export import export
from orchestrator.history.export.crate.importing import take_in
from orchestrator.history.verify.verification import verify
from tests import histories
from tests.histories import CAMPAIGN

SOMEBODY = Actor("os account", "eve")
KEY = Ed25519PrivateKey.generate()
CHAIN, TABLES = f"ledger/{CAMPAIGN}.jsonl", "tables"


@pytest.fixture(scope="session")
def _crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crate")
    database = Database(f"sqlite:///{folder / 'sound.db'}")
    migrate.upgrade(database.engine)
    histories.everything(database)
    write(database, folder / "crate")
    database.close()
    return folder / "crate"


@pytest.fixture
def crate(_crate: Path, tmp_path: Path) -> Path:
    """The crate of a campaign with rows in every table, in a folder of this test alone."""
    return shutil.copytree(_crate, tmp_path / "crate")


def write(database: Database, out: Path) -> verifier.Verification:
    with database.read() as session:
        campaign = repository.campaign(session, CAMPAIGN)
    return export(database, campaign, out)


def problems(crate: Path, **anchors: Any) -> list[str]:
    """What the verifier says of a crate."""
    files = verifier.Files(crate)
    try:
        return verifier.verify(files, **anchors).problems
    except verifier.Unreadable as error:
        return [str(error)]
    finally:
        files.close()


def everything_in(crate: Path) -> Iterator[Path]:
    return (path for path in sorted(crate.rglob("*")) if path.is_file())


def seal(crate: Path) -> None:
    """Write the manifest anew, as a forger would."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(crate)}\n"
        for path in everything_in(crate)
        if path.name != verifier.MANIFEST
    ]
    (crate / verifier.MANIFEST).write_text("".join(lines))


def heads(database: Database) -> dict[str, str]:
    with database.read() as session:
        return {
            chain: entry.hash
            for chain in repository.chains(session)
            if (entry := ledger.head(session, chain)) is not None
        }


# Sound ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_a_bare_python_verifies_what_either_database_wrote(
    database: Database, tmp_path: Path, name: str
) -> None:
    """An auditor has neither our packages nor a reason to trust them."""
    histories.everything(database)
    found = write(database, tmp_path / name)
    assert {chain: digest for chain, (_, digest) in found.heads.items()} == heads(database)
    assert [path.name for path in tmp_path.glob("*crate*")] == [name]
    bare = [sys.executable, "-I", "-S", verifier.__file__, str(tmp_path / name)]
    ended = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(f"head {digest}" in ended.stdout for digest in heads(database).values())


def test_the_verifier_in_the_crate_is_ours_and_runs(crate: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "."], cwd=crate, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert (crate / "verify.py").read_bytes() == Path(verifier.__file__).read_bytes()


def test_libraries_for_crates_read_it(crate: Path) -> None:
    """Archives and workflow tools know what it is without knowing us."""
    read = ROCrate(crate)
    assert read.name == "small#1"
    assert read.root_dataset["conformsTo"].id.startswith("https://w3id.org/ro/wfrun/process/")
    there = {str(path.relative_to(crate)) for path in everything_in(crate)}
    described = {one.id for one in read.data_entities}
    assert there - described == {"ro-crate-metadata.json", verifier.MANIFEST}
    (batch, campaign) = sorted(read.get_by_type("CreateAction"), key=lambda one: str(one.id))
    assert campaign["instrument"]["name"] == "assayloop"
    assert campaign["agent"]["name"] == "ada"
    assert batch["instrument"]["name"] == "bench"
    delivery = batch["result"]
    assert (crate / delivery.id).read_bytes() == b'{"score": 0.5}'
    assert delivery["prov:wasGeneratedBy"].id == batch.id
    assert all(one["object"] and one["startTime"] <= one["endTime"] for one in (batch, campaign))


def test_every_reference_in_the_description_leads_somewhere(crate: Path) -> None:
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    known = {entity["@id"] for entity in graph}

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["@id"]] if value.keys() == {"@id"} else []
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from references(inner)

    assert len(known) == len(graph)
    away = {one for entity in graph for one in references(entity)} - known
    assert away == {
        "https://w3id.org/ro/crate/1.1",
        "http://schema.org/CompletedActionStatus",
    }


# Forged ---------------------------------------------------------------------------------------


def test_one_flipped_bit_in_any_file_is_found(crate: Path) -> None:
    """A bad sector, or somebody's editor."""
    assert problems(crate) == []
    for path in everything_in(crate):
        content = path.read_bytes()
        for place in {0, len(content) // 2, len(content) - 1} if content else set():
            forged = bytearray(content)
            forged[place] ^= 1 << 5
            path.write_bytes(forged)
            assert problems(crate), (path, place)
        path.write_bytes(content)
    assert problems(crate) == []


def test_one_flipped_bit_in_an_archive_is_found(crate: Path, tmp_path: Path) -> None:
    """What cannot be unpacked is no crate either."""
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", crate))
    content = whole.read_bytes()
    with zipfile.ZipFile(whole) as archive:
        places = [one.header_offset + 30 + len(one.filename) for one in archive.infolist()]
    for place in places:
        forged = bytearray(content)
        forged[place + 3] ^= 1
        whole.write_bytes(forged)
        assert problems(whole), place


def test_a_file_too_many_or_too_few_is_found(crate: Path) -> None:
    (crate / "tables" / "more.jsonl").write_text("{}\n")
    assert problems(crate) == ["tables/more.jsonl: is not in the manifest"]
    (crate / "tables" / "more.jsonl").unlink()
    (crate / "README.md").unlink()
    assert problems(crate) == ["README.md: cannot be read: KeyError 'README.md'"]


def edited(path: str, change: Callable[[list[Any]], None]) -> Callable[[Path], None]:
    """A forgery of a file of JSON Lines."""

    def forge(crate: Path) -> None:
        lines = [json.loads(line) for line in (crate / path).read_text().splitlines()]
        change(lines)
        (crate / path).write_text("".join(json.dumps(line) + "\n" for line in lines))

    return forge


def renamed(crate: Path) -> None:
    first = next(iter((crate / "artifacts").iterdir()))
    first.rename(first.with_name("0" * 64))


FORGERIES: dict[str, tuple[Callable[[Path], None], str]] = {
    "actor": (edited(CHAIN, lambda lines: lines[2].update(actor_id="eve")), "entry 3: was changed"),
    "time": (edited(CHAIN, lambda lines: lines[2].update(at=1)), "entry 3: was changed"),
    "clock": (edited(CHAIN, lambda lines: lines[2].update(clock_back=True)), "entry 3: was cha"),
    "entry gone": (edited(CHAIN, lambda lines: lines.pop(3)), "entry 5: does not follow"),
    "first gone": (edited(CHAIN, lambda lines: lines.pop(0)), "entry 2: does not follow"),
    "all gone": (edited(CHAIN, lambda lines: lines.clear()), f"chain {CAMPAIGN}: has no entry"),
    "system cut": (
        edited("ledger/system.jsonl", lambda lines: lines.pop()),
        "no entry made this row",
    ),
    "other chain": (edited(CHAIN, lambda lines: lines[3].update(chain="x")), "belongs to the ch"),
    "no payload": (edited(CHAIN, lambda lines: lines[3].update(payload="[]")), "makes no sense"),
    "no line": (edited(CHAIN, lambda lines: lines.append(7)), "makes no sense"),
    "value": (
        edited(f"{TABLES}/measurement.jsonl", lambda lines: lines[0].update(value=0.75)),
        "value: holds 0.75; by the ledger it is 0.5",
    ),
    "true for 1": (
        edited(f"{TABLES}/candidate.jsonl", lambda lines: lines[0].update(valid=1)),
        "valid: holds 1; by the ledger it is True",
    ),
    "point": (
        edited(f"{TABLES}/candidate.jsonl", lambda lines: lines[0]["point"].reverse()),
        "point: holds [0.5, 0.25]; by the ledger it is [0.25, 0.5]",
    ),
    "row gone": (
        edited(f"{TABLES}/candidate.jsonl", lambda lines: lines.pop()),
        "the ledger has this row, and the table has not",
    ),
    "row made": (
        edited(f"{TABLES}/fit.jsonl", lambda lines: lines.append(lines[0] | {"number": 2})),
        "no entry made this row",
    ),
    "column gone": (
        edited(f"{TABLES}/job.jsonl", lambda lines: lines[0].pop("cost")),
        "has a column cost too many, or too few",
    ),
    "table gone": (lambda crate: (crate / "tables/fit.jsonl").unlink(), "makes no sense: KeyError"),
    "bytes renamed": (renamed, "no entry made it"),
    "bytes gone": (lambda crate: shutil.rmtree(crate / "artifacts"), "is missing"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_forged_with_its_manifest_is_found(crate: Path, name: str) -> None:
    """Whoever can write a file can write its hash beside it; the chain is another matter."""
    forge, said = FORGERIES[name]
    forge(crate)
    seal(crate)
    assert any(said in problem for problem in problems(crate)), problems(crate)


def test_a_chain_written_anew_is_found_by_an_anchor_alone(crate: Path) -> None:
    """The whole crate is in the forger's hands; what somebody signed and kept is not."""
    lines = [json.loads(line) for line in (crate / CHAIN).read_text().splitlines()]
    anchors = [signed(lines[-1])]
    edited(CHAIN, lambda entries: entries.pop())(crate)
    edited(f"{TABLES}/signature.jsonl", lambda rows: rows.pop())(crate)
    seal(crate)
    assert problems(crate) == []
    (problem,) = problems(crate, anchors=anchors)
    assert problem.endswith("entry 7: the chain ends before it: its tail was cut off")


def test_anchors_count_if_they_are_genuine_and_of_a_trusted_key(crate: Path) -> None:
    lines = [json.loads(line) for line in (crate / CHAIN).read_text().splitlines()]
    other = lines[3] | {"hash": "0" * 64}
    forged = signed(lines[3]) | {"at": 0}
    assert problems(crate, anchors=[signed(lines[3]), signed(lines[5])]) == []
    assert "was written anew" in problems(crate, anchors=[signed(other)])[0]
    assert "its signature is not" in problems(crate, anchors=[forged])[0]
    assert problems(crate, anchors=[forged, signed(other)], trusted=frozenset({"f" * 64})) == []
    assert "makes no sense" in problems(crate, anchors=[{"chain": SYSTEM}])[0]


def signed(entry: dict[str, Any]) -> dict[str, Any]:
    """An anchor of an entry."""
    key = KEY.public_key().public_bytes_raw().hex()
    values = (entry["chain"], entry["sequence"], entry["hash"], 5, key)
    signature = KEY.sign(verifier.framed(verifier.ANCHOR_DOMAIN, *values)).hex()
    names = ("chain", "sequence", "hash", "at", "key")
    return dict(zip(names, values, strict=True)) | {"signature": signature}


# Writing --------------------------------------------------------------------------------------


def test_a_history_that_was_changed_gives_no_crate(database: Database, tmp_path: Path) -> None:
    """A crate that refutes itself would be sent, and found out by its receiver."""
    histories.everything(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE candidate SET objective = 0.75 WHERE number = 1"))
    for name in ("crate", "crate.zip"):
        with pytest.raises(Unverified, match=r"objective: holds 0\.75; by the ledger it is 0\.5"):
            write(database, tmp_path / name)
    assert not list(tmp_path.glob("*crate*"))


def test_a_crate_takes_nobodys_place(database: Database, tmp_path: Path) -> None:
    histories.everything(database)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="exists; name a new folder"):
        write(database, tmp_path / "taken")
    (tmp_path / "empty").mkdir()
    write(database, tmp_path / "empty")
    for _ in range(2):
        write(database, tmp_path / "crate.zip")
    assert problems(tmp_path / "empty") == problems(tmp_path / "crate.zip") == []


# Taking in ------------------------------------------------------------------------------------


def test_an_import_gives_the_same_ledger_to_the_last_hash(database: Database, crate: Path) -> None:
    found = take_in(database, crate, SOMEBODY)
    assert heads(database) == {chain: digest for chain, (_, digest) in found.heads.items()}
    assert verify(database).problems == ()
    again = crate.with_name("again")
    write(database, again)
    for folder in ("ledger", "tables", "artifacts"):
        for path in everything_in(crate / folder):
            assert path.read_bytes() == (again / folder / path.name).read_bytes(), path


def test_a_campaign_that_is_elsewhere_is_not_a_deleted_one(
    database: Database, tmp_path: Path
) -> None:
    """Of two campaigns one was given away; its new owner verifies without an alarm."""
    histories.everything(database)
    histories.begin(database, CAMPAIGN.replace("1", "9"), name="private")
    write(database, tmp_path / "crate")
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    migrate.upgrade(other.engine)
    take_in(other, tmp_path / "crate", SOMEBODY)
    assert heads(other)[CAMPAIGN] == heads(database)[CAMPAIGN]
    with other.read() as session:
        last = ledger.head(session, SYSTEM)
    assert last is not None
    assert (last.kind, last.actor_id, last.previous) == ("import", "eve", heads(database)[SYSTEM])
    assert verify(other).problems == ()
    other.close()


def test_an_import_is_all_or_nothing(database: Database, crate: Path) -> None:
    whole = (crate / CHAIN).read_bytes()
    (crate / CHAIN).write_bytes(whole.replace(b"ada", b"eve", 1))
    with pytest.raises(Unverified, match="was changed: its SHA-256"):
        take_in(database, crate, SOMEBODY)
    with pytest.raises(BadInput, match="cannot be imported"):
        take_in(database, crate / "tables", SOMEBODY)
    with pytest.raises(BadInput, match="cannot be imported"):
        take_in(database, crate / "README.md", SOMEBODY)
    assert heads(database) == {}
    (crate / CHAIN).write_bytes(whole)
    take_in(database, crate, SOMEBODY)
    before = heads(database)
    with pytest.raises(Conflict, match="has a history already"):
        take_in(database, crate, SOMEBODY)
    assert heads(database) == before
