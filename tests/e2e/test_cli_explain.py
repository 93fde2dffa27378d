"""One page about one candidate: what is asked a year later, answered by one command."""

from hashlib import sha256
from pathlib import Path

import pytest

from db.ledger import Actor
from orchestrator import Campaign, opening
from orchestrator.people import accounts, actors, signatures
from orchestrator.settings import Settings
from orchestrator.verbs import computing
from tests.e2e.terminal import Terminal, tamper
from tests.e2e.test_report import ATTACK, Page, stands_alone

PASSWORD = "correct horse battery"
HEADINGS = [
    "Why it was made",
    "On which data and model",
    "What it is",
    "Who approved it",
    "What was measured",
    "Every attempt",
    "What was learnt from it",
    "What the ledger says of it",
]


def test_everything_on_record_is_on_the_page(learned: Terminal) -> None:
    """Proposal, prediction, data, attempts with their bytes, and what followed."""
    page = learned("audit", "explain", "learned", 5, "--json").json
    proposal, fit = page["proposal"], page["proposal"]["fit"]
    rows = learned("history", "learned", "--json").json
    mine = [row for row in rows if row["candidate"] == 5]
    assert proposal["round"] == 3
    assert proposal["proposer"] == "gp"
    assert proposal["stream"] == [3, 3, 1]
    assert None not in (proposal["mean"], proposal["std"], proposal["acquisition"])
    assert (fit["fit"], fit["data_size"]) == (2, 4)
    assert len(fit["data_hash"]) == 64
    assert set(fit["versions"]) == {"assayloop", "botorch", "gpytorch", "numpy", "scipy", "torch"}
    assert proposal["versions"] == computing.proposed_with()
    assert page["decoded_with"] == computing.decoded_with("parameters")
    assert [one["value"] for one in page["measurements"]] == [row["value"] for row in mine]
    (attempt,) = page["attempts"]
    body = Path(attempt["delivery"]["path"]).read_bytes()
    assert sha256(body).hexdigest() == attempt["delivery"]["sha256"] == mine[0]["delivery"]
    deviation = (page["objective"] - proposal["mean"]) / proposal["std"]
    assert page["learnt"]["deviation"] == pytest.approx(deviation)
    assert [one["fit"] for one in page["learnt"]["fits"]] == [3, 4]
    assert page["learnt"]["rounds"] == [4]
    kinds = [one["kind"] for one in page["entries"]]
    assert kinds[:3] == ["propose", "decode", "submit"]
    assert "record" in kinds


def test_a_person_reads_it_without_the_manual(learned: Terminal) -> None:
    said = learned("audit", "explain", "learned", 5).out
    lines = said.splitlines()
    assert lines[0] == "Candidate 5 of learned#1"
    assert [line for line in lines if line in HEADINGS] == HEADINGS
    flat = " ".join(said.split())
    assert "Expected objective" in flat
    assert "was expected:" in flat
    assert "standard deviations" in flat
    assert "Data measurements of 4 candidates, as they stood after ledger entry" in flat
    assert "What was sought Maximise yield" in flat
    for term in ("Fit made with assayloop", "Proposed with assayloop", "Decoded with assayloop"):
        assert f"{term} {computing.version(term.split()[-1])}" in flat
    assert "more is better" in lines[1]
    assert lines[-1].endswith(".json")


def test_what_was_drawn_without_a_model_says_so(learned: Terminal) -> None:
    flat = " ".join(learned("audit", "explain", "learned", 1).out.split())
    assert "unknown: it was drawn without a model" in flat
    assert "Learnt by fits 1-4" in flat
    assert "Led to the proposals of rounds 2-4, with these fits" in flat


def test_a_release_that_kept_no_versions_is_said(learned: Terminal) -> None:
    """Else a reader takes silence for the packages that are installed today."""
    for kind in ("propose", "decode"):
        what = "UPDATE ledger_entry SET payload = json_remove(payload, '$.about.versions')"
        tamper(learned, f"{what} WHERE kind = '{kind}'")
    page = learned("audit", "explain", "learned", 5, "--json").json
    assert page["proposal"]["versions"] is page["decoded_with"] is None
    flat = " ".join(learned("audit", "explain", "learned", 5).out.split())
    for term in ("Proposed with", "Decoded with"):
        assert f"{term} packages of which nothing is on record" in flat


def test_when_it_was_the_best_is_told(finished: Terminal) -> None:
    """Of each candidate that ever led, from when to when."""
    pages = [finished("audit", "explain", "box", one, "--json").json for one in range(1, 7)]
    spans = [span for page in pages for span in page["learnt"]["best"]]
    assert sum(span["to_entry"] is None for span in spans) == 1
    first = min(spans, key=lambda span: span["from_entry"])
    assert first["instead_of"] is None
    (best,) = (
        page
        for page in pages
        if page["learnt"]["best"][-1:] and page["learnt"]["best"][-1]["to_entry"] is None
    )
    said = finished("audit", "explain", "box", best["candidate"]).out
    assert "It is the best of the campaign." in said
    assert ", and still" in said


