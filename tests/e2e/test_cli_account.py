"""Accounts from the command line: a laboratory goes from one user to several."""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy import select

from db.models import LedgerEntry
from orchestrator import opening
from orchestrator.settings import Settings
from tests.e2e.terminal import Ended, Terminal

PASSWORD = "correct horse battery"


class Person:
    """Somebody at the terminal, whose password goes in by standard input."""

    def __init__(self, terminal: Terminal, patch: pytest.MonkeyPatch) -> None:
        self.terminal = terminal
        self._patch = patch

    def types(self, *lines: str) -> Terminal:
        """The terminal, with these lines on its standard input."""
        self._patch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return self.terminal

    def logs_in(self, name: str, *options: str) -> Ended:
        """Log in, and say what was printed."""
        return self.types(PASSWORD)("login", name, *options)


@pytest.fixture
def person(finished: Terminal, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody in a home whose campaign ran in single-user mode, and which has accounts now."""
    someone = Person(finished, monkeypatch)
    made = someone.types(PASSWORD)(
        *("account", "create", "ada", "--full-name", "Ada Lovelace", "--role", "admin")
    )
    assert made.out.splitlines() == [
        "Ada Lovelace has the account ada and is admin.",
        "This database is multi-user now: every write needs `assayloop login`.",
    ]
    someone.logs_in("ada")
    for name, full_name, role in (("bob", "Bob Ross", "owner"), ("eve", "Eve", "viewer")):
        done = someone.types(PASSWORD)(
            *("account", "create", name, "--full-name", full_name, "--role", role)
        )
        assert done.out == f"{full_name} has the account {name} and is {role}.\n"
    finished("logout")
    return someone


def actors_of(kind: str) -> list[tuple[str, str, str, str]]:
    """Kind, number, account behind and mode of the actors of all such entries."""
    columns = (LedgerEntry.actor_kind, LedgerEntry.actor_id, LedgerEntry.on_behalf_of)
    with opening.database(Settings.read()).read() as session:
        query = select(*columns, LedgerEntry.mode).where(LedgerEntry.kind == kind)
        return [tuple(row) for row in session.execute(query)]


WRITES = [
    ["run", "box.yaml", "--new"],
    ["ask", "box"],
    ["tell", "box", "--candidate", "1", "--provenance", "me", "yield=1", "mass=1"],
    ["pause", "box", "--reason", "x"],
    ["resume", "box", "--reason", "x"],
    ["stop", "box", "--reason", "x"],
    ["campaign", "revise", "box", "box.yaml", "--set", "budget.evaluations=9", "--reason", "x"],
    ["jobs", "resolve", "box", "1", "--ran", "--reason", "x"],
    ["account", "create", "mallory", "--full-name", "Mallory", "--role", "admin"],
    ["account", "disable", "bob", "--reason", "x"],
    ["account", "role", "bob", "admin", "--reason", "x"],
    ["account", "password", "bob", "--reset", "--reason", "x"],
]


@pytest.mark.parametrize("command", WRITES, ids=lambda command: " ".join(command[:2]))
def test_nothing_is_written_by_somebody_who_did_not_log_in(
    command: list[str], person: Person
) -> None:
    """One open door would make every entry doubtful."""
    before = person.terminal("audit", "verify", "--json").json["entries"]
    assert "nobody is logged in run `assayloop login NAME`" in person.terminal.refused(*command)
    person.logs_in("eve")
    assert "eve is viewer and may not" in person.terminal.refused(*command)
    after = person.terminal("audit", "verify", "--json").json
    assert (after["entries"], after["ok"]) == (before + 1, True), "the login, and no more"


def test_whoever_only_reads_needs_no_login(person: Person) -> None:
    for command in (["status"], ["show", "box"], ["audit", "verify"], ["account", "list"]):
        assert person.terminal(*command).code == 0


def test_a_campaign_is_written_by_whoever_logged_in(person: Person) -> None:
    """Who started it, and who stopped it."""
    person.terminal.spec("more")
    assert person.logs_in("bob").out == "bob is logged in for 12 hours.\n"
    from orchestrator import Campaign

    Campaign.open("more.yaml").run()
    assert person.terminal("pause", "more", "--reason", "x").code == 2, "it is finished"
    assert actors_of("campaign")[0][3] == "single-user", "from before there were accounts"
    assert actors_of("campaign")[1] == ("account", "bob", "", "multi-user")
    assert ("account", "bob", "", "multi-user") in actors_of("record")
    assert person.terminal("audit", "verify").code == 0


def test_a_night_job_has_a_token(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler has nobody to type a password."""
    token = person.logs_in("bob", "--scope", "operate", "--print").out.strip()
    assert token.startswith("bob/")
    assert "nobody is logged in" in person.terminal.refused("ask", "box")
    monkeypatch.setenv("ASSAYLOOP_TOKEN", token)
    from orchestrator import Campaign

    Campaign.open(person.terminal.spec("night"))
    public = token.partition(":")[0]
    assert actors_of("campaign")[-1] == ("token", public, "bob", "multi-user")
    said = person.terminal.refused("stop", "night", "--reason", "x")
    assert said.startswith("Error: this token of bob is good for operate only log in with --scope")


def test_accounts_are_listed_and_disabled(person: Person) -> None:
    person.logs_in("ada")
    assert person.terminal("account", "disable", "eve", "--reason", "left").code == 0
    rows = person.terminal("account", "list", "--json").json
    assert [(row["name"], row["role"], row["state"], row["reason"]) for row in rows] == [
        ("ada", "admin", "active", ""),
        ("bob", "owner", "active", ""),
        ("eve", "viewer", "disabled", "left"),
    ]
    assert "Bob Ross" in person.terminal("account", "list").out
    assert "has this password" in person.types(PASSWORD).refused("login", "eve")


def test_a_password_is_changed_and_the_login_ends(person: Person) -> None:
    person.logs_in("bob")
    other = "another long password"
    assert person.types(PASSWORD, other)("account", "password", "bob").code == 0
    assert "not known here" in person.terminal.refused("ask", "box")
    assert "has this password" in person.types(PASSWORD).refused("login", "bob")
    assert person.types(other)("login", "bob").code == 0


def test_an_admin_gives_roles_and_temporary_passwords(person: Person) -> None:
    """People change teams, and forget over the holidays."""
    person.logs_in("ada")
    assert person.terminal("account", "role", "eve", "owner", "--reason", "leads it").code == 0
    assert "a reason is required" in person.terminal.refused("account", "role", "bob", "viewer")
    temporary = "given over the telephone"
    assert "a reason is required" in person.types(temporary).refused(
        *("account", "password", "bob", "--reset")
    )
    reset = ("account", "password", "bob", "--reset", "--reason", "forgotten")
    said = person.types(temporary)(*reset).out
    assert said == "bob chooses another by `assayloop account password bob`.\n"
    assert "an admin gave bob this password" in person.types(temporary).refused("login", "bob")
    assert person.types(temporary, PASSWORD)("account", "password", "bob").code == 0
    assert person.logs_in("bob").code == 0
    roles = {row["name"]: row["role"] for row in person.terminal("account", "list", "--json").json}
    assert roles == {"ada": "admin", "bob": "owner", "eve": "owner"}
    assert person.terminal("audit", "verify").code == 0


def test_a_driver_ends_cleanly_where_its_login_does(person: Person) -> None:
    """Its campaign is as the last pass left it, and goes on by whoever logs in."""
    from orchestrator import Campaign
    from orchestrator.errors import Denied
    from orchestrator.people import actors

    person.logs_in("bob")
    long = Campaign.open(person.terminal.spec("long"))

    def ended(glance: object) -> None:
        """In the middle of the campaign somebody logs out."""
        person.terminal("logout")

    with pytest.raises(Denied, match="multi-user, and nobody is logged in"):
        long.run(ended)
    (row,) = (one for one in person.terminal("status", "--json").json if one["name"] == "long#1")
    assert (row["status"], row["rounds"], row["open_jobs"]) == ("running", 1, 0)
    person.logs_in("bob")
    assert Campaign.open(person.terminal.spec("long")).run() == "finished"
    assert person.terminal("audit", "verify").code == 0
    assert actors.current(opening.database(Settings.read())).id == "bob"


def test_a_driver_of_single_user_mode_ends_with_the_first_account(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else entries of nobody would go on among those of people."""
    from orchestrator import Campaign
    from orchestrator.errors import Denied

    someone = Person(terminal, monkeypatch)

    def made(glance: object) -> None:
        create = ("account", "create", "ada", "--full-name", "Ada Lovelace", "--role", "admin")
        assert someone.types(PASSWORD)(*create).code == 0

    with pytest.raises(Denied, match="has become multi-user since this began"):
        Campaign.open(terminal.spec()).run(made)
    assert terminal("audit", "verify").code == 0


def test_no_password_is_a_mistake_and_nothing_is_half_made(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`assayloop account create` from a script that forgot it."""
    said = (
        Person(terminal, monkeypatch)
        .types()
        .refused(*("account", "create", "ada", "--full-name", "Ada Lovelace", "--role", "admin"))
    )
    assert "password: has 0 characters at least 12" in said
    assert json.loads(terminal("account", "list", "--json").out) == []


def test_logging_out_without_a_login_is_no_mistake(terminal: Terminal) -> None:
    assert terminal("logout").out == "Nobody is logged in.\n"


# Signatures -----------------------------------------------------------------------------------


def test_an_entry_is_signed_and_the_signature_is_listed(person: Person) -> None:
    """A reviewer's name stands under what was reviewed, for everybody to read."""
    person.logs_in("bob")
    said = person.types(PASSWORD)("sign", "box", 1, "--meaning", "approved")
    assert said.code == 0
    assert said.out.startswith("Entry 1 of box#1: approved by Bob Ross,")
    ended = person.types(PASSWORD)("sign", "box", 2, "--meaning", "reviewed", "--json")
    rows = person.terminal("audit", "signatures", "box", "--json").json
    assert [(row["signed"], row["meaning"], row["name"]) for row in rows] == [
        (1, "approved", "Bob Ross"),
        (2, "reviewed", "Bob Ross"),
    ]
    assert rows[1] == ended.json
    assert "Bob Ross" in person.terminal("audit", "signatures", "box").out
    assert person.terminal("audit", "verify").code == 0


def test_signing_needs_a_login_a_meaning_and_the_password(person: Person) -> None:
    assert "nobody is logged in" in person.terminal.refused("sign", "box", 1)
    person.logs_in("bob")
    assert "'' is no meaning" in person.types(PASSWORD).refused("sign", "box", 1)
    wrong = person.types("something else")
    assert "has this password" in wrong.refused("sign", "box", 1, "--meaning", "approved")
    assert person.terminal("audit", "signatures", "box", "--json").json == []
