"""The sandbox provider's payouts in our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

from connectors.errors import Unavailable
from connectors.payments.payouts import PayoutItem, PayoutPage, PayoutPart, PayoutState, ProviderPayout
from connectors.payments.sandbox.client import SandboxClient
from domain.money import Money, MoneyError

Read = TypeVar("Read")

PAYS_OUT_WITHIN: Final = timedelta(days=4)
"""It pays out every day what succeeded before; a day is beside it where clocks differ."""
_ON_A_PAGE: Final = 100
_PAGES: Final = 10
_MOST_PAGES: Final = 10_000
_STATE: Final[Mapping[str, PayoutState]] = {"paid": PayoutState.PAID, "failed": PayoutState.FAILED}


class Payouts:
    """Asks for payouts and their parts. Every method raises ConnectorError."""

    def __init__(self, client: SandboxClient) -> None:
        self._client = client

    async def after(self, cursor: str | None, *, since: datetime) -> PayoutPage:
        """Payouts after the one named by `cursor`, or since a moment, oldest first."""
        found: list[ProviderPayout] = []
        has_more = True
        after = cursor
        for _ in range(_PAGES):
            page = await self._page("/v1/payouts", "payouts", after, _payout)
            found += page
            after = page[-1].provider_id if page else after
            if has_more := len(page) == _ON_A_PAGE:
                continue
            break
        wanted = found if cursor is not None else [each for each in found if each.made_at >= since]
        return PayoutPage(payouts=tuple(wanted), cursor=after, has_more=has_more)

    async def find(self, provider_id: str) -> ProviderPayout | None:
        """A payout as it stands now."""
        reply = await self._client.get(f"/v1/payouts/{quote(provider_id, safe='')}")
        return None if reply.status == 404 else _read(lambda: _payout(reply.body))

    async def items(self, provider_id: str) -> Sequence[PayoutItem]:
        """All of its parts."""
        found: list[PayoutItem] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._page(f"/v1/payouts/{quote(provider_id, safe='')}/items", "items", after, _item)
            found += page
            if len(page) < _ON_A_PAGE:
                return found
            after = page[-1].provider_id
        raise Unavailable("The sandbox provider's list of a payout's parts does not come to its end.")

    async def _page(
        self, path: str, named: str, after: str | None, translated: Callable[[Mapping[str, Any]], Read]
    ) -> list[Read]:
        query = {"limit": str(_ON_A_PAGE), **({} if after is None else {"after": after})}
        body = (await self._client.get(path, query=query)).body
        return _read(lambda: [translated(each) for each in body[named]])


def _payout(body: Mapping[str, Any]) -> ProviderPayout:
    return ProviderPayout(
        provider_id=str(body["id"]),
        amount=Money.of(body["amount"]["minor"], body["amount"]["currency"]),
        state=_STATE.get(body["status"], PayoutState.PENDING),
        made_at=datetime.fromisoformat(body["created_at"]),
        arrives_on=date.fromisoformat(body["arrives_on"]),
    )


def _item(body: Mapping[str, Any]) -> PayoutItem:
    currency = str(body["currency"])
    return PayoutItem(
        provider_id=str(body["id"]),
        kind=PayoutPart(body["kind"]),
        gross=Money.of(body["gross"], currency),
        fee=Money.of(body["fee"], currency),
        net=Money.of(body["net"], currency),
        source_id=body["source"],
        our_ref=body["our_ref"],
    )


def _read(translated: Callable[[], Read]) -> Read:
    """A list that cannot be read says nothing: it is asked for again."""
    try:
        return translated()
    except (KeyError, TypeError, ValueError, MoneyError) as unreadable:
        raise Unavailable("The sandbox provider's payouts cannot be read.") from unreadable
