"""Anchors: what shows that a chain was cut or rewritten as a whole, and who signed them."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from db.models import SYSTEM
from db.session import Database
from orchestrator.errors import BadInput, Conflict, NotFound, Unverified
from orchestrator.history.verify import anchor_keys, anchors
from orchestrator.history.verify.protections import Outside
from orchestrator.history.verify.verification import Verification, verify
from orchestrator.settings import Settings
from tests import histories
from tests.histories import ACTOR, CAMPAIGN


@pytest.fixture
def history(database: Database) -> Database:
    """A database with one campaign."""
    histories.begin(database)
    return database


@pytest.fixture
def anchored(history: Database, settings: Settings) -> Database:
    """The same with a key, and all chains anchored by it."""
    anchor_keys.create(history, ACTOR, settings)
    anchor_keys.anchor(history, settings)
    return history


def checked(database: Database, settings: Settings, *trusted: str) -> Verification:
    """A verification with the anchors that the settings name."""
    return verify(database, outside=Outside.of(settings, (), trusted))


def said(database: Database, settings: Settings, *trusted: str) -> list[str]:
    """What it finds, each on a line."""
    return [str(problem) for problem in checked(database, settings, *trusted).problems]


def lines(file: Path) -> list[anchors.Anchor]:
    """The anchors of a file."""
    return [one for _, one in anchors.read(file) if one is not None]


# Signing --------------------------------------------------------------------------------------


def test_every_chain_is_signed_in_words_that_others_can_check(
    anchored: Database, settings: Settings
) -> None:
    """An auditor needs nothing of ours: an Ed25519 library, and the page of the command."""
    found = {one["chain"]: one for one in map(json.loads, settings.anchors.open())}
    assert found.keys() == {SYSTEM, CAMPAIGN}
    for one in found.values():
        parts = (
            "assayloop/anchor/1",
            *(one[k] for k in ("chain", "sequence", "hash", "at", "key")),
        )
        message = b"".join(
            len(part).to_bytes(8, "big") + part for part in (str(part).encode() for part in parts)
        )
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(one["key"]))
        public.verify(bytes.fromhex(one["signature"]), message)


def test_what_signs_and_what_was_signed_lie_outside_the_data(
    anchored: Database, settings: Settings
) -> None:
    """Whoever takes the data folder has neither."""
    (key,) = anchor_keys.listed(anchored)
    private = anchor_keys.file(settings, key.key)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    for path in (private, settings.anchors):
        assert not path.is_relative_to(settings.home)


def test_only_what_grew_is_signed_again(anchored: Database, settings: Settings) -> None:
    """A nightly anchor of a thousand finished campaigns must not fill the file."""
    assert anchor_keys.anchor(anchored, settings) == []
    histories.write(anchored, histories.told(), at=9)
    (made,) = anchor_keys.anchor(anchored, settings)
    assert (made.chain, made.sequence) == (CAMPAIGN, 2)
    found = checked(anchored, settings)
    assert (found.problems, found.anchors, found.unanchored) == ((), 3, 0)


def test_how_much_came_after_the_last_anchor_is_said(
    anchored: Database, settings: Settings
) -> None:
    """That much somebody could have forged, and no anchor would show it."""
    histories.write(anchored, histories.told(), at=9)
    assert checked(anchored, settings).unanchored == 1


def test_copies_in_the_database_stand_for_a_lost_file(
    anchored: Database, settings: Settings
) -> None:
    settings.anchors.unlink()
    assert checked(anchored, settings).anchors == 2


def test_nothing_is_signed_once_a_chain_is_not_what_was_signed(
    anchored: Database, settings: Settings
) -> None:
    """A signature under a forgery would make it genuine."""
    one = lines(settings.anchors)[0]
    other = anchors.sign(histories.KEY, one.chain, one.sequence, "0" * 64, one.at)
    settings.anchors.write_text(other.line() + "\n")
    with pytest.raises(Unverified, match="was rewritten, or this is a forked copy"):
        anchor_keys.anchor(anchored, settings)
    assert len(lines(settings.anchors)) == 1


def test_a_changed_head_is_not_signed(history: Database, settings: Settings) -> None:
    """It would be sound from then on."""
    anchor_keys.create(history, ACTOR, settings)
    histories.write(history, histories.told(), at=9)
    with history.engine.begin() as connection:
        where = "" if connection.dialect.name == "sqlite" else " ON ledger_entry"
        connection.exec_driver_sql(f"DROP TRIGGER ledger_entry_no_update{where}")
        connection.exec_driver_sql("UPDATE ledger_entry SET actor_id = 'eve' WHERE kind = 'tell'")
    with pytest.raises(Unverified, match=f"chain {CAMPAIGN}, entry 2: was changed"):
        anchor_keys.anchor(history, settings)
    assert not settings.anchors.exists()


# Keys -----------------------------------------------------------------------------------------


def test_a_key_is_rotated_and_what_the_old_one_signed_still_counts(
    anchored: Database, settings: Settings
) -> None:
    with pytest.raises(BadInput, match="a reason is required"):
        anchor_keys.rotate(anchored, ACTOR, settings, "")
    old, new = anchor_keys.rotate(anchored, ACTOR, settings, "once a year")
    assert anchor_keys.in_use(anchored, settings) == new
    assert [(row.key, row.reason) for row in anchor_keys.listed(anchored)] == [
        (old, "once a year"),
        (new, ""),
    ]
    (made,) = anchor_keys.anchor(anchored, settings)
    assert (made.chain, made.key) == (SYSTEM, new)
    assert said(anchored, settings) == []


def test_what_a_revoked_key_signs_later_does_not_count(
    anchored: Database, settings: Settings
) -> None:
    """The laptop with the key was stolen."""
    key = anchor_keys.in_use(anchored, settings)
    stolen = load_pem_private_key(anchor_keys.file(settings, key).read_bytes(), None)
    assert isinstance(stolen, Ed25519PrivateKey)
    anchor_keys.revoke(anchored, key[:8].upper(), ACTOR, "stolen")
    head = lines(settings.anchors)[0]
    later = anchors.sign(stolen, head.chain, head.sequence, head.hash, head.at + 10**15)
    settings.anchors.open("a").write(later.line() + "\n")
    (found,) = said(anchored, settings)
    assert found.endswith(f"the key {key} had been revoked when it signed this")
    with pytest.raises(Conflict, match="was revoked before: stolen"):
        anchor_keys.revoke(anchored, key, ACTOR, "again")
    with pytest.raises(BadInput, match="no key to sign with; run `assayloop audit keys create`"):
        anchor_keys.anchor(anchored, settings)


def test_a_key_that_is_missing_or_another_is_named(anchored: Database, settings: Settings) -> None:
    key = anchor_keys.in_use(anchored, settings)
    file = anchor_keys.file(settings, key)
    with pytest.raises(NotFound, match=r"no key 'zz'; known: "):
        anchor_keys.revoke(anchored, "zz", ACTOR, "x")
    text = file.read_bytes()
    file.write_text("no key")
    with pytest.raises(BadInput, match=r"ASSAYLOOP_KEYS: .*\.pem cannot be read"):
        anchor_keys.anchor(anchored, settings)
    other = anchor_keys.create(anchored, ACTOR, settings)
    anchor_keys.file(settings, other).write_bytes(text)
    with pytest.raises(BadInput, match=f"does not hold the private half of {other}"):
        anchor_keys.anchor(anchored, settings)
    file.unlink()
    anchor_keys.file(settings, other).unlink()
    with pytest.raises(NotFound, match=r"no private key '.*\.pem'"):
        anchor_keys.anchor(anchored, settings)


def test_a_folder_or_file_that_cannot_be_written_leaves_no_trace(
    history: Database, settings: Settings
) -> None:
    """A key that is registered and was never kept could never sign, nor be missed."""
    settings.keys.parent.mkdir(parents=True)
    settings.keys.write_text("no folder")
    with pytest.raises(BadInput, match=r"ASSAYLOOP_KEYS: .* cannot be written"):
        anchor_keys.create(history, ACTOR, settings)
    assert list(anchor_keys.listed(history)) == []
    settings.keys.unlink()
    anchor_keys.create(history, ACTOR, settings)
    settings.anchors.parent.write_text("no folder")
    with pytest.raises(BadInput, match=r"ASSAYLOOP_ANCHORS: .* cannot be (read|written)"):
        anchor_keys.anchor(history, settings)
    settings.anchors.parent.unlink()
    assert checked(history, settings).anchors == 0


# Trust ----------------------------------------------------------------------------------------


def test_a_trusted_key_is_not_asked_of_the_database(
    anchored: Database, settings: Settings, tmp_path: Path
) -> None:
    """Whoever rewrites the whole database registers a key of their own."""
    key = anchor_keys.in_use(anchored, settings)
    assert said(anchored, settings, key) == []
    (tmp_path / "key").write_text(f"{key.upper()}\n")
    assert said(anchored, settings, str(tmp_path / "key")) == []
    trusted = histories.KEY.public_key().public_bytes_raw().hex()
    found = said(anchored, settings, trusted)
    assert len(found) == 2
    assert all("no anchor of it holds under the keys that are trusted" in one for one in found)
    with pytest.raises(BadInput, match="--trust: 'abc' is no public key; 64 hexadecimal digits"):
        checked(anchored, settings, "abc")


def test_a_key_that_nobody_registered_does_not_count(
    anchored: Database, settings: Settings
) -> None:
    one = lines(settings.anchors)[0]
    forged = anchors.sign(histories.KEY, one.chain, one.sequence, one.hash, one.at)
    settings.anchors.open("a").write(forged.line() + "\n")
    (found,) = said(anchored, settings)
    assert "is not registered in this database" in found


@pytest.mark.parametrize(
    "line", ["", "{", "[]", '{"chain": 1}', "null", "\x00", "[" * 100_000, '{"chain": "\\ud800"}']
)
def test_a_line_that_is_no_anchor_is_reported_with_its_place(
    line: str, anchored: Database, settings: Settings
) -> None:
    settings.anchors.open("a").write(line + "\n")
    assert said(anchored, settings) == [f"{settings.anchors}, line 3: is no anchor"]


@pytest.mark.parametrize(
    "change",
    [
        {"chain": "x"},
        {"sequence": 2**63 - 1},
        {"hash": "0" * 64},
        {"at": 1},
        {"key": "0" * 64},
        {"key": "x"},
        {"signature": "0" * 128},
        {"signature": "x"},
    ],
    ids=lambda change: "-".join(f"{key}-{str(value)[:4]}" for key, value in change.items()),
)
def test_a_changed_anchor_is_found(
    change: dict[str, object], anchored: Database, settings: Settings
) -> None:
    """Its signature covers every field."""
    first, second = lines(settings.anchors)
    changed = replace(first, **change)  # type: ignore[arg-type]
    settings.anchors.write_text(f"{changed.line()}\n{second.line()}\n")
    assert any("its signature does not fit it" in one for one in said(anchored, settings))


def test_anchors_of_a_file_that_cannot_be_read_are_an_error(
    anchored: Database, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"ASSAYLOOP_ANCHORS: .* cannot be read"):
        verify(anchored, outside=Outside.of(settings, (tmp_path / "none",)))


def test_a_weight_file_that_was_changed_is_found(history: Database, settings: Settings) -> None:
    """Its registered hash, and every proposal that was decoded by it, would no longer be true."""
    folder = settings.models / "mine"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    draft = histories.model(b"weights")
    digest = next(iter(draft.blobs))
    card = {"name": "mine", "kind": "digits", "weights_sha256": digest}
    (folder / "card.json").write_text(json.dumps(card))
    histories.write(history, draft, chain=SYSTEM)
    assert said(history, settings) == []
    (folder / "weights.safetensors").write_bytes(b"weighed")
    (found,) = said(history, settings)
    assert found.startswith(f"{folder / 'weights.safetensors'}: was changed: its SHA-256 is ")
