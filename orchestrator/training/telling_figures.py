"""Which figures of a model tell, of all that its evaluation run measured: by what it was made for.

Of what decodes molecules, how much is valid, comes back and is new; of a classifier, how often it
is right. A card of somebody's own names them itself, by ``"telling": ["accuracy"]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_DECODED = {"prior_valid": "valid", "reconstruction_exact": "reconstructed", "prior_novel": "new"}

TELLING: Mapping[str, Mapping[str, str]] = {
    "automata": {
        "prior_complete_and_synchronizing": "synchronizing",
        "test_reconstruction": "reconstructed",
        "prior_not_in_training": "new",
    },
    "curve": {"best_with_kl_rmse": "RMSE with KL"},
    "digits-cnn": {"test_accuracy": "accuracy"},
    "digits-cnn-second": {"test_accuracy": "accuracy"},
    "digits-constraints": {
        "read_as_asked": "read as asked",
        "test_accepted": "accepted",
        "test_refused": "refused",
    },
    "digits-cvae": {"read_as_asked": "read as asked", "test_elbo_nats": "ELBO, nats"},
    "digits-dense": {
        "test_elbo_nats": "ELBO, nats",
        "test_iw_bound_nats": "IW bound, nats",
        "active_units": "active units",
    },
    "digits-vae": {
        "test_head_accuracy": "head's accuracy",
        "test_head_r2": "head's R²",
        "test_reconstruction_nats": "rebuilding, nats",
    },
    "molecules": _DECODED,
    "smiles": _DECODED,
    "tox21": {"test_roc_auc": "ROC AUC", "test_calibration_error": "miscalibration"},
}
"""By task the names of metrics, in order, with a few letters for the table of 80 columns. A model
that lacks one, such as a head, is told by the others."""

WITHOUT_WORD = 2
"""Figures of a model of whose task nothing is known and whose card says nothing: the first ones."""


class Figure(NamedTuple):
    """A figure that tells."""

    metric: str
    """Its name in the card."""
    words: str
    value: float


def of(card: Mapping[str, Any]) -> list[Figure]:
    """The figures that tell, in order.

    Args:
        card: The model's card, or as much as is known of a model.
    """
    metrics = card.get("metrics") or {}
    numbers = {name: value for name, value in metrics.items() if _is_number(value)}
    words = TELLING.get(str(card.get("task")), {})
    named = [name for name in card.get("telling") or words if name in numbers]
    if not named:
        named = [name for name, value in numbers.items() if isinstance(value, float)]
        named = named[:WITHOUT_WORD]
    return [Figure(one, words.get(one, one.replace("_", " ")), numbers[one]) for one in named]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
