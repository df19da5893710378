"""Return paths: where a person goes next is a path of ours or it is refused. No host, no scheme, no encoding tricks."""

from __future__ import annotations

import re
from typing import Final

from domain.refusals import Refused

# Allowed is what our own paths are made of, and nothing else: one slash before each word of letters, digits, - and _,
# then at most a query of plain words and escaped printable ASCII. What cannot be written here cannot leave the site.
_WORD: Final = r"[A-Za-z0-9_-]+"
_QUERY: Final = r"(?:[A-Za-z0-9_.~=&+,-]|%2[0-9A-F]|%3[A-F]|%40)*"
_OURS: Final = re.compile(rf"/(?:{_WORD}(?:/{_WORD})*)?(?:\?{_QUERY})?", re.ASCII)
_LONGEST: Final = 500


def safe_path(text: str) -> str:
    """The text, when it is a path of ours. Raises Refused 'return_url_foreign' for anything else."""
    if len(text) > _LONGEST or _OURS.fullmatch(text) is None:
        raise Refused("return_url_foreign")
    return text


def safe_path_or(text: str | None, default: str) -> str:
    """The text when it is a path of ours, else a path that is."""
    if text is None or len(text) > _LONGEST or _OURS.fullmatch(text) is None:
        return default
    return text
