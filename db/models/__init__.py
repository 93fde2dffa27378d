"""The tables. Folded ones are written by :func:`db.ledger.append` alone; instances are read only.

A campaign is a UUID and everything below it is numbered within it, so that a copy or an import
keeps its keys. Times are int64 microseconds UTC. ``entry`` is the number, in the row's own chain,
of the ledger entry that made the row.
"""

from __future__ import annotations

from db.models.base import SYSTEM, Base
from db.models.campaigns import (
    Campaign,
    CampaignRevision,
    Candidate,
    Fit,
    LatentModel,
    Lease,
    Round,
)
from db.models.chains import Anchor, Artifact, ArtifactChunk, LedgerEntry
from db.models.measuring import Attempt, Batch, Job, Measurement, MeasurementFlag
from db.models.people import Account, Secret, Signature, SigningKey

__all__ = [
    "APPEND_ONLY",
    "CHAIN_COLUMN",
    "SYSTEM",
    "Account",
    "Anchor",
    "Artifact",
    "ArtifactChunk",
    "Attempt",
    "Base",
    "Batch",
    "Campaign",
    "CampaignRevision",
    "Candidate",
    "Fit",
    "Job",
    "LatentModel",
    "Lease",
    "LedgerEntry",
    "Measurement",
    "MeasurementFlag",
    "Round",
    "Secret",
    "Signature",
    "SigningKey",
]

CHAIN_COLUMN = {
    "artifact": "chain",
    "campaign": "id",
    "latent_model": None,
    "campaign_revision": "campaign",
    "round": "campaign",
    "fit": "campaign",
    "candidate": "campaign",
    "batch": "campaign",
    "job": "campaign",
    "attempt": "campaign",
    "measurement": "campaign",
    "measurement_flag": "campaign",
    "account": None,
    "signing_key": None,
    "signature": "chain",
}
"""The folded tables, and the column of each that holds the chain (None: the system chain)."""

APPEND_ONLY = (
    "ledger_entry",
    "measurement",
    "measurement_flag",
    "artifact",
    "artifact_chunk",
    "anchor",
    "signature",
)
"""Tables whose rows are refused UPDATE and DELETE by triggers."""
