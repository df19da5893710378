"""Duly's references in QuickBooks's fields, which are too short for them.

The number of a payment (21 characters at most) is made of whose money it is, the number of a journal entry of the document;
the reference itself is the first line of the private note. What moved money later is a line of that note, a *mark*.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.ids import is_our_reference
from domain.money import Money

_REFERENCE: Final = r"((?:pay|req)_[0-9a-z]{26}(?:-[\w.-]+)?)"
_HEAD: Final = re.compile(rf"Duly {_REFERENCE}(?: of {_REFERENCE})?$", re.MULTILINE)
_MARK: Final = re.compile(rf"^Duly moved {_REFERENCE} (\d[\d.]*) ([A-Z]{{3}})(?:: ([\d= .;]+))?$", re.MULTILINE)
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_NOTE_MAX: Final = 4000
_SKEW: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A document of ours that moved the money of another: its reference, and how much.

    `plan` says what shall lie where, absolutely, where it takes more than this one call: amounts as text by the payment's id
    and the invoice's. Whoever goes on with it need not know how far it came.
    """

    reference: str
    amount: str
    currency: str
    plan: Mapping[str, Mapping[str, str]]


def number(text: str) -> str:
    """Sixteen characters made of a text, always the same."""
    return base64.b32encode(hashlib.blake2b(text.encode(), digest_size=10).digest()).decode()


def owner(reference: str) -> str:
    """Whose document it is: the payment or the request that a reference begins with."""
    return reference.partition("-")[0]


def head_of(note: str) -> tuple[str, str | None] | None:
    """The reference of a document of ours and the payment that it is about; None where the note begins otherwise."""
    # What was voided begins with that word, before what was there.
    found = _HEAD.search(note.split("\n", 1)[0])
    if found is None or not is_our_reference(found[1]):
        return None
    return found[1], found[2]


def headed(reference: str, memo: str, *, about: str | None = None) -> str:
    """The private note of a document of ours."""
    return f"Duly {reference}{f' of {about}' if about else ''}\n{memo}"[:_NOTE_MAX]


def marks_of(note: str) -> tuple[Mark, ...]:
    """What moved the money of a document since it was written."""
    return tuple(
        Mark(reference=each[1], amount=each[2], currency=each[3], plan=_planned(each[4] or ""))
        for each in _MARK.finditer(note)
    )


def marked(note: str, reference: str, moved: Money, plan: Mapping[str, Mapping[str, Money]] | None = None) -> str:
    """A note with one more mark. Where it is full, the words of people stay, and the oldest marks go."""
    mark = f"Duly moved {reference} {moved.plain()} {moved.currency}"
    if plan:
        parts = (" ".join([each, *(f"{at}={amount.plain()}" for at, amount in onto.items())]) for each, onto in plan.items())
        mark = f"{mark}: {'; '.join(parts)}"
    lines = [*note.split("\n"), mark]
    while len("\n".join(lines)) > _NOTE_MAX and (old := next(filter(_MARK.match, lines), mark)) != mark:
        lines.remove(old)
    return "\n".join(lines)


def begun_at(reference: str) -> datetime | None:
    """No document of this reference is older than that, by any clock that is not a day wrong; None for a stranger's text."""
    if not is_our_reference(reference):
        return None
    value = 0
    for character in owner(reference).partition("_")[2]:
        value = value * 32 + _ALPHABET.index(character)
    return datetime.fromtimestamp((value >> 80) // 1000, UTC) - _SKEW


def _planned(text: str) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for part in filter(None, text.split("; ")):
        payment_id, *amounts = part.split()
        found[payment_id] = {at: amount for at, _, amount in (each.partition("=") for each in amounts)}
    return found
