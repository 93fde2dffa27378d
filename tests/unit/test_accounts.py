"""Who may write is known, and nobody writes as somebody else."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import delete, insert, select, update

from db import repository
from db.ledger import Actor
from db.models import SYSTEM, Secret
from db.session import Database, now
from orchestrator.errors import AssayloopError, BadInput, Conflict, Denied, NotFound
from orchestrator.history.verify.verification import verify
from orchestrator.people import accounts, actors, passwords
from orchestrator.people.actors import ACTS, ROLES, Scope
from orchestrator.settings import Settings

HASHER = passwords._hasher
"""As it is outside of tests, which have a cheaper one."""
PASSWORD = "correct horse battery"
OTHER = "staple of another horse"
ADA = Actor("account", "ada", mode="multi-user")


@pytest.fixture
def laboratory(database: Database, settings: Settings) -> Database:
    """A multi-user database: Ada is admin, and each other role has somebody."""
    first = accounts.may_create(database, settings)
    accounts.create(database, first, "ada", "Ada Lovelace", "admin", PASSWORD)
    for role in ROLES.keys() - {"admin"}:
        accounts.create(database, ADA, f"a-{role}", f"Some {role}", role, PASSWORD)
    return database


def with_token(settings: Settings, token: str) -> Settings:
    """The settings of a process that was given a token."""
    environment = {"XDG_CONFIG_HOME": str(settings.login), "ASSAYLOOP_TOKEN": token}
    return Settings.read(environment, settings.home)


def planted(database: Database) -> list[str]:
    """What verification finds, each on a line."""
    return [str(problem) for problem in verify(database).problems]


def test_a_stolen_database_gives_away_no_password() -> None:
    """Each guess costs what RFC 9106 recommends where memory is little: 64 MiB, three passes."""
    parameters = HASHER()._parameters
    assert parameters == RFC_9106_LOW_MEMORY


# Modes ----------------------------------------------------------------------------------------


def test_without_accounts_every_entry_says_single_user(
    database: Database, settings: Settings
) -> None:
    """A reviewer must see that nobody proved who they were."""
    actor = actors.current(database, settings=settings)
    assert (actor.kind, actor.mode) == ("os account", "single-user")


def test_with_the_first_account_nobody_writes_without_a_login(
    laboratory: Database, settings: Settings
) -> None:
    """The operating system's account is one that people may share."""
    for scope in Scope:
        with pytest.raises(Denied, match="multi-user, and nobody is logged in; run `assayloop"):
            actors.current(laboratory, scope, settings)


def test_a_laboratory_can_ask_for_accounts_before_there_are_any(
    database: Database, tmp_path: Path
) -> None:
    asked = Settings.read({"ASSAYLOOP_MODE": "multi-user"}, tmp_path)
    with pytest.raises(Denied, match="nobody is logged in"):
        actors.current(database, settings=asked)
    with pytest.raises(BadInput, match="'multi' is no mode; write single-user or multi-user"):
        Settings.read({"ASSAYLOOP_MODE": "multi"}, tmp_path)


def test_the_first_account_is_an_admin_and_makes_the_others(
    database: Database, settings: Settings
) -> None:
    """Else nobody could ever make a second one."""
    system = accounts.may_create(database, settings)
    assert system.mode == "single-user"
    with pytest.raises(Conflict, match="the first account must be an admin"):
        accounts.create(database, system, "ada", "Ada Lovelace", "owner", PASSWORD)
    accounts.create(database, system, "ada", "Ada Lovelace", "admin", PASSWORD)
    with pytest.raises(Denied, match="nobody is logged in"):
        accounts.may_create(database, settings)
    with pytest.raises(Denied, match="has become multi-user meanwhile"):
        accounts.create(database, system, "eve", "Eve", "admin", PASSWORD)
    assert [row.name for row in accounts.listed(database)] == ["ada"]


