"""A campaign wired as it was: with the weights on record, wherever those installed are others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from db import artifacts, repository
from db.models import SYSTEM, Campaign, LatentModel
from db.session import Database
from orchestrator import recorded_model, wiring
from orchestrator.errors import BadInput, Problem
from orchestrator.latent.protocol import SpaceError
from orchestrator.people import actors
from orchestrator.settings import Settings
from orchestrator.spec import stored
from orchestrator.wiring import Parts


class Wired(NamedTuple):
    """What computes by a revision of the spec."""

    parts: Parts | None
    """With the weights on record; None where they cannot be had."""
    problem: Problem | None = None
    """How the weights that are installed differ from those on record; or why there are no parts."""


def wire(
    database: Database, session: Session, campaign: Campaign, revision: int, folder: str
) -> Wired:
    """What computes by a revision of the spec, with the weights that the database keeps if need be.

    Args:
        folder: Where kept weights are put; it must be there as long as the parts are used.

    Raises:
        RegistryError: the proposer or the surrogate is not installed here.
    """
    reader = actors.operating_system()  # it writes nothing, and needs no leave to
    row = repository.revision(session, campaign.id, revision)
    model, recorded = row.model or "", recorded_model.of(session, row)
    try:
        installed = wiring.of_revision(database, campaign.id, revision, reader)
        if _is_of(installed, recorded, model):
            return Wired(installed)
        what = f"those installed here are {installed.space.model_hash or 'none'}"
    except SpaceError as error:
        what = str(error)
    except BadInput as error:
        return Wired(None, error.problems[0])
    what = f"those on record are {model or 'none'}; {what}"
    if recorded is not None:
        asked = stored.spec(row).space.model
        changed = recorded_model.change(recorded, asked, Settings.read().models)
        what += f"; {changed}" if changed else ""
    try:
        kept = str(_kept(session, model, Path(folder)))
        parts = wiring.of_revision(database, campaign.id, revision, reader, kept)
    except (KeyError, ValueError, SpaceError) as error:
        what += f"; the database keeps none that can be used: {error.args[0]}"
        return Wired(None, Problem("weights", what))
    return Wired(parts, Problem("weights", what))


def _is_of(installed: Parts, recorded: LatentModel | None, model: str) -> bool:
    """Whether what is installed computes with the model on record."""
    if recorded is None:
        return installed.space.model_hash == model
    asked = installed.spec.space.model
    return recorded_model.is_of(installed.space, recorded, asked, Settings.read().models)


def _kept(session: Session, model: str, folder: Path) -> Path:
    """The folder of a model whose weights the database keeps.

    Raises:
        KeyError, ValueError: it keeps none, or their bytes were changed.
    """
    row = session.get(LatentModel, model)
    if row is None:
        raise KeyError(f"no model is registered as {model or 'none'}")
    place = folder / model
    place.mkdir(exist_ok=True)
    weights = row.card.get("weights_sha256", model)
    (place / "weights.safetensors").write_bytes(artifacts.get(session, SYSTEM, weights))
    (place / "card.json").write_text(json.dumps(row.card), encoding="utf-8")
    return place
