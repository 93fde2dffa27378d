"""What a crate is, for machines and for people.

RO-Crate Metadata Specification 1.1 with the profile Process Run Crate 0.5: the campaign, and each
batch that an evaluator answered, is a ``CreateAction`` with its instrument, its agent, what went in
and what came out. The same is said in the terms of PROV-O (W3C, 2013) for readers of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import Attempt, Batch, Campaign, LedgerEntry
from orchestrator import moments
from orchestrator.history.export.crate.bag import File

METADATA = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = [
    f"{SPECIFICATION}/context",
    {"prov": "http://www.w3.org/ns/prov#", "sha256": "https://schema.org/sha256"},
]
SOFTWARE = "#assayloop"

Entity = dict[str, Any]


def describe(
    session: Session, campaign: Campaign, files: Mapping[str, File], at: int
) -> dict[str, Any]:
    """The content of ``ro-crate-metadata.json``.

    Args:
        session: The view that the files were written from.
        campaign: What was exported.
        files: What is in the crate, by path.
        at: When, in microseconds UTC.
    """
    actions = [_campaign_action(session, campaign, files), *_batch_actions(session, campaign)]
    made_by = {ref["@id"]: one["@id"] for one in reversed(actions) for ref in one["result"]}
    agents = {ref["@id"] for one in actions for ref in [one["agent"]]}
    tools = {one["instrument"]["@id"] for one in actions}
    graph: list[Entity] = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": SPECIFICATION},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": ["Dataset", "prov:Entity"],
            "name": f"{campaign.name}#{campaign.ordinal}",
            "description": f"The history of the assayloop campaign {campaign.id}",
            "identifier": campaign.id,
            "datePublished": moments.iso(at),
            "license": {"@id": "#license"},
            "conformsTo": {"@id": PROFILE},
            "hasPart": [{"@id": path} for path in files],
            "mentions": [{"@id": one["@id"]} for one in actions],
        },
        {
            "@id": PROFILE,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": PROFILE.rpartition("/")[2],
        },
        {
            "@id": "#license",
            "@type": "CreativeWork",
            "name": "Not stated",
            "description": "Ask whoever gave you this crate what you may do with it.",
        },
        *(_file(path, file, made_by.get(path)) for path, file in files.items()),
        *actions,
        *(_agent(name) for name in sorted(agents)),
        *(_tool(name) for name in sorted(tools)),
    ]
    return {"@context": CONTEXT, "@graph": [_compact(entity) for entity in graph]}


def _compact(entity: Entity) -> Entity:
    """One value alone is in no list, as the standard would have it."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in entity.items()
    }


def _file(path: str, file: File, made_by: str | None) -> Entity:
    made = {} if made_by is None else {"prov:wasGeneratedBy": {"@id": made_by}}
    return {
        "@id": path,
        "@type": ["File", "prov:Entity"],
        "name": path,
        "contentSize": str(file.size),
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
        **made,
    }


def _agent(name: str) -> Entity:
    return {
        "@id": name,
        "@type": ["Person", "prov:Agent"],
        "name": unquote(name.removeprefix("#actor-")),
    }


def _tool(name: str) -> Entity:
    entity = {"@id": name, "@type": ["SoftwareApplication", "prov:Agent"]}
    if name == SOFTWARE:
        return entity | {"name": "assayloop", "version": version("assayloop")}
    return entity | {"name": unquote(name.removeprefix("#evaluator-"))}


# Actions --------------------------------------------------------------------------------------


def _action(
    name: str,
    what: str,
    instrument: str,
    agent: str,
    used: list[str],
    made: list[str],
    times: tuple[int, int],
) -> Entity:
    who = {"@id": f"#actor-{quote(agent)}"}
    inputs, outputs = ([{"@id": path} for path in paths] for paths in (used, made))
    return {
        "@id": f"#{name.replace(' ', '-')}",
        "@type": ["CreateAction", "prov:Activity"],
        "name": name,
        "description": what,
        "instrument": {"@id": instrument},
        "agent": who,
        "object": inputs,
        "result": outputs,
        "startTime": moments.iso(times[0]),
        "endTime": moments.iso(times[1]),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        "prov:used": inputs,
        "prov:wasAssociatedWith": [{"@id": instrument}, who],
    }


def _campaign_action(session: Session, campaign: Campaign, files: Mapping[str, File]) -> Entity:
    first, last = session.execute(
        select(func.min(LedgerEntry.sequence), func.max(LedgerEntry.sequence)).where(
            LedgerEntry.chain == campaign.id
        )
    ).one()
    begun = session.get_one(LedgerEntry, (campaign.id, first))
    ended = session.get_one(LedgerEntry, (campaign.id, last))
    used = [path for path in files if path.startswith(("specs/", "models/"))]
    made = [path for path in files if path.startswith(("ledger/", "tables/"))]
    name = f"campaign {campaign.id}"
    what = "The whole campaign: candidates proposed, measured and learnt from, as its specs say."
    return _action(name, what, SOFTWARE, begun.actor_id, used, made, (begun.at, ended.at))


def _batch_actions(session: Session, campaign: Campaign) -> Iterator[Entity]:
    """One for each batch that was answered; its result are the deliveries."""
    query = (
        select(
            Batch.number,
            Batch.evaluator,
            LedgerEntry.actor_id,
            func.min(Attempt.started_at),
            func.max(Attempt.delivered_at),
        )
        .join(Attempt, (Attempt.campaign == Batch.campaign) & (Attempt.batch == Batch.number))
        .join(
            LedgerEntry,
            (LedgerEntry.chain == Batch.campaign) & (LedgerEntry.sequence == Batch.entry),
        )
        .where(Batch.campaign == campaign.id, Attempt.delivery.is_not(None))
        .group_by(Batch.number, Batch.evaluator, LedgerEntry.actor_id)
        .order_by(Batch.number)
    )
    deliveries: dict[int, dict[str, None]] = {}
    for batch, sha256 in session.execute(
        select(Attempt.batch, Attempt.delivery)
        .where(Attempt.campaign == campaign.id, Attempt.delivery.is_not(None))
        .order_by(Attempt.job, Attempt.number)
    ):
        deliveries.setdefault(batch, {})[f"artifacts/{sha256}"] = None
    for number, evaluator, actor, begun, ended in session.execute(query):
        tool = f"#evaluator-{quote(evaluator)}"
        times = (begun, begun if ended is None else ended)
        made = list(deliveries[number])
        what = f"Candidates were sent to {evaluator}; the results are what it delivered."
        yield _action(f"batch {number}", what, tool, actor, ["tables/candidate.jsonl"], made, times)


# For people -----------------------------------------------------------------------------------


def readme(campaign: Campaign) -> str:
    """The content of ``README.md``."""
    return f"""# {campaign.name}#{campaign.ordinal}

The history of one assayloop campaign, `{campaign.id}`: every entry of its ledger, the tables that
these make, and the original bytes of every result.

Verify it, with Python 3.11 or later and no package:

    python -I -S verify.py .

A crate could bring a verifier of its own liking: take one from a release of assayloop, or compare
the SHA-256 of `verify.py` with the one in the documentation. A history that was written anew as a
whole is found only with anchors that were kept elsewhere (`--anchors FILE --trust KEY`), or by the
heads that it prints.

`ledger/` is the history, one entry a line: who, when, what, and in `payload` the exact text that
was hashed. `tables/` is what it amounts to, `artifacts/` are the bytes by their SHA-256, `specs/`
the specs of the campaign, `models/` the cards of models. `assayloop import` takes the crate into an
empty installation.
"""