@pytest.mark.parametrize(
    ("name", "full_name", "role", "password", "said"),
    [
        ("Ada", "Ada", "owner", PASSWORD, "'Ada' cannot be an account's name"),
        ("lab", "Some Lab", "owner", PASSWORD, "'lab' is nobody's own name"),
        ("operator", "O. Perator", "owner", PASSWORD, "'operator' is nobody's own name"),
        ("t1", "Team", "owner", PASSWORD, "is nobody's own name"),
        ("bob", " ", "owner", PASSWORD, "full name is missing"),
        ("bob", "Bob\n", "owner", PASSWORD, "full name is missing"),
        ("bob", "Bob", "boss", PASSWORD, "'boss' is no role; one of viewer, operator, owner"),
        ("bob", "Bob", "owner", "short", "has 5 characters; at least 12"),
        ("ada", "Bob", "owner", PASSWORD, "there is an account ada; a name is never given again"),
        ("bob", "ADA Lovelace", "owner", PASSWORD, "has the account ada; a person has one"),
    ],
)
def test_an_account_is_one_persons_and_has_a_password(
    name: str, full_name: str, role: str, password: str, said: str, laboratory: Database
) -> None:
    """What a team does under one name, nobody did."""
    before = len(accounts.listed(laboratory))
    with pytest.raises((BadInput, Conflict), match=said):
        accounts.create(laboratory, ADA, name, full_name, role, password)
    assert len(accounts.listed(laboratory)) == before
    assert verify(laboratory).ok


# Logins and tokens ----------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_it_may_and_no_more(
    role: str, laboratory: Database, settings: Settings
) -> None:
    """An auditor who could run a campaign would audit themselves."""
    name = "ada" if role == "admin" else f"a-{role}"
    accounts.keep_login(settings, accounts.login(laboratory, name, PASSWORD))
    for scope in Scope:
        if scope in ROLES[role]:
            expected = Actor("account", name, mode="multi-user")
            assert actors.current(laboratory, scope, settings) == expected
        else:
            with pytest.raises(Denied, match=f"{name} is {role} and may not {ACTS[scope]}; may: "):
                actors.current(laboratory, scope, settings)


def test_a_token_says_on_whose_behalf_and_is_good_for_its_scopes_only(
    laboratory: Database, settings: Settings
) -> None:
    """A night job's token, once stolen, must not stop campaigns."""
    token = accounts.login(laboratory, "a-owner", PASSWORD, ["operate"])
    given = with_token(settings, token)
    actor = actors.current(laboratory, Scope.OPERATE, given)
    assert (actor.kind, actor.on_behalf_of, actor.mode) == ("token", "a-owner", "multi-user")
    assert actor.id == token.partition(":")[0]
    with pytest.raises(Denied, match="this token of a-owner is good for operate only"):
        actors.current(laboratory, Scope.OWN, given)
    with pytest.raises(BadInput, match="--scope: viewer may not 'operate'; may: read"):
        accounts.login(laboratory, "a-viewer", PASSWORD, ["operate"])


@pytest.mark.parametrize("token", ["", "ada", "ada/password:x", "a/b:c", "\x00:\x00", "ä:ö\udc80"])
def test_a_token_that_nobody_made_is_refused(
    token: str, laboratory: Database, settings: Settings
) -> None:
    with pytest.raises(Denied, match=r"not known here|nobody is logged in"):
        actors.current(laboratory, settings=with_token(settings, token))


def test_another_secret_under_a_known_token_is_refused(
    laboratory: Database, settings: Settings
) -> None:
    """The public half stands in every entry of the history."""
    public, _, hidden = accounts.login(laboratory, "a-owner", PASSWORD).partition(":")
    with pytest.raises(Denied, match="not known here"):
        actors.current(laboratory, settings=with_token(settings, f"{public}:{hidden[::-1]}"))


ENDS: list[tuple[str, Callable[[Database, str], object]]] = [
    ("not known", accounts.logout),
    ("not known", lambda db, _: accounts.set_password(db, "a-owner", PASSWORD, OTHER)),
    ("not known", lambda db, _: accounts.disable(db, ADA, "a-owner", "left")),
]


