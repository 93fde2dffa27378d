"""How two campaigns differ, or one from itself at another moment."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import collate, select
from sqlalchemy.orm import Session

from db import repository
from db.models import Candidate
from orchestrator.history.listings.at_moment import Side
from orchestrator.spec.file import differences
from orchestrator.verbs import replicates


class _Standing(NamedTuple):
    """One candidate as it stands."""

    number: int
    values: dict[str, Any]
    """What is compared: the object, what was made of it, and each measure."""


def compare(left: Side, right: Side) -> dict[str, Any]:
    """What is otherwise on the right than on the left.

    Candidates of one campaign are matched by their numbers. Those of two campaigns are matched by
    their objects' canonical keys: what has no object, or is a duplicate, has no match.

    Returns:
        ``left`` and ``right``: where each stands; ``spec``: the differences in words;
        ``only_left`` and ``only_right``: candidates that the other has not; ``differing``: those
        that both have, and in what they differ; ``same``: how many do not; ``best``: of each.
    """
    with left.database.read() as one, right.database.read() as other:
        by_key = left.campaign.id != right.campaign.id
        only_left, only_right, differing, same = [], [], [], 0
        for mine, theirs in _matched(_read(one, left, by_key), _read(other, right, by_key)):
            if mine is not None and theirs is not None:
                if found := _differences(mine.values, theirs.values):
                    differing.append({"left": mine.number, "right": theirs.number, "what": found})
                else:
                    same += 1
            elif mine is not None:
                only_left.append(_listed(mine))
            elif theirs is not None:
                only_right.append(_listed(theirs))
        specs = [
            repository.revision(session, side.campaign.id, side.campaign.revision).written
            for session, side in ((one, left), (other, right))
        ]
        return {
            "left": _status(one, left),
            "right": _status(other, right),
            "spec": differences(*specs),
            "only_left": sorted(only_left, key=itemgetter("candidate")),
            "only_right": sorted(only_right, key=itemgetter("candidate")),
            "differing": sorted(differing, key=itemgetter("left")),
            "same": same,
            "best": {"left": _best(one, left), "right": _best(other, right)},
        }


def _status(session: Session, side: Side) -> dict[str, Any]:
    row = side.campaign
    return {
        "campaign": f"{row.name}#{row.ordinal}",
        "at": None if side.moment is None else side.moment.json,
        "entries": repository.position(session, row.id),
        "state": str(row.state),
        "reason": row.reason,
        "revision": row.revision,
        "rounds": row.rounds,
        "evaluations": row.evaluations,
        "cost": row.cost,
        "open_jobs": repository.open_jobs(session, row.id),
    }


def _best(session: Session, side: Side) -> dict[str, Any] | None:
    row = side.campaign
    if row.best is None:
        return None
    found = session.get_one(Candidate, (row.id, row.best))
    return _listed(_Standing(found.number, _values(found, {})))


def _listed(one: _Standing) -> dict[str, Any]:
    shown = ("object", "artifact", "objective")
    return {"candidate": one.number} | {name: one.values[name] for name in shown}


def _differences(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"left": left.get(name), "right": right.get(name)}
        for name in {**left, **right}
        if left.get(name) != right.get(name)
    }


def _read(session: Session, side: Side, by_key: bool) -> Iterator[tuple[Any, _Standing]]:
    """Each candidate with what it is matched by, in that order."""
    campaign = side.campaign.id
    query = select(Candidate).where(Candidate.campaign == campaign)
    if not by_key:
        query = query.order_by(Candidate.number)
    else:
        query = query.where(Candidate.key != "", Candidate.duplicate_of.is_(None))
        # By code points, as Python and SQLite compare text.
        binary = session.get_bind().dialect.name == "postgresql"
        query = query.order_by(collate(Candidate.key, "C") if binary else Candidate.key)
    for one, measurements in repository.measured(session, query):
        values = _values(one, replicates.reduce(measurements))
        yield one.key if by_key else one.number, _Standing(one.number, values)


def _values(one: Candidate, measures: dict[str, replicates.Reduced]) -> dict[str, Any]:
    return {
        "object": one.object,
        "artifact": one.artifact,
        "valid": one.valid,
        "objective": one.objective,
        "feasible": one.feasible,
        **{
            f"measure {name}": {"value": got.value, "unit": got.unit, "std": got.std}
            for name, got in measures.items()
        },
    }


_End = tuple[Any, _Standing] | None


def _matched(
    left: Iterator[tuple[Any, _Standing]], right: Iterator[tuple[Any, _Standing]]
) -> Iterator[tuple[_Standing | None, _Standing | None]]:
    """Pairs of what is matched by the same; both come in that order."""
    one: _End = next(left, None)
    other: _End = next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[1], None
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield None, other[1]
            other = next(right, None)
        else:
            yield one[1], other[1]
            one, other = next(left, None), next(right, None)
