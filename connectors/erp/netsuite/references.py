"""Duly's references in NetSuite: the external id of a record is one; what moved its money later is a *mark* in its memo.

A memo is one line of 999 characters: what are lines here are parts there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.ids import is_our_reference
from domain.money import Money

_REFERENCE: Final = r"((?:pay|req)_[0-9a-z]{26}(?:-[\w.-]+)?)"
_HEAD: Final = re.compile(rf"Duly {_REFERENCE}(?: of {_REFERENCE})?$", re.MULTILINE)
_MARK: Final = re.compile(rf"^Duly moved {_REFERENCE} (\d[\d.]*) ([A-Z]{{3}})$", re.MULTILINE)
_NOTE_MAX: Final = 900
_PART: Final = " | "


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A document of ours that moved the money of another: its reference, and how much."""

    reference: str
    amount: str
    currency: str


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
    return tuple(Mark(reference=each[1], amount=each[2], currency=each[3]) for each in _MARK.finditer(note))


def marked(note: str, reference: str, moved: Money) -> str:
    """A note with one more mark. Where it is full, the words of people stay, and the oldest marks go."""
    mark = f"Duly moved {reference} {moved.plain()} {moved.currency}"
    lines = [*filter(None, note.split("\n")), mark]
    while len("\n".join(lines)) > _NOTE_MAX and (old := next(filter(_MARK.match, lines), mark)) != mark:
        lines.remove(old)
    return "\n".join(lines)


def memo_of(note: str) -> str:
    """A note as the memo of a record."""
    return note.replace("\n", _PART)


def note_of(memo: object) -> str:
    """The note that a memo holds."""
    return str(memo or "").replace(_PART, "\n")
