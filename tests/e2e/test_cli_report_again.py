"""``assayloop report``: a campaign's report, written again whenever somebody wants it."""

from __future__ import annotations

from pathlib import Path

from orchestrator import Campaign
from orchestrator.cli.terminal.output import relative
from tests.e2e.terminal import Terminal


def test_a_report_is_written_again_and_said_where(finished: Terminal) -> None:
    """Somebody threw it away, or it is of another release."""
    usual = finished.folder / "home" / "reports" / "box-1.html"
    usual.unlink(missing_ok=True)
    ended = finished("report", "box")
    assert ended.code == 0
    assert ended.out.splitlines() == ["Report of box#1, which is finished:", str(relative(usual))]
    text = usual.read_text()
    assert text.startswith("<!DOCTYPE html>") or "<html" in text[:200]
    assert "box" in text

    elsewhere = finished.folder / "mine.html"
    found = finished("report", "box#1", "--out", elsewhere, "--json").json
    assert (found["name"], found["ordinal"], found["status"]) == ("box", 1, "finished")
    assert Path(found["report"]) == elsewhere
    assert "<html" in elsewhere.read_text()[:400]


def test_a_campaign_that_runs_or_is_paused_has_a_report_too(finished: Terminal) -> None:
    """Who waits for an assay for weeks wants to show what there is."""
    Campaign.open(finished.spec("open")).ask(1)
    assert finished("report", "open", "--json").json["status"] == "running"
    before = (finished.folder / "home" / "reports" / "open-1.html").read_text()
    told = ("--candidate", 1, "--provenance", "HPLC 3")
    assert finished("tell", "open", "yield=71", "mass=1", *told).code == 0
    assert finished("pause", "open", "--reason", "repair").code == 0
    assert finished("report", "open").out.splitlines()[0] == "Report of open#1, which is paused:"
    after = (finished.folder / "home" / "reports" / "open-1.html").read_text()
    assert "71" in after
    assert after != before


def test_what_cannot_be_written_is_refused(finished: Terminal) -> None:
    assert "no campaign 'none'" in finished.refused("report", "none").replace('"', "'")
    assert "there is no folder" in finished.refused("report", "box", "--out", "none/x.html")
    assert "cannot be written" in finished.refused("report", "box", "--out", finished.folder)