@pytest.mark.parametrize(("said", "end"), ENDS, ids=["logout", "password", "disable"])
def test_a_login_ends(
    said: str, end: Callable[[Database, str], object], laboratory: Database, settings: Settings
) -> None:
    """Whoever leaves, or whose password was stolen, is out at once and everywhere."""
    token = accounts.login(laboratory, "a-owner", PASSWORD)
    given = with_token(settings, token)
    actors.current(laboratory, settings=given)
    end(laboratory, token)
    with pytest.raises(Denied, match=said):
        actors.current(laboratory, settings=given)
    assert verify(laboratory).ok


def test_a_login_ends_after_its_hours(laboratory: Database, settings: Settings) -> None:
    """A terminal that was left open is not one for ever."""
    with time_machine.travel("2026-03-01T12:00Z", tick=False) as clock:
        given = with_token(settings, accounts.login(laboratory, "a-owner", PASSWORD, hours=2))
        clock.shift(2 * 3600 - 1)
        actors.current(laboratory, settings=given)
        clock.shift(1)
        with pytest.raises(Denied, match="the login of a-owner has ended"):
            actors.current(laboratory, settings=given)


def test_a_login_is_kept_for_this_user_alone(laboratory: Database, settings: Settings) -> None:
    """Others on the machine must not read it."""
    accounts.keep_login(settings, accounts.login(laboratory, "ada", PASSWORD))
    assert stat.S_IMODE(settings.login.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.login.parent.stat().st_mode) == 0o700
    assert not settings.login.is_relative_to(settings.home)


def test_a_login_that_cannot_be_kept_or_read_is_named(settings: Settings) -> None:
    settings.login.parent.parent.mkdir(parents=True)
    settings.login.parent.write_text("no folder")
    with pytest.raises(BadInput, match=r"login: .* cannot be written"):
        accounts.keep_login(settings, "x")
    settings.login.parent.unlink()
    settings.login.mkdir(parents=True)
    with pytest.raises(BadInput, match=r"login: .* cannot be read"):
        actors.kept(settings)


# Passwords ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", PASSWORD[:-1]), ("ada", ""), ("eve", PASSWORD), ("", PASSWORD), ("A\x00", PASSWORD)],
)
def test_a_wrong_name_and_a_wrong_password_are_refused_alike(
    name: str, password: str, laboratory: Database
) -> None:
    """Whoever tries must not learn which names there are."""
    with pytest.raises(Denied, match=r"no account .* has this password"):
        accounts.login(laboratory, name, password)


def test_a_password_is_changed_by_whoever_knows_the_old_one(laboratory: Database) -> None:
    with pytest.raises(Denied):
        accounts.set_password(laboratory, "ada", OTHER, OTHER)
    with pytest.raises(BadInput, match="has 3 characters"):
        accounts.set_password(laboratory, "ada", PASSWORD, "abc")
    accounts.set_password(laboratory, "ada", PASSWORD, OTHER)
    with pytest.raises(Denied):
        accounts.login(laboratory, "ada", PASSWORD)
    accounts.login(laboratory, "ada", OTHER)


def test_an_account_is_disabled_for_good_and_the_last_admin_is_not(laboratory: Database) -> None:
    """Its entries stay its own: nobody else may ever have the name."""
    with pytest.raises(BadInput, match="--reason: a reason is required"):
        accounts.disable(laboratory, ADA, "a-owner", " ")
    with pytest.raises(NotFound, match="no account 'eve'; known: a-auditor, a-operator"):
        accounts.disable(laboratory, ADA, "eve", "left")
    with pytest.raises(Conflict, match="ada is the last admin"):
        accounts.disable(laboratory, ADA, "ada", "left")
    accounts.disable(laboratory, ADA, "a-owner", "left")
    with pytest.raises(Conflict, match="a-owner is disabled already: left"):
        accounts.disable(laboratory, ADA, "a-owner", "left")
    with pytest.raises(Denied):
        accounts.login(laboratory, "a-owner", PASSWORD)
    with pytest.raises(Conflict, match="a name is never given again"):
        accounts.create(laboratory, ADA, "a-owner", "Somebody Else", "owner", PASSWORD)
    accounts.create(laboratory, ADA, "again", "Some owner", "owner", PASSWORD)