def test_it_is_found_by_the_name_that_people_know(terminal: Terminal) -> None:
    """Somebody asks why compound 4711 was made, and has no number of ours."""
    campaign = Campaign.open(terminal.spec("told"))
    content = '{"x": 0.5, "y": 0.5}'
    campaign.tell(content, provenance="a notebook", external_ids=["4711"], mass=9.0)
    flat = " ".join(terminal("audit", "explain", "told", "4711").out.split())
    assert flat.startswith("Candidate 1 (4711) of told#1 It has no objective.")
    assert "nobody proposed it" in flat
    assert "nothing was sent to an evaluator" in flat
    assert "told by" in flat
    assert "a notebook" in flat
    page = terminal("audit", "explain", "told", 1, "--json").json
    assert page["proposal"] is None
    assert page["measurements"][0]["provenance"] == "a notebook"


def test_whoever_approved_it_is_named(finished: Terminal) -> None:
    """Somebody other than the author confirmed that it was to be made."""
    database = opening.database(Settings.read())
    ada = Actor("account", "ada", mode="multi-user")
    accounts.create(database, actors.operating_system(), "ada", "Ada Byron", "admin", PASSWORD)
    accounts.create(database, ada, "otto", "Otto Smith", "owner", PASSWORD)
    page = finished("audit", "explain", "box", 1, "--json").json
    assert page["signatures"] == []
    entry, row = page["proposal"]["entry"], opening.campaign(database, "box")
    signatures.sign(database, row, entry, "approved", "otto", PASSWORD)
    (signature,) = finished("audit", "explain", "box", 1, "--json").json["signatures"]
    assert (signature["signed"], signature["meaning"]) == (entry, "approved")
    flat = " ".join(finished("audit", "explain", "box", 1).out.split())
    assert f"Approved by Otto Smith (otto): entry {entry}, signed" in flat
    assert "nobody signed" not in flat
    other = " ".join(finished("audit", "explain", "box", 5).out.split())
    assert "Approved nobody signed for it: by the spec, every new candidate is sent" in other


def test_a_correction_stands_beside_what_it_corrects(learned: Terminal) -> None:
    page = learned("audit", "explain", "learned", 2, "--json").json
    wrong = next(one["measurement"] for one in page["measurements"] if one["name"] == "yield")
    why = ["--reason", "a decimal point"]
    learned("result", "correct", "learned", wrong, "--value", "7", *why)
    learned("result", "flag", "learned", 13, "--kind", "suspect", "--reason", "a bubble")
    page = learned("audit", "explain", "learned", 2, "--json").json
    later = {one["measurement"]: one for one in page["measurements"]}
    assert later[wrong]["superseded_by"] == 13
    assert [flag["kind"] for flag in later[13]["flags"]] == ["suspect"]
    assert page["objective"] is None
    assert page["entries"][-2]["said"][-1].startswith("measurement 13: yield 7")
    assert page["entries"][-2]["reason"] == "a decimal point"
    flat = " ".join(learned("audit", "explain", "learned", 2).out.split())
    assert "a bubble" in flat


def test_the_file_needs_nothing_but_itself(learned: Terminal) -> None:
    """It is attached to a report, and opened where there is no assayloop."""
    file = learned.folder / "five.html"
    learned("audit", "explain", "learned", 5, "--html", file)
    page = Page(file.read_text(encoding="utf-8"))
    stands_alone(page)
    assert page.texts("h2") == [*HEADINGS, "Raw artifacts, as they came"]
    assert page.attributes("img", "src")[0].startswith("data:image/")
    assert any("yield" in text for text in page.texts("pre"))


def test_what_others_wrote_stays_text(terminal: Terminal) -> None:
    campaign = Campaign.open(terminal.spec("told"))
    content = '{"x": 0.5, "y": 0.5}'
    named = [ATTACK, "\x1b[2J"]
    campaign.tell(content, provenance=ATTACK, external_ids=named, mass=9.0)
    file = terminal.folder / "told.html"
    terminal("audit", "explain", "told", 1, "--html", file)
    assert "<script" not in file.read_text(encoding="utf-8")
    assert "\x1b" not in terminal("audit", "explain", "told", 1).out
    flag = ["--kind", "suspect", "--reason", "\x1b[2J"]
    assert terminal("result", "flag", "told", 1, *flag).code == 0
    assert "\x1b" not in terminal("audit", "explain", "told", 1).out, "in a cell of a table"


def test_bytes_that_were_changed_are_no_page_of_evidence(learned: Terminal) -> None:
    tamper(learned, "UPDATE artifact_chunk SET data = x'00' WHERE chain != 'system'")
    page = learned("audit", "explain", "learned", 5, "--json").json
    delivery = page["attempts"][0]["delivery"]
    assert delivery["path"] is None
    assert "were changed" in delivery["problem"]
    file = learned.folder / "five.html"
    assert learned("audit", "explain", "learned", 5, "--html", file).code == 0
    assert "were changed" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["box", 99], "no candidate '99' known: 1 to 6"),
        (["box", "CAS-1"], "no candidate 'CAS-1' known: 1 to 6"),
        (["bxo", 1], "known: box"),
        (["box", 1, "--html", "nowhere/page.html"], "there is no folder nowhere"),
        (["box", 1, "--html", "page.html", "--json"], "--json: prints on screen"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    arguments: list[object], said: str, finished: Terminal
) -> None:
    assert said in finished.refused("audit", "explain", *arguments)
