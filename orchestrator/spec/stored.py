"""Specs as campaigns keep them."""

from __future__ import annotations

from pydantic import ValidationError

from db.models import CampaignRevision
from orchestrator.errors import BadInput
from orchestrator.spec.model import Spec


def spec(revision: CampaignRevision) -> Spec:
    """The spec of a revision, as it was resolved.

    Raises:
        BadInput: what is stored is no spec: somebody changed it.
    """
    try:
        return Spec.model_validate(revision.resolved)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        what = f"what is stored is no spec that this release can read: {key}: {first['msg']}"
        remedy = "`assayloop audit verify` says whether somebody changed it"
        raise BadInput.of(f"campaign_revision {revision.revision}", what, remedy) from None
