"""The report for a reviewer: what somebody who was not there must know, on paper if need be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from db import repository
from db.ledger import Actor
from orchestrator import opening
from orchestrator.people import accounts, actors, campaigns, corrections, jobs, signatures
from orchestrator.people.ask_tell import Told
from orchestrator.settings import Settings
from tests.e2e.conftest import PLUGIN
from tests.e2e.lab import Lab, opened
from tests.e2e.terminal import Terminal, tamper
from tests.e2e.test_report import ATTACK, Page, stands_alone

PASSWORD = "correct horse battery"
CHROMIUM = shutil.which("chromium")
GP = {"kind": "gp", "initial": 3, "batch": 1}


@pytest.fixture
def lab(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab in the home of the terminal, whose people have accounts."""
    database = opening.database(Settings.read(), create=True)
    with opened(database, terminal.folder, monkeypatch) as lab:
        yield lab
    database.close()


def troubled(lab: Lab) -> str:
    """A campaign in which about everything happened that can; its UUID."""
    ada = Actor("account", "ada", mode="multi-user")
    accounts.create(lab.database, actors.operating_system(), "ada", "Ada Byron", "admin", PASSWORD)
    accounts.create(lab.database, ada, "otto", "Otto Smith", "owner", PASSWORD)
    accounts.create(lab.database, ada, "aude", "Aude Roy", "auditor", PASSWORD)
    accounts.keep_login(Settings.read(), accounts.login(lab.database, "otto", PASSWORD))
    lab.actor = Actor("account", "otto", mode="multi-user")
    acts = {"2": ["failed transient"], "3": ["rejected"], "4": ["break"], "5": ["stranger"]}
    parts = {"evaluators": [lab.bench(acts, idempotent=False)], "proposer": GP}
    campaign = lab.start(**parts, budget={"evaluations": 6})
    lab.drive(campaign)
    campaigns.pause(lab.database, campaign, lab.actor, f"a look at it {ATTACK}")
    why = "the bench's log has no line of it"
    jobs.resolve(lab.database, campaign, 4, lab.actor, ran=False, reason=why)
    campaigns.resume(lab.database, campaign, lab.actor, "")
    while lab.drive(campaign) == "waiting":
        pass
    corrections.correct(lab.build(campaign), 1, Told(0.5, None), "a slipped digit")
    corrections.flag(lab.build(campaign), "suspect", "a bubble", measurements=[3, 4])
    longer = lab.spec(**parts, budget={"evaluations": 7})
    campaigns.revise(lab.database, campaign, longer, lab.actor, "one more")
    row = lab.campaign(campaign)
    signatures.sign(lab.database, row, 1, "reviewed", "aude", PASSWORD)
    return campaign


def page(terminal: Terminal, *arguments: object) -> Page:
    """The report that the command writes of the box."""
    file = terminal.folder / "review.html"
    assert terminal("audit", "report", "box", "--out", file, *arguments).code == 0
    found = Page(file.read_text(encoding="utf-8"))
    stands_alone(found)
    return found


def test_what_did_not_go_as_planned_is_told(terminal: Terminal, lab: Lab) -> None:
    """Each with who, when and why; and what was looked for and not found."""
    troubled(lab)
    found = page(terminal)
    assert [one for one in found.texts("h3") if one[0].isupper()][:8] == [
        "Revisions of the spec",
        "Pauses and stops",
        "Jobs without a result",
        "Repeated attempts",
        "Doubtful jobs",
        "Refused deliveries",
        "Corrections",
        "Flags",
    ]
    rows = [" | ".join(row) for row in cells(found)]

    def one(*parts: str) -> str:
        return next(row for row in rows if all(part in row for part in parts))

    assert "budget.evaluations: 6 -> 7" in one("2 | ", "one more")
    assert "otto | paused" in one(f"a look at it {ATTACK}")
    assert "bench | rejected | 1" in one("it rejected")
    assert one("2.1 | 2 | bench | failed").endswith("succeeded")
    assert "it did not run" in one("the bench's log has no line of it", "it did not run")
    assert "answers no job" in one("answers no job")
    assert "1 by " in one("a slipped digit")
    assert "3-4 | " in one("a bubble")
    assert one("Aude Roy (aude)").endswith("yes")
    notes = " ".join(found.texts("p"))
    assert "All are settled" in notes
    assert "Looked for, and there is none: late results" in notes
    assert "Still open: fit" in notes
    assert "<script" not in found.source


