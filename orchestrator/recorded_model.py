"""The model that a campaign has on record, and whether the one on disk is still that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import SYSTEM, CampaignRevision, LatentModel, LedgerEntry
from orchestrator.errors import BadInput
from orchestrator.latent import model_cards, registry
from orchestrator.latent.protocol import Space, SpaceError

_REMEDY = (
    "put the file back as it was: the points on record are of that model. With the other one, "
    "start another campaign by `assayloop run SPEC --new`"
)


def of(session: Session, revision: CampaignRevision) -> LatentModel | None:
    """The model of a revision; None for a space without one."""
    return None if revision.model is None else session.get(LatentModel, revision.model)


def change(recorded: LatentModel, asked: str | None, home: Path) -> str:
    """How the card on disk is another than the recorded one: its path, and the fields.

    Empty where nothing that decides differs, or where no such model is on disk, of which opening
    the space tells.

    Args:
        recorded: The model on record.
        asked: The model's name or folder, as the spec has it; None for the space's default.
        home: Folder of the user's own models.
    """
    try:
        model = registry.find(asked or recorded.name, home if asked else None)
    except SpaceError:
        return ""
    changed = model_cards.differences(recorded.hash, recorded.card, model.card)
    return f"{model.card_file}: {model_cards.in_words(changed)}" if changed else ""


def is_of(space: Space, recorded: LatentModel, asked: str | None, home: Path) -> bool:
    """Whether a space was opened with the recorded model, whichever way its hash was made."""
    if space.model_hash == recorded.hash:
        return True
    try:
        model = registry.model_of(space, home, asked)
    except SpaceError:
        return False
    return not model_cards.differences(recorded.hash, recorded.card, model.card)


def require_card(label: str, recorded: LatentModel, asked: str | None, home: Path) -> None:
    """Refuse a model whose card says something else than the one on record.

    Raises:
        BadInput: it does; names the file and the fields.
    """
    if changed := change(recorded, asked, home):
        what = f"the model {recorded.name!r} is not the one on record. {changed}"
        raise BadInput.of(label, what, _REMEDY)


def require_space(
    label: str, space: Space, recorded: LatentModel, asked: str | None, home: Path
) -> None:
    """Refuse a space that was opened with another model than the one on record.

    Raises:
        BadInput: it was.
    """
    if not is_of(space, recorded, asked, home):
        what = (
            f"the model {recorded.name!r} is not the one on record: its hash is "
            f"{space.model_hash or 'none'}, and {recorded.hash} is on record"
        )
        raise BadInput.of(label, what, _REMEDY)


def of_evaluators(session: Session) -> Iterator[Mapping[str, Any]]:
    """What the ledger says of the weights of evaluators.

    Each has ``evaluator``, its ``options``, the SHA-256 of its ``weights`` and, but for what older
    releases wrote, the ``card`` of these.
    """
    query = select(LedgerEntry.payload).where(
        LedgerEntry.chain == SYSTEM, LedgerEntry.kind == "model"
    )
    for payload in session.scalars(query.order_by(LedgerEntry.sequence)):
        with suppress(Exception):  # a forged entry may hold anything; the chain shows it
            about = json.loads(payload)["about"]
            if "evaluator" in about:
                yield about
