"""Trained weights of evaluators: the card beside them, and their tensors with the hash checked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.protocol import EvaluatorError

if TYPE_CHECKING:
    from torch import Tensor


def read_card(weights: Path) -> tuple[Path, dict[str, Any]]:
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
        raise EvaluatorError(f"the weights {weights} cannot be used: {error}") from error
    return path, card


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of a weights file and its card, the hash checked.

    Raises:
        EvaluatorError: a file is missing or is not what the card describes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load  # with torch, which whoever reads a card does not need

    card_path, card = read_card(path)
    expected = card["weights_sha256"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvaluatorError(f"the weights {path} cannot be used: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise EvaluatorError(
            f"the weights {path} were changed: SHA-256 {found}, "
            f"but {card_path.name} says {expected}"
        )
    try:
        return load(content), card
    except SafetensorError as error:
        raise EvaluatorError(f"the weights {path} cannot be read: {error}") from error
