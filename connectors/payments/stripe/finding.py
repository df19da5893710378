"""Finding what bears a reference of ours, where Stripe can be asked and may not yet show what was just written.

Its search sees a write late; its lists see it at once but cannot be asked for a reference. So both are asked: the list
for what is young, the search for the rest. Sessions and refunds have no search: their lists are read back to the moment
that the reference itself was made. A look that had to stop early says so; it never says 'there is none'.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from connectors.errors import Rejected, Unavailable
from connectors.payments.stripe.client import Client
from connectors.payments.stripe.translate import ON_PAGE, OUR_REF

Body = Mapping[str, Any]

_YOUNG: Final = timedelta(minutes=15)
_SLACK: Final = timedelta(minutes=5)  # between their clock and ours
_SESSION_LIFE: Final = timedelta(hours=26)
"""A page that is older is closed; whether it took money is told by its payment intent, which is searched."""
_SETUP_LOOK: Final = timedelta(days=8)
_REFUND_LOOK: Final = timedelta(days=60)
_PAGES_MAX: Final = 50
_NEWER_PAGES: Final = 10
_FORGOTTEN: Final = "resource_missing"
_SYMBOLS: Final = "0123456789abcdefghjkmnpqrstvwxyz"

INTENT: Final = ("latest_charge.balance_transaction", "payment_method")
SESSION: Final = ("payment_intent.latest_charge.balance_transaction", "payment_intent.payment_method")
SETUP: Final = ("setup_intent.payment_method",)


def made_at(our_ref: str) -> datetime | None:
    """When a reference of ours was made: its id begins with that. None for a text that is none of ours."""
    _, _, rest = our_ref.partition("_")
    if len(rest) < 26 or any(symbol not in _SYMBOLS for symbol in rest[:26]):
        return None
    number = 0
    for symbol in rest[:26]:
        number = number * 32 + _SYMBOLS.index(symbol)
    try:
        return datetime.fromtimestamp((number >> 80) // 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None


class TooLong(Unavailable):
    """A list that does not come to its end within what one look may read."""


class Finder:
    """Looks by their id or by our reference. Every method raises Unavailable, Throttled, Rejected or Misconfigured."""

    def __init__(self, client: Client, clock: Callable[[], datetime], *, most_pages: int = _PAGES_MAX) -> None:
        self._client = client
        self._clock = clock
        self._most_pages = most_pages

    async def intent(self, intent_id: str) -> Body | None:
        """A payment intent by its id."""
        return await self.by_id(f"/v1/payment_intents/{in_path(intent_id)}", INTENT)

    async def session(self, session_id: str, expand: tuple[str, ...]) -> Body | None:
        """A page's session by its id."""
        return await self.by_id(f"/v1/checkout/sessions/{in_path(session_id)}", expand)

    async def by_id(self, path: str, expand: tuple[str, ...] = ()) -> Body | None:
        """One object, or None."""
        reply = await self._client.get(path, {"expand": list(expand)} if expand else {})
        return None if reply.status == 404 else reply.body

    async def intents(self, our_ref: str) -> list[Body]:
        """Every payment intent with that reference: young ones by the list, older ones by the search."""
        since = self._clock() - _YOUNG
        found = {each["id"]: each async for each in self._listed("/v1/payment_intents", since, INTENT, our_ref)}
        query = {"query": f"metadata['{OUR_REF}']:'{_in_query(our_ref)}'", "limit": 100, "expand": _of_list(INTENT)}
        searched = await self._client.get("/v1/payment_intents/search", query)
        for each in _data(searched.body):
            if _ours(each, our_ref):
                found.setdefault(each["id"], each)
        return list(found.values())

    async def sessions(self, our_ref: str, expand: tuple[str, ...], *, look: timedelta = _SESSION_LIFE) -> list[Body]:
        """Every page with that reference that is not older than `look`."""
        since = self._since(our_ref, look)
        return [each async for each in self._listed("/v1/checkout/sessions", since, expand, our_ref)]

    async def setups(self, our_ref: str) -> list[Body]:
        """Every set-up page with that reference."""
        return await self.sessions(our_ref, SETUP, look=_SETUP_LOOK)

    async def session_of(self, intent_id: str) -> Body | None:
        """The page that made a payment intent."""
        query = {"payment_intent": intent_id, "limit": 1, "expand": _of_list(SESSION)}
        found = _data((await self._client.get("/v1/checkout/sessions", query)).body)
        return found[0] if found else None

    async def refunds(self, our_ref: str) -> list[Body]:
        """Every refund with that reference."""
        since = self._since(our_ref, _REFUND_LOOK)
        return [each async for each in self._listed("/v1/refunds", since, (), our_ref)]

    async def disputes(self, intent_id: str) -> tuple[Body, ...]:
        """The disputes of a payment."""
        return tuple(_data((await self._client.get("/v1/disputes", {"payment_intent": intent_id, "limit": 100})).body))

    async def pages(self, path: str, query: Mapping[str, Any]) -> AsyncIterator[Body]:
        """Every object of a list, the newest first. Raises TooLong when it does not come to its end."""
        after: dict[str, str] = {}
        for _ in range(self._most_pages):
            reply = await self._client.get(path, {**query, "limit": 100, **after})
            found = _data(reply.body)
            for each in found:
                yield each
            if reply.body.get("has_more") is not True or not found:
                return
            after = {"starting_after": str(found[-1].get("id"))}
        raise TooLong("Stripe's list is too long to be read to its end; nothing can be said about what is not in it.")

    async def oldest(self, path: str, query: Mapping[str, Any], since: datetime) -> tuple[list[Body], bool]:
        """What was made since a moment, the oldest first, and whether there is more. A list only begins at its newest end:
        one that is too long is read as far as half of its time, and half of that.
        """
        until: datetime | None = None
        while True:
            made = {"gte": int(since.timestamp())}
            if until is not None:
                made["lt"] = int(until.timestamp())
            try:
                found = [each async for each in self.pages(path, {**query, "created": made})]
            except TooLong:
                span = (until or self._clock()) - since
                if span < timedelta(seconds=2):
                    raise
                until = since + span / 2
                continue
            if found or until is None:
                return found[::-1], until is not None
            since, until = until, None  # nothing was told in that half

    async def newer(self, path: str, query: Mapping[str, Any], than: str) -> tuple[list[Body], bool] | None:
        """What came after one that is known, the oldest first, and whether there is more; None where it is forgotten."""
        found: list[Body] = []
        for _ in range(_NEWER_PAGES):
            try:
                reply = await self._client.get(path, {**query, "limit": 100, "ending_before": than})
            except Rejected as refused:
                if refused.code != _FORGOTTEN:
                    raise
                return None
            if reply.status == 404:
                return None
            page = _data(reply.body)
            found += reversed(page)
            if reply.body.get("has_more") is not True or not page:
                return found, False
            than = str(page[0]["id"])
        return found, True

    async def _listed(self, path: str, since: datetime, expand: tuple[str, ...], our_ref: str) -> AsyncIterator[Body]:
        query: dict[str, Any] = {"created": {"gte": int((since - _SLACK).timestamp())}}
        if expand:
            query["expand"] = _of_list(expand)
        async for each in self.pages(path, query):
            if _ours(each, our_ref):
                yield each

    def _since(self, our_ref: str, look: timedelta) -> datetime:
        """Nothing can bear a reference before that was made."""
        earliest = self._clock() - look
        made = made_at(our_ref)
        return earliest if made is None else max(earliest, made)


def is_on_page(intent: Body) -> bool:
    """Whether a page of ours made it."""
    return (intent.get("metadata") or {}).get(ON_PAGE) is not None


def in_path(part: str) -> str:
    """Safe as one part of a path, whatever it holds."""
    return quote(part, safe="")


def _data(body: Body) -> list[Body]:
    found = body.get("data")
    if not isinstance(found, list) or not all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in found):
        raise Unavailable("Stripe's list cannot be read.")
    return found


def _ours(body: Body, our_ref: str) -> bool:
    metadata = body.get("metadata")
    return isinstance(metadata, dict) and metadata.get(OUR_REF) == our_ref


def _of_list(expand: tuple[str, ...]) -> list[str]:
    return [f"data.{each}" for each in expand]


def _in_query(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