def test_the_history_names_everything_but_what_is_secret(laboratory: Database) -> None:
    """The ledger is exported to reviewers; a password in it would be everybody's."""
    token = accounts.login(laboratory, "a-owner", PASSWORD)
    with laboratory.read() as session:
        entries = list(repository.entries(session, SYSTEM))
        hashes = session.scalars(select(Secret.hash)).all()
    assert [entry.kind for entry in entries] == ["account"] * len(ROLES) + ["token"]
    assert entries[-1].actor_id == "a-owner"
    text = "".join(entry.payload for entry in entries)
    assert not [one for one in (PASSWORD, token, token.partition(":")[2], *hashes) if one in text]


# Past the door --------------------------------------------------------------------------------


def secret(**changes: object) -> dict[str, object]:
    """A row that somebody with a database tool may write."""
    row = {"id": "ada/0000", "account": "ada", "kind": "token", "hash": "0" * 64}
    return row | {"scopes": ["admin"], "created_at": now(), "expires_at": None} | changes


def test_a_door_that_was_opened_from_outside_is_found(laboratory: Database) -> None:
    """Whoever puts a token of an admin into the table could write as that admin."""
    accounts.login(laboratory, "a-viewer", PASSWORD)
    with laboratory.read() as session:
        old = session.get_one(Secret, "a-owner/password").hash
    accounts.set_password(laboratory, "a-owner", PASSWORD, OTHER)
    assert planted(laboratory) == []
    changes = [
        insert(Secret).values(secret()),
        insert(Secret).values(secret(id="eve/password", account="eve", kind="password")),
        update(Secret).where(Secret.kind == "token").values(scopes=["admin"]),
        update(Secret).where(Secret.kind == "token").values(expires_at=None),
        update(Secret).where(Secret.kind == "token").values(account="ada"),
        update(Secret).where(Secret.id == "a-owner/password").values(hash=old),
    ]
    for change in changes:
        with laboratory.read() as session:
            before = [dict(row._mapping) for row in session.execute(select(Secret.__table__))]
        with laboratory.engine.begin() as connection:
            connection.execute(change)
        (found,) = planted(laboratory)
        assert found.startswith("table secret, '")
        assert found.endswith("no entry made it as it is")
        with laboratory.engine.begin() as connection:
            connection.execute(delete(Secret))
            connection.execute(insert(Secret), before)
        assert planted(laboratory) == []


def test_a_role_that_was_raised_from_outside_is_found(laboratory: Database) -> None:
    with laboratory.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE account SET role = 'admin' WHERE name = 'a-viewer'")
    (found,) = planted(laboratory)
    assert "account a-viewer, role: 'admin' is stored; by the ledger" in found


# Later words on accounts ----------------------------------------------------------------------


def test_a_role_is_changed_with_a_reason_and_holds_at_once(
    laboratory: Database, settings: Settings
) -> None:
    """Somebody who changes to another team must not go on stopping our campaigns."""
    owner = with_token(settings, accounts.login(laboratory, "a-owner", PASSWORD))
    viewer = with_token(settings, accounts.login(laboratory, "a-viewer", PASSWORD))
    actors.current(laboratory, Scope.OWN, owner)
    accounts.set_role(laboratory, ADA, "a-owner", "viewer", "another team")
    with pytest.raises(Denied, match="a-owner is viewer and may not revise and stop campaigns"):
        actors.current(laboratory, Scope.OWN, owner)
    accounts.set_role(laboratory, ADA, "a-viewer", "owner", "leads it now")
    with pytest.raises(Denied, match="this token of a-viewer is good for read only"):
        actors.current(laboratory, Scope.OWN, viewer)
    again = with_token(settings, accounts.login(laboratory, "a-viewer", PASSWORD))
    assert actors.current(laboratory, Scope.OWN, again).on_behalf_of == "a-viewer"
    with laboratory.read() as session:
        entry = list(repository.entries(session, SYSTEM))[-3]
    assert (entry.kind, entry.actor_id) == ("role", "ada")
    assert '"before":"owner","reason":"another team"' in entry.payload
    assert planted(laboratory) == []


