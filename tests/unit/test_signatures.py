"""A signature is a person's, says what it means, and stays where it was put (21 CFR 11)."""

from __future__ import annotations

import pytest

from db import repository
from db.ledger import Actor, append
from db.models import Campaign
from db.session import Database
from orchestrator.errors import BadInput, Conflict, Denied, NotFound, Unverified
from orchestrator.history.verify.verification import verify
from orchestrator.people import accounts, actors, signatures
from orchestrator.settings import Settings
from tests import histories
from tests.histories import CAMPAIGN

PASSWORD = "correct horse battery"
PEOPLE = {"olga": "operator", "otto": "owner", "aude": "auditor", "vera": "viewer"}
MAY = {
    "ada": set(),
    "olga": {"responsible"},
    "otto": {"responsible", "reviewed", "approved"},
    "aude": {"reviewed"},
    "vera": set(),
}


@pytest.fixture
def laboratory(database: Database) -> Database:
    """A campaign of two entries, the second of which is Otto's, and people of each role."""
    histories.begin(database)
    ada = Actor("account", "ada", mode="multi-user")
    accounts.create(database, actors.operating_system(), "ada", "Ada Lovelace", "admin", PASSWORD)
    for name, role in PEOPLE.items():
        accounts.create(database, ada, name, f"{name.title()} Smith", role, PASSWORD)
    otto = Actor("token", "otto/1", on_behalf_of="otto", mode="multi-user")
    with database.write(CAMPAIGN) as session:
        append(session, CAMPAIGN, otto, histories.told(), 9)
    return database


def campaign(database: Database) -> Campaign:
    """The campaign, as the command finds it."""
    with database.read() as session:
        return repository.campaign(session, CAMPAIGN)


def sign(
    database: Database, name: str, meaning: str, entry: int = 1, password: str = PASSWORD
) -> None:
    """Sign an entry of the campaign."""
    signatures.sign(database, campaign(database), entry, meaning, name, password)


@pytest.mark.parametrize("meaning", signatures.Meaning)
@pytest.mark.parametrize("name", MAY)
def test_roles_limit_what_a_signature_may_mean(
    name: str, meaning: str, laboratory: Database
) -> None:
    """An approval by somebody who may not approve is worth nothing."""
    if meaning in MAY[name]:
        sign(laboratory, name, meaning)
    else:
        with pytest.raises(Denied, match=f"{name} is .* and cannot sign as {meaning}; can: "):
            sign(laboratory, name, meaning)
    given = signatures.listed(laboratory, CAMPAIGN)
    assert [(one.account, one.meaning) for one in given] == (
        [(name, meaning)] if meaning in MAY[name] else []
    )
    assert verify(laboratory).ok


def test_a_signature_says_who_when_and_what_of_which_entry(laboratory: Database) -> None:
    """21 CFR 11.50(a): the printed name, the time, the meaning; 11.70: bound to its record."""
    sign(laboratory, "aude", "reviewed", 2)
    (one,) = signatures.listed(laboratory, CAMPAIGN)
    with laboratory.read() as session:
        entries = list(repository.entries(session, CAMPAIGN))
    assert (one.name, one.meaning, one.signed) == ("Aude Smith", "reviewed", 2)
    assert one.hash == entries[1].hash
    assert (entries[-1].kind, entries[-1].actor_id, entries[-1].mode) == (
        "sign",
        "aude",
        "multi-user",
    )
    assert one.entry == entries[-1].sequence
    assert abs(one.signed_at - entries[-1].at) < 1_000_000


def test_nobody_confirms_an_entry_of_their_own(laboratory: Database) -> None:
    """Not through a token either."""
    for meaning in ("reviewed", "approved"):
        with pytest.raises(Denied, match="entry 2 is otto's own; somebody else must confirm it"):
            sign(laboratory, "otto", meaning, 2)
    sign(laboratory, "otto", "responsible", 2)
    sign(laboratory, "aude", "reviewed", 2)
    with pytest.raises(Denied, match="entry 4 is aude's own"):
        sign(laboratory, "aude", "reviewed", 4)


def test_the_password_is_asked_for_again(laboratory: Database) -> None:
    """Somebody at an open terminal is not yet the one who logged in."""
    for password in ("", PASSWORD[1:]):
        with pytest.raises(Denied, match="has this password"):
            sign(laboratory, "otto", "approved", password=password)


def test_what_cannot_be_signed_is_named_and_nothing_is_written(laboratory: Database) -> None:
    sign(laboratory, "otto", "approved")
    for entry in (0, -1, 4, 2**63, 2**80):
        with pytest.raises(NotFound, match=f"no entry '{entry}'; known: 1 to 3"):
            sign(laboratory, "otto", "approved", entry)
    with pytest.raises(BadInput, match="'agreed' is no meaning; one of reviewed, approved"):
        sign(laboratory, "otto", "agreed")
    with pytest.raises(Conflict, match="otto has signed entry 1 as approved before"):
        sign(laboratory, "otto", "approved")
    assert len(signatures.listed(laboratory, CAMPAIGN)) == 1


def test_an_entry_that_was_changed_is_not_signed(laboratory: Database) -> None:
    """A signature would make the forgery look genuine."""
    with laboratory.engine.begin() as connection:
        where = "" if connection.dialect.name == "sqlite" else " ON ledger_entry"
        connection.exec_driver_sql(f"DROP TRIGGER ledger_entry_no_update{where}")
        connection.exec_driver_sql("UPDATE ledger_entry SET actor_id = 'eve' WHERE kind = 'tell'")
    with pytest.raises(Unverified, match=f"chain {CAMPAIGN}, entry 2: was changed"):
        sign(laboratory, "aude", "reviewed", 2)


def test_only_a_person_who_is_logged_in_signs(laboratory: Database, settings: Settings) -> None:
    """A token in a script is nobody's hand."""
    with pytest.raises(Denied, match="nobody is logged in"):
        signatures.signer(laboratory, settings)
    token = accounts.login(laboratory, "otto", PASSWORD)
    script = Settings.read({"ASSAYLOOP_TOKEN": token}, settings.home)
    with pytest.raises(Denied, match=r"otto/.* is a token, and only a person signs"):
        signatures.signer(laboratory, script)
    accounts.keep_login(settings, token)
    assert signatures.signer(laboratory, settings) == "otto"


def test_in_single_user_mode_nobody_can_sign(database: Database, settings: Settings) -> None:
    """Nobody proved who they are, and nobody else is there to confirm."""
    with pytest.raises(Denied, match="`assayloop account create` makes the database multi-user"):
        signatures.signer(database, settings)
