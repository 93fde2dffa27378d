"""The code that evaluators run for their user: kept with the campaign, and said when it changes."""

from __future__ import annotations

import json

from adapters.protocol import EvaluatorError, Source, Sourced
from db import repository
from db.ledger import Draft
from orchestrator.lab import Lab


def note(lab: Lab) -> list[str]:
    """Keep each source as it is now, unless it is what was kept last.

    Returns:
        A word on each that has changed since.
    """
    now = {
        (name, str(one.file)): one
        for name, evaluator in lab.evaluators.items()
        if isinstance(evaluator, Sourced)
        for one in _sources(evaluator)
    }
    if not now:
        return []
    with lab.write() as session:
        kept: dict[tuple[str, str], str] = {}
        for entry in repository.entries(session, lab.campaign, "source"):
            for one in json.loads(entry.payload)["about"]["sources"]:
                kept[one["evaluator"], one["file"]] = one["sha256"]
        fresh = {place: one for place, one in now.items() if kept.get(place) != one.sha256}
        if not fresh:
            return []
        draft = Draft("source", {"sources": []})
        for (name, file), one in fresh.items():
            sha256 = draft.attach(one.file.read_bytes(), "text/x-source")
            draft.about["sources"].append({"evaluator": name, "file": file, "sha256": sha256})
        lab.append(session, draft)
    return [
        f"{file}, which {name} runs, has changed since this campaign last ran: SHA-256 was "
        f"{kept[name, file][:12]}…, and is {one.sha256[:12]}…"
        for (name, file), one in fresh.items()
        if (name, file) in kept
    ]


def _sources(evaluator: Sourced) -> list[Source]:
    try:
        return list(evaluator.sources())
    except EvaluatorError:
        return []  # whoever is asked to measure says so
