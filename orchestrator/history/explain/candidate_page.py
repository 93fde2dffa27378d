"""The page about a candidate in words: what both the terminal and the HTML file show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from db.models import LedgerEntry
from orchestrator.history.explain.candidate import Page
from orchestrator.history.replay import package_versions
from orchestrator.spec.words import number, quantity, ranges

COORDINATES = 6
"""Coordinates of a point that are shown; `--json` has all."""


@dataclass(frozen=True)
class Section:
    """A heading with facts below it, or a table."""

    title: str
    facts: Sequence[tuple[str, str]] = ()
    """Term and text."""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""
    """What it means, for whoever sees it for the first time."""


def title(page: Page) -> str:
    """What the page is about."""
    named = f" ({', '.join(page['external_ids'])})" if page["external_ids"] else ""
    return f"Candidate {page['candidate']}{named} of {page['campaign']}"


def headline(page: Page) -> str:
    """The outcome in one sentence."""
    best = page["learnt"]["best"]
    if page["valid"] is None:
        return "It has not been decoded yet."
    if not page["valid"]:
        return f"It decoded to no valid object: {page['reason']}."
    said = (
        "It has no objective."
        if page["objective"] is None
        else f"Its objective is {number(page['objective'])}; {_better(page)}."
        + ("" if page["feasible"] else " It is not feasible: a constraint does not hold.")
    )
    if page["duplicate_of"]:
        said += f" It is the same object as candidate {page['duplicate_of']}, measured there."
    if best and best[-1]["to_entry"] is None:
        said += " It is the best of the campaign."
    return said


def _better(page: Page) -> str:
    return f"{'more' if page['spec']['direction'] == 'maximize' else 'less'} is better"


def sections(page: Page) -> list[Section]:
    """The page, in the order in which it is read."""
    return [
        Section("Why it was made", list(_why(page))),
        Section(
            "On which data and model",
            list(_on_what(page)),
            note="All that is needed to compute the proposal again is kept: `assayloop audit "
            f"replay {page['campaign']} --candidate {page['candidate']}` does it.",
        ),
        Section("What it is", list(_what(page))),
        Section("Who approved it", list(_who(page))),
        _measurements(page),
        _attempts(page),
        Section("What was learnt from it", list(_learnt(page))),
        _entries(page),
    ]


def who(entry: Page) -> str:
    """The actor of an entry."""
    behalf = f" on behalf of {entry['on_behalf_of']}" if entry["on_behalf_of"] else ""
    return f"{entry['actor']}{behalf}"


def said_by(entry: LedgerEntry) -> str:
    """The actor of an entry of the ledger."""
    return who({"actor": entry.actor_id, "on_behalf_of": entry.on_behalf_of})


def when(iso: str | None) -> str:
    """A time of the page, to the second."""
    return "" if iso is None else f"{iso[:10]} {iso[11:19]} UTC"


def _by(entry: Page) -> str:
    return f"{when(entry['at'])} by {who(entry)} (ledger entry {entry['entry']})"


def _why(page: Page) -> Iterator[tuple[str, str]]:
    proposal = page["proposal"]
    if proposal is None:
        yield page["source"].capitalize(), f"{_by(page['made'])}; nobody proposed it"
    else:
        asked = ", asked for by a person" if proposal["source"] == "asked" else ""
        yield "Proposed", f"in round {proposal['round']}, {_by(proposal)}{asked}"
        parts = zip(("seed", "round", "step"), proposal["stream"], strict=False)
        stream = ", ".join(f"{name} {number}" for name, number in parts)
        yield "By", f"the proposer {proposal['proposer']}, with the random stream of {stream}"
        yield "Expected objective", _expected(proposal)
        waiting = ", ".join(map(str, proposal["pending"]))
        yield "Awaited then", f"results of candidates {waiting}" if waiting else "no other result"
    spec = page["spec"]
    yield "What was sought", spec["objective"]
    reason = f": {spec['reason']}" if spec["reason"] else ""
    yield "By the spec", f"revision {spec['revision']} of {_by(spec)}{reason}"


def _expected(proposal: Page) -> str:
    if proposal["mean"] is None:
        return "unknown: it was drawn without a model"
    said = f"{number(proposal['mean'])} ± {number(proposal['std'])}"
    return f"{said}; acquisition {number(proposal['acquisition'])}, the log expected improvement"


def _on_what(page: Page) -> Iterator[tuple[str, str]]:
    fit = page["proposal"] and page["proposal"]["fit"]
    if fit:
        yield "Fit", f"fit {fit['fit']} of the surrogate {fit['kind']}, made {_by(fit)}"
        stood = f"as they stood after ledger entry {fit['position']}"
        yield "Data", f"measurements of {fit['data_size']} candidates, {stood}"
        yield "SHA-256 of the data", fit["data_hash"]
        yield "Fit made with", package_versions.in_words(fit["versions"])
    else:
        yield "Fit", "none was used"
    if page["proposal"]:
        yield "Proposed with", _made_with(page["proposal"]["versions"])
    model = page["spec"]["model"]
    yield "Space", page["spec"]["space"]
    if model:
        named = f"{model['name']}, " if "name" in model else ""
        yield "Model of the space", f"{named}SHA-256 {model['hash']}"
    if page["proposal"] and page["valid"] is not None:
        yield "Decoded with", _made_with(page["decoded_with"])


def _made_with(versions: Mapping[str, str] | None) -> str:
    if versions is None:
        return "packages of which nothing is on record: the release that made it kept no versions"
    return package_versions.in_words(versions)


def _what(page: Page) -> Iterator[tuple[str, str]]:
    if page["object"] is not None:
        yield "Object", page["object"]
    if page["artifact"] is not None:
        yield "Object", bytes_of(page["artifact"])
    yield from _points(page)
    if page["filters"]:
        passed = {True: "passed", False: "not passed"}
        listed = (f"{name} {passed[bool(how)]}" for name, how in page["filters"].items())
        yield "Filters", ", ".join(listed)
    if page["reason"]:
        yield "Reason", page["reason"]
    if page["edited_from"]:
        yield "Edited from", f"candidate {page['edited_from']}"


def _points(page: Page) -> Iterator[tuple[str, str]]:
    for term, point in (("Point", page["point"]), ("Encodes to", page["realised"])):
        if point is not None and not (term == "Encodes to" and point == page["point"]):
            shown = ", ".join(number(x) for x in point[:COORDINATES])
            more = f", ... ({len(point)} coordinates)" if len(point) > COORDINATES else ""
            yield term, f"({shown}{more})"
    if page["log_prior"] is not None:
        yield "Log density of prior", number(page["log_prior"])


def bytes_of(artifact: Page) -> str:
    """An artifact: what kind of bytes, how many, and their hash."""
    size = "" if artifact["size"] is None else f" ({artifact['size']} bytes)"
    problem = f": {artifact['problem']}" if artifact["problem"] else ""
    return f"{artifact['media_type'] or 'bytes'}{size}, SHA-256 {artifact['sha256']}{problem}"


def _who(page: Page) -> Iterator[tuple[str, str]]:
    signed = page["signatures"]
    for one in signed:
        person = f"{one['name']} ({one['account']})"
        about = f"entry {one['signed']}, signed {when(one['at'])} (entry {one['entry']})"
        yield one["meaning"].capitalize(), f"by {person}: {about}"
    if not page["attempts"]:
        yield "Sent", "nothing was sent to an evaluator"
        return
    if not any(one["meaning"] == "approved" for one in signed):
        said = "nobody signed for it: by the spec, every new candidate is sent"
        yield "Approved", f"{said}; {who(page['spec'])} wrote the spec"
    yield "Cost", number(page["cost"])


def _measurements(page: Page) -> Section:
    rows = [
        (
            str(one["measurement"]),
            one["name"],
            quantity(one["value"], one["unit"])
            + ("" if one["std"] is None else f" ± {number(one['std'])}"),
            one["evaluator"] or _told(one),
            when(one["measured_at"] or one["received_at"])[:19],
            _stands(one),
        )
        for one in page["measurements"]
    ]
    columns = ("No.", "measure", "value", "from", "when (UTC)", "counts")
    none = () if rows else (("Measured", "nothing"),)
    return Section("What was measured", none, columns if rows else (), rows)


def _told(one: Page) -> str:
    return f"{one['source']} by {who(one)}: {one['provenance']}"


def _stands(one: Page) -> str:
    said = [f"{flag['kind']}, says {who(flag)}: {flag['reason']}" for flag in one["flags"]]
    if one["superseded_by"]:
        said.append(f"superseded by {one['superseded_by']}")
    if one["supersedes"]:
        said.append(f"instead of {one['supersedes']}")
    return "; ".join(said) or "yes"


def _attempts(page: Page) -> Section:
    rows = [
        (
            f"{one['job']}.{one['attempt']}",
            one["evaluator"],
            one["state"] + (f": {one['reason']}" if one["reason"] else ""),
            when(one["started_at"])[:19],
            when(one["delivered_at"])[11:19],
            number(one["cost"]),
            "" if one["delivery"] is None else one["delivery"]["sha256"][:12],
        )
        for one in page["attempts"]
    ]
    columns = (
        "attempt",
        "evaluator",
        "state",
        "asked (UTC)",
        "answered",
        "cost",
        "raw artifact",
    )
    none = () if rows else (("Attempts", "none"),)
    return Section("Every attempt", none, columns if rows else (), rows)


def _learnt(page: Page) -> Iterator[tuple[str, str]]:
    learnt = page["learnt"]
    if page["objective"] is not None:
        yield "Objective", _outcome(page)
    for one in learnt["best"]:
        after = f", after candidate {one['instead_of']}" if one["instead_of"] else ""
        until = ", and still" if one["to_entry"] is None else f", until entry {one['to_entry']}"
        by = f" (then candidate {one['followed_by']})" if one["followed_by"] else ""
        yield "Best of the campaign", f"from ledger entry {one['from_entry']}{after}{until}{by}"
    if fits := learnt["fits"]:
        first = f"the data of the first have the SHA-256 {fits[0]['data_hash']}"
        yield "Learnt by", f"{_several('fit', [fit['fit'] for fit in fits])}; {first}"
    else:
        yield "Learnt by", "no fit"
    if learnt["rounds"]:
        which = "these fits" if len(learnt["fits"]) > 1 else "this fit"
        yield "Led to", f"the proposals of {_several('round', learnt['rounds'])}, with {which}"


def _several(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' * (len(numbers) > 1)} {ranges(numbers)}"


def _outcome(page: Page) -> str:
    proposal, off = page["proposal"], page["learnt"]["deviation"]
    said = number(page["objective"])
    if proposal is not None and proposal["mean"] is not None:
        said += f", where {number(proposal['mean'])} ± {number(proposal['std'])} was expected"
    if off is not None:
        said += f": {number(abs(off))} standard deviations {'higher' if off > 0 else 'lower'}"
    return said


def _entries(page: Page) -> Section:
    rows = [
        (
            str(one["entry"]),
            when(one["at"])[:19],
            who(one),
            one["kind"],
            "; ".join(one["said"]) + (f" ({one['reason']})" if one["reason"] else ""),
            one["hash"][:12],
        )
        for one in page["entries"]
    ]
    columns = ("entry", "when (UTC)", "who", "kind", "what", "hash")
    note = "Each entry is bound by its hash to the one before it: none can be changed alone."
    return Section("What the ledger says of it", (), columns, rows, note)