@pytest.mark.parametrize(
    ("name", "role", "reason", "said"),
    [
        ("ada", "owner", "x", "ada is the last admin; make another first"),
        ("a-owner", "owner", "x", "a-owner is owner already"),
        ("a-owner", "boss", "x", "'boss' is no role"),
        ("a-owner", "admin", " ", "a reason is required"),
        ("eve", "owner", "x", "no account 'eve'"),
        ("a-viewer", "owner", "x", "a-viewer is disabled: left"),
    ],
)
def test_a_role_that_cannot_be_given_is_refused(
    laboratory: Database, name: str, role: str, reason: str, said: str
) -> None:
    accounts.disable(laboratory, ADA, "a-viewer", "left")
    with pytest.raises(AssayloopError, match=said):
        accounts.set_role(laboratory, ADA, name, role, reason)
    assert planted(laboratory) == []


def test_who_resets_a_password_can_do_nothing_with_it(
    laboratory: Database, settings: Settings
) -> None:
    """An admin who could sign as somebody else would make every signature doubtful."""
    token = with_token(settings, accounts.login(laboratory, "a-owner", PASSWORD))
    accounts.reset_password(laboratory, ADA, "a-owner", OTHER, "forgotten")
    with pytest.raises(Denied, match="not known here"):
        actors.current(laboratory, settings=token)
    with pytest.raises(Denied, match="has this password"):
        accounts.login(laboratory, "a-owner", PASSWORD)
    for refused in (accounts.authenticate, accounts.login):
        with pytest.raises(Denied, match="an admin gave a-owner this password; `assayloop account"):
            refused(laboratory, "a-owner", OTHER)
    with pytest.raises(BadInput, match="the new one is the old one"):
        accounts.set_password(laboratory, "a-owner", OTHER, OTHER)
    accounts.set_password(laboratory, "a-owner", OTHER, PASSWORD)
    accounts.login(laboratory, "a-owner", PASSWORD)
    assert planted(laboratory) == []


def test_a_temporary_password_cannot_be_made_lasting_from_outside(laboratory: Database) -> None:
    accounts.reset_password(laboratory, ADA, "a-owner", OTHER, "forgotten")
    with laboratory.engine.begin() as connection:
        connection.execute(
            update(Secret).where(Secret.account == "a-owner").values(kind="password")
        )
    assert planted(laboratory) == ["table secret, 'a-owner/password': no entry made it as it is"]


def test_a_password_is_reset_for_a_reason_and_an_active_account(laboratory: Database) -> None:
    with pytest.raises(BadInput, match="a reason is required"):
        accounts.reset_password(laboratory, ADA, "a-owner", OTHER, "")
    accounts.disable(laboratory, ADA, "a-owner", "left")
    with pytest.raises(Conflict, match="a-owner is disabled: left; an account ends for good"):
        accounts.reset_password(laboratory, ADA, "a-owner", OTHER, "came back")


# What runs for days ---------------------------------------------------------------------------


def test_whoever_began_something_may_go_on_while_they_may_act(
    laboratory: Database, settings: Settings
) -> None:
    """A driver that outlives its login would write on nobody's behalf."""
    first = with_token(settings, accounts.login(laboratory, "a-operator", PASSWORD, hours=1))
    actor = actors.current(laboratory, settings=first)
    actors.require_still(laboratory, actor, settings=first)
    renewed = with_token(settings, accounts.login(laboratory, "a-operator", PASSWORD))
    actors.require_still(laboratory, actor, settings=renewed)
    other = with_token(settings, accounts.login(laboratory, "a-owner", PASSWORD))
    with pytest.raises(Denied, match="a-operator began this, and is not logged in here any longer"):
        actors.require_still(laboratory, actor, settings=other)
    accounts.set_role(laboratory, ADA, "a-operator", "viewer", "on leave")
    with pytest.raises(Denied, match="a-operator is viewer and may not run campaigns"):
        actors.require_still(laboratory, actor, settings=first)
    alone = actors.operating_system()
    with pytest.raises(Denied, match="has become multi-user since this began"):
        actors.require_still(laboratory, alone, settings=settings)
