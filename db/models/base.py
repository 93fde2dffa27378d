"""What the tables have in common: their base, the system chain, and their keys."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, Boolean, Double, ForeignKey, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SYSTEM = "system"
"""The chain of what belongs to no campaign: models, genesis hashes, accounts, signing keys,
deliveries for unknown jobs."""


class Base(DeclarativeBase):
    """Declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {int: BigInteger, float: Double, str: Text, bool: Boolean}


def chain_key() -> Mapped[str]:
    """The chain that a row belongs to, in its primary key."""
    return mapped_column(String(36), primary_key=True)


def campaign_key() -> Mapped[str]:
    """The campaign that a row belongs to, in its primary key."""
    return mapped_column(String(36), ForeignKey("campaign.id"), primary_key=True)


def number_key() -> Mapped[int]:
    """The number of a row within its chain or campaign, in its primary key."""
    return mapped_column(BigInteger, primary_key=True, autoincrement=False)
