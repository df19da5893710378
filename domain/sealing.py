"""Seals: a root over journal entries, chained to the one before, so that a change of an entry that was sealed shows.

A Merkle tree as in RFC 6962, section 2.1: leaves and nodes are told apart, and a last leaf without a pair moves up as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

NOTHING: Final = "0" * 64
"""What the first seal is chained to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedLine:
    """A line of an entry: minor units; `invoice_id` empty where there is none."""

    account: str
    holder: str
    invoice_id: str
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """A journal entry with everything that a seal covers, its lines by position."""

    seq: int
    id: str
    process_id: str
    kind: str
    currency: str
    booked_at: datetime
    lines: tuple[SealedLine, ...]


def leaf(entry: SealedEntry) -> bytes:
    """The hash of one entry."""
    lines = ";".join(f"{each.account}:{each.holder}:{each.invoice_id}:{each.minor}" for each in entry.lines)
    told = (entry.seq, entry.id, entry.process_id, entry.kind, entry.currency, moment(entry.booked_at), lines)
    return hashlib.sha256(b"\x00" + "|".join(map(str, told)).encode()).digest()


def moment(at: datetime) -> str:
    """A moment as seals and exports write it: '2026-11-28T09:30:00.000000Z'."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def root(leaves: Iterable[bytes]) -> str:
    """The root of a tree over these leaves, in hex."""
    level: Sequence[bytes] = list(leaves)
    if not level:
        return hashlib.sha256().hexdigest()
    while len(level) > 1:
        level = [_node(level, at) for at in range(0, len(level), 2)]
    return level[0].hex()


def _node(level: Sequence[bytes], at: int) -> bytes:
    pair = level[at : at + 2]
    return pair[0] if len(pair) == 1 else hashlib.sha256(b"\x01" + pair[0] + pair[1]).digest()


def chained(previous: str, tree: str) -> str:
    """The seal over a root and the seal before it, both in hex."""
    return hashlib.sha256(bytes.fromhex(previous) + bytes.fromhex(tree)).hexdigest()
