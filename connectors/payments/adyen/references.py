"""Our references as Adyen is told them. Adyen signs them with every event, so they carry what must not be forged: the kind
of method that pays, and whether it is on a page. `pay_…-1.sepa_debit.page` is ours: `pay_…-1`, a debit, on a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from domain.methods import MethodKind

LONGEST: Final = 80
_PAGE: Final = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a reference says. `kind` is None in one that Duly did not write so."""

    our_ref: str
    kind: MethodKind | None = None
    is_page: bool = False

    def written(self) -> str:
        """As Adyen is told it. A colon would take part in its signature's own colons, so none is sent."""
        marks = [] if self.kind is None else [self.kind.value, *([_PAGE] if self.is_page else [])]
        return ".".join([quote(self.our_ref, safe="").replace(".", "%2E"), *marks])


def read(text: str) -> Reference:
    """What was written, and nothing else; a stranger's text is taken as it is."""
    head, *marks = text.split(".")
    kind = next((each for each in MethodKind if marks[:1] == [each.value]), None)
    found = Reference(our_ref=unquote(head), kind=kind, is_page=marks[1:] == [_PAGE])
    is_ours = found.written() == text and found.our_ref.isascii() and found.our_ref.isprintable()
    return found if is_ours else Reference(our_ref=text)
