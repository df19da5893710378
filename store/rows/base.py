"""Metadata, naming of constraints, and the column shapes that every table shares."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Sequence, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

erp_seq: Final = Sequence("erp_seq", metadata=metadata, data_type=BigInteger)
"""The only clock between Duly and an ERP: drawn before a read leaves, before a posting leaves, after its answer."""


def text(name: str, *, null: bool = False, **options: Any) -> Column[Any]:
    """A text column, NOT NULL unless said."""
    return Column(name, Text, nullable=null, **options)


def minor(name: str, *, null: bool = False, **options: Any) -> Column[Any]:
    """An amount in minor units."""
    return Column(name, BigInteger, nullable=null, **options)


def at(name: str, *, null: bool = False) -> Column[Any]:
    """A moment in UTC."""
    return Column(name, DateTime(timezone=True), nullable=null)


def facts(name: str = "facts") -> Column[Any]:
    """A JSON object of small facts, never a secret or a card number."""
    return Column(name, JSONB, nullable=False, server_default="{}")
