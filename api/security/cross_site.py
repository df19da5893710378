"""No other site can act in a person's name (CSRF). Every request that is not a read must show two things:

- it comes from a page of ours: `Sec-Fetch-Site: same-origin`, or our `Origin` where a browser says only that. (Our pages
  send no referrer, so browsers write `Origin: null` on our own forms: that alone proves nothing either way.)
- it carries the form token of its cookie: the field `csrf`, or the header `X-CSRF-Token` for htmx and JSON.

New routes are covered without doing anything. What is exempt is listed here.

The JSON API is a class of its own: its proof is a key in a header, which no other site's form can send. So that nothing
there can ever act by a cookie, no cookie gets in: a request is let through with its cookies taken away. A key in a header
opens nothing anywhere else.
"""

from __future__ import annotations

import hmac
import re
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.security.cookies import Cookie, Cookies
from api.security.refusing import respond
from domain.refusals import Refusal
from store import tokens

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FROM_ANYWHERE: Final = ("/webhooks/",)
"""Beginnings of paths that providers post to: their signatures prove more than a token of ours."""
WITHOUT_COOKIES: Final = "/v1/"
"""The beginning of the paths of the JSON API (api/v1/door.py): the key is the proof, and cookies do not get in."""
EXCHANGE: Final = re.compile(r"/l/[A-Za-z0-9_-]+")
"""A portal link's own token is the proof; a browser must still come from our 'Continue' page."""
FIELD: Final = "csrf"
HEADER: Final = "x-csrf-token"
_FIELDS_MAX: Final = 5000


def form_token(request: HTTPConnection, cookies: Cookies) -> str:
    """The value of a page's `csrf` fields. A visitor without a session is given a cookie along with the answer."""
    token = _cookie_of(request, cookies)
    if token is None:
        token = request.scope.setdefault("duly.visit", tokens.fresh())
    return tokens.form_token(token)


class CrossSite:
    """ASGI middleware that refuses the rest with 403 'cross_site'. Needs `scope["duly.body"]` (`body.BodyLimit`)."""

    def __init__(self, app: ASGIApp, *, base_url: str, origin: str) -> None:
        self._app = app
        self._origin = origin
        self._cookies = Cookies(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(WITHOUT_COOKIES):
            kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"cookie"]
            await self._app({**scope, "headers": kept}, receive, send)
            return
        request = HTTPConnection(scope)
        if scope["method"] not in READS and not scope["path"].startswith(FROM_ANYWHERE) and not self._may(request):
            await respond(request, Refusal(rule="cross_site"))(scope, receive, send)
            return
        await self._app(scope, receive, self._with_visit_cookie(scope, send))

    def _may(self, request: HTTPConnection) -> bool:
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site is not None and site != "same-origin":
            return False
        if site is None and origin not in {None, "null", self._origin}:
            return False
        if EXCHANGE.fullmatch(request.url.path) is not None and (site is not None or origin != "null"):
            return True
        cookie = _cookie_of(request, self._cookies)
        return cookie is not None and hmac.compare_digest(tokens.form_token(cookie).encode(), _shown(request).encode())

    def _with_visit_cookie(self, scope: Scope, send: Send) -> Send:
        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and "duly.visit" in scope:
                carrier = Response()
                self._cookies.write(carrier, Cookie.VISIT, scope["duly.visit"])
                MutableHeaders(scope=message).append("set-cookie", carrier.headers["set-cookie"])
            await send(message)

        return send_with_cookie


def _cookie_of(request: HTTPConnection, cookies: Cookies) -> str | None:
    """The cookie that a form of this door is tied to: of its session where there is one, so that a planted visit
    cookie opens nothing.
    """
    session = Cookie.STAFF if request.url.path.startswith("/staff") else Cookie.PORTAL
    found = cookies.read(request, session) or cookies.read(request, Cookie.VISIT)
    return found if found is not None and tokens.is_token(found) else None


def _shown(request: HTTPConnection) -> str:
    header = request.headers.get(HEADER)
    if header is not None:
        return header
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    body: bytes = request.scope.get("duly.body", b"")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return ""
    shown = [value for name, value in fields if name == FIELD]
    return shown[0] if len(shown) == 1 else ""
