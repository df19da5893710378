"""Cookies: opaque tokens, out of reach of scripts, sent along when a person follows a link to us (Lax: the way back
from a provider's page) and never with another site's form.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response


class Cookie(StrEnum):
    """What a cookie opens. VISIT opens nothing: it ties the form of somebody who is not signed in to their browser."""

    PORTAL = "portal"
    STAFF = "staff"
    VISIT = "visit"


class Cookies:
    """Names and attributes, which follow from how the portal is reached."""

    def __init__(self, base_url: str) -> None:
        """Over https the names begin with `__Host-`: Secure, the whole site, no domain, so no neighbour can set them.

        Over http (a demo on one machine) the port is part of the name, for browsers share cookies among ports.
        """
        parts = urlsplit(base_url)
        self._secure = parts.scheme == "https"
        self._suffix = "" if self._secure else f"_{parts.port or 80}"

    def name(self, cookie: Cookie) -> str:
        """The cookie's name on the wire."""
        return f"{'__Host-' if self._secure else ''}duly_{cookie.value}{self._suffix}"

    def read(self, request: HTTPConnection, cookie: Cookie) -> str | None:
        """The token that the browser sent, or None. It may be anything."""
        return request.cookies.get(self.name(cookie))

    def write(self, response: Response, cookie: Cookie, token: str, *, seconds: int | None = None) -> None:
        """Give a token to the browser, for so long or until it is closed."""
        response.set_cookie(
            self.name(cookie), token, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def forget(self, response: Response, cookie: Cookie) -> None:
        """Take a token away."""
        response.delete_cookie(self.name(cookie), path="/", secure=self._secure, httponly=True, samesite="lax")
