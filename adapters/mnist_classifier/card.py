"""Where the digit classifier's weights lie, and what their model card says; reads no tensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.protocol import EvaluatorError

SHIPPED = Path(__file__).parent / "weights" / "digits-cnn.safetensors"


def read(weights: Path) -> tuple[Path, dict[str, Any]]:
    """The model card of a weights file, and where it is.

    It lies beside the weights: ``card.json`` or, for weights named ``NAME.safetensors``,
    ``NAME.json``.

    Raises:
        EvaluatorError: it is missing, or does not say the hash of the weights.
    """
    path = weights.with_suffix(".json")
    if not path.exists():
        path = weights.with_name("card.json")
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = card["weights_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluatorError(
            f"the classifier's weights {weights} cannot be used: {error}"
        ) from error
    return path, card
