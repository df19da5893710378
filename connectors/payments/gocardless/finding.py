"""Finding what bears a reference of ours: GoCardless's lists cannot be asked for one, and are read back to its making.

A look that had to stop early says so; it never says 'there is none'.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.payments.gocardless.client import Client
from connectors.payments.gocardless.translate import OUR_REF, moment, part, readable

Body = Mapping[str, Any]

LOOK: Final = timedelta(days=60)
_SLACK: Final = timedelta(minutes=5)  # between their clock and ours
_SYMBOLS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


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


def in_query(at: datetime) -> str:
    """A moment as their queries take it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Finder:
    """Looks by our reference. Every method raises Unavailable, Throttled, Rejected or Misconfigured."""

    def __init__(self, client: Client, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock

    async def payments(self, our_ref: str) -> list[Body]:
        """Every payment with that reference."""
        return [each async for each in self._since_made("payments", our_ref)]

    async def refunds(self, our_ref: str) -> list[Body]:
        """Every refund with that reference."""
        return [each async for each in self._since_made("refunds", our_ref)]

    async def billing_requests(self, our_ref: str) -> list[Body]:
        """Every billing request with that reference, whole: a list does not tell their resources.

        Their list cannot be asked for a moment: it is left at that.
        """
        since, found = self._since(our_ref), []
        async for each in self._client.pages("billing_requests", {}):
            if readable(lambda body=each: moment(body["created_at"])) < since:  # type: ignore[misc]
                break
            if _ours(each, our_ref):
                found.append(await self._client.get("billing_requests", str(each.get("id"))))
        return [each for each in found if each is not None]

    async def history(self, payment_id: str) -> tuple[Body, ...]:
        """The events of a payment, the newest first."""
        return tuple([each async for each in self._client.pages("events", {"payment": payment_id})])

    async def _since_made(self, room: str, our_ref: str) -> AsyncIterator[Body]:
        async for each in self._client.pages(room, {"created_at[gte]": in_query(self._since(our_ref))}):
            if _ours(each, our_ref):
                yield each

    def _since(self, our_ref: str) -> datetime:
        """Nothing can bear a reference before that was made."""
        earliest = self._clock() - LOOK
        made = made_at(our_ref)
        return (earliest if made is None else max(earliest, made)) - _SLACK


def _ours(body: Body, our_ref: str) -> bool:
    return part(body, "metadata").get(OUR_REF) == our_ref