def cells(found: Page) -> Iterator[list[str]]:
    """Texts of the cells of each row of the page."""
    row: list[str] = []
    for tag, _, text in found.elements:
        if tag == "tr":
            if row:
                yield row
            row = []
        elif tag == "td":
            row.append("".join(text).strip())
    yield row


def test_who_asked_for_what_and_what_is_proved_is_said_first(learned: Terminal) -> None:
    """Spec, mode, ledger head: a reviewer can compare them with a copy of their own."""
    found = page_of(learned, "learned")
    said = dict(zip(found.texts("dt"), found.texts("dd"), strict=True))
    assert "single-user" in said["Mode"]
    assert "revision 1, SHA-256" in said["Spec"]
    assert said["Result"] == "nothing is wrong"
    head = learned("audit", "report", "learned", "--json").json
    assert head["ok"] is True
    database = opening.database(Settings.read())
    with database.read() as session:
        row = repository.find(session, "learned")
        assert row is not None
        last = list(repository.entries(session, row.id))[-1]
    assert said["Ledger head"] == f"entry {last.sequence}, SHA-256 {last.hash}"
    assert said["Fit 1-4"].startswith("assayloop ")
    assert "scipy" in said["Proposal of round 1-4"]
    assert said["Decoding of round 1-4"].startswith("assayloop ")
    assert said["Signed"] == "nothing"
    assert "would not show it" in said["Anchors"]
    assert "None. Everything went as the spec says." in found.texts("p")
    assert [attributes for tag, attributes, _ in found.elements if tag == "details"]
    assert all("open" in found for tag, found, _ in found.elements if tag == "details")
    assert 'content: "learned#1, campaign report for review"' in found.source


def page_of(terminal: Terminal, name: str) -> Page:
    terminal("audit", "report", name, "--out", terminal.folder / "review.html")
    return Page((terminal.folder / "review.html").read_text(encoding="utf-8"))


def test_a_history_that_was_changed_is_reported_as_such(learned: Terminal) -> None:
    """And not only on the screen of whoever made the report."""
    tamper(learned, "UPDATE measurement SET value = value + 1 WHERE number = 2")
    tamper(learned, "UPDATE artifact_chunk SET data = x'00' WHERE chain != 'system'")
    ended = learned("audit", "report", "learned")
    assert ended.code == 5
    assert "problems found" in ended.out
    (file,) = (learned.folder / "home" / "reports").glob("*-review.html")
    text = file.read_text(encoding="utf-8")
    assert "✗ Not what was written" in text
    assert "measurement 2, value" in text


def test_an_evaluator_that_is_gone_is_no_obstacle(
    learned: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year later nobody has the plug-in any more."""
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(PLUGIN)])
    assert "reactor: yield, mass" in page_of(learned, "learned").source


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bxo"], "known: learned"),
        (["learned", "--out", "nowhere/r.html"], "there is no folder nowhere"),
        (["learned", "--out", "home"], "home cannot be written: Is a directory"),
        (["learned", "--trust", "ab"], "is no public key"),
    ],
)
def test_what_cannot_be_reported_is_refused(
    arguments: list[object], said: str, learned: Terminal
) -> None:
    assert said in learned.refused("audit", "report", *arguments)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="install it: apt-get install chromium poppler-utils")
def test_a_browser_prints_all_of_it_with_numbered_pages(terminal: Terminal, lab: Lab) -> None:
    """What only opens by a click is lost on paper."""
    assert CHROMIUM is not None
    troubled(lab)
    page(terminal)
    printed, file = terminal.folder / "review.pdf", terminal.folder / "review.html"
    how = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    where = [f"--user-data-dir={terminal.folder / 'chromium'}", f"--print-to-pdf={printed}"]
    command = [CHROMIUM, *how, *where, file.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    text = subprocess.run(
        ["pdftotext", "-layout", str(printed), "-"], check=True, capture_output=True, text=True
    ).stdout
    pages = text.count("\f")
    assert f"page 1 of {pages}" in text
    assert f"page {pages} of {pages}" in text
    assert text.count("ledger head: entry") == text.count("campaign report for review") == pages
    for said in ("Doubtful jobs", "a slipped digit", "seed: 3"):
        assert said in text
