"""What a model card decides, the hash of that, and how two cards differ in it.

A model is its weights and whatever of its card says how they are read: the sizes of its network,
its tokens, the scale of its coordinates. The hash that points are stored with is that of a short
document which names both, :func:`document`; the document says its own format. Before format 2 the
hash was that of the weights alone: campaigns of that time hold it, and it is compared as it was
made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

FORMAT = "assayloop/model/2"
WEIGHTS = "weights_sha256"

DESCRIPTIVE = frozenset(
    {"name", "description", "parameters", "data", "training", "metrics", "telling", "versions"}
)
"""Entries of a card that only people read. Every other decides, since a space of somebody's own may
read any."""

SHOWN = 3
"""Differences that a message tells; the rest is counted."""
LONGEST = 70
"""Characters of a value in a message."""


def deciding(card: Mapping[str, Any]) -> dict[str, Any]:
    """What of a card decides how its weights are read; their hash stands apart."""
    return {key: card[key] for key in sorted(card) if key not in DESCRIPTIVE and key != WEIGHTS}


def document(card: Mapping[str, Any]) -> bytes:
    """Canonical JSON of all that makes a model: what its hash is of."""
    parts = {"format": FORMAT, "decoding": deciding(card), "weights_sha256": card[WEIGHTS]}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def model_hash(card: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of :func:`document`.

    Raises:
        SpaceError: the card says no hash of the weights.
    """
    return hashlib.sha256(document(card)).hexdigest()


def is_of_weights(recorded: str, card: Mapping[str, Any]) -> bool:
    """Whether a recorded hash is that of the weights alone: of a time before format 2."""
    return recorded == card.get(WEIGHTS)


def differences(
    recorded: str, recorded_card: Mapping[str, Any], card: Mapping[str, Any]
) -> list[str]:
    """How the model of a card differs from a recorded one, in words; nothing where it is the same.

    Args:
        recorded: The recorded hash. Where it is that of the weights alone, what the recorded card
            does not say is not compared.
        recorded_card: The card that was recorded with it.
        card: The other, as it lies on disk.
    """
    before, now = deciding(recorded_card), deciding(card)
    before[WEIGHTS] = recorded_card.get(WEIGHTS, recorded)
    now[WEIGHTS] = card.get(WEIGHTS)
    if is_of_weights(recorded, recorded_card):
        now = {key: value for key, value in now.items() if key in before}
    return list(_differences("", before, now))


def in_words(changed: list[str]) -> str:
    """The first differences, in one line."""
    rest = len(changed) - SHOWN
    return "; ".join(changed[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


_ABSENT = object()


def _differences(place: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            inside = f"{place}.{key}" if place else str(key)
            yield from _differences(inside, before.get(key, _ABSENT), now.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            yield f"{place} has {len(now)} entries, and {len(before)} are on record"
            return
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(f"{place}[{index}]", old, new)
    elif now is _ABSENT:
        yield f"{place} is missing, and {_shown(before)} is on record"
    elif before is _ABSENT:
        yield f"{place} is {_shown(now)}, and none is on record"
    elif before != now or isinstance(before, bool) is not isinstance(now, bool):
        yield f"{place} is {_shown(now)}, and {_shown(before)} is on record"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
