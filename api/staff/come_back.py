"""A form that met an ended session: one signs in again, and what was typed is there to be sent once more.

What was typed travels through the sign-in page in a field of its own; the server keeps none of it. This holds for every
form of staff, whatever it is called: the fields are read as they came. Passwords and codes are not carried along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from starlette.responses import Response

from api.pages import render
from api.security.cross_site import FIELD
from api.security.paths import safe_path_or
from api.staff.frame import StaffShell

LONGEST: Final = 900_000
_SECRET: Final = re.compile(r"password|code|secret", re.IGNORECASE)
_NOT_AGAIN: Final = ("/staff/sign-in", "/staff/sign-out", "/staff/set-password", "/staff/forgotten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A form that was not taken: where it was going, and what it says. Without an address there is none."""

    action: str = ""
    typed: str = ""

    def __bool__(self) -> bool:
        return bool(self.action)

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """Names and values, in their order."""
        return parse_qsl(self.typed, keep_blank_values=True)


def kept_of(request: Request) -> Kept:
    """The form that this request is."""
    body: bytes = request.scope.get("duly.body", b"")
    fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return kept(request.url.path, urlencode([each for each in fields if each[0] != FIELD]))


def kept(action: str, typed: str) -> Kept:
    """A form as a page of ours brought it back; nothing for an address that no form of staff has."""
    path = safe_path_or(action, "")
    if not path.startswith("/staff/") or path.startswith(_NOT_AGAIN) or len(typed) > LONGEST:
        return Kept()
    fields = parse_qsl(typed, keep_blank_values=True)
    carried = [(name, value) for name, value in fields if name != FIELD and not _SECRET.search(name)]
    return Kept(action=path, typed=urlencode(carried))


def come_back_page(request: Request, shell: StaffShell, form: Kept) -> Response:
    """What was typed, to look at and to send."""
    shown = [
        (name.replace("_", " ").capitalize(), value) for name, value in form.fields if value and not _is_ours(name, value)
    ]
    return render(request, "staff/come_back.html", shell=shell, form=form, shown=shown)


def _is_ours(name: str, value: str) -> bool:
    """Whether a field holds what our page wrote rather than what a person typed: an id, a signature, a counter."""
    return name in {"attempts", "version", "form"} or re.fullmatch(r"[a-z]{2,4}_[0-9a-z]{26}.*", value) is not None
