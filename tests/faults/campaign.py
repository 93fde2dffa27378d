"""The campaign that is killed: small, and with everything in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.spec.model import Spec

NAME = "killed"

LOG = "calls.jsonl"
"""Log of its evaluators, in the working directory of whoever drives it."""

PLUGIN = Path(__file__).parent / "plugin"
"""Makes the tests' evaluators known by entry points, as an installed package would."""


def written(*, idempotent: bool) -> dict[str, Any]:
    """The spec: three rounds with a GP and two evaluators, whose answers come at once and later.

    Args:
        idempotent: Whether the evaluators may be asked again.
    """
    options = {"path": LOG, "idempotent": idempotent}
    return {
        "name": NAME,
        "space": {
            "kind": "box",
            "parameters": [{"name": x, "lower": 0, "upper": 1} for x in ("x0", "x1")],
        },
        "evaluators": [
            {"use": "call-log", "measures": ["score"], "options": options},
            {"use": "call-log-late", "measures": ["late_score"], "options": options},
        ],
        "objective": {
            "direction": "maximize",
            "terms": [{"measure": "score"}, {"measure": "late_score"}],
        },
        "proposer": {"kind": "gp", "initial": 4, "batch": 2},
        "budget": {"evaluations": 8},
        "seed": 3,
    }


def spec(*, idempotent: bool) -> Spec:
    """The same, validated."""
    return Spec.model_validate(written(idempotent=idempotent))
