"""Hosted pages: a billing request says what is wanted, a flow is a link to it. A flow moves nothing and is not shown
again: a page whose link is not known here any more gets a new one, to the same billing request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.errors import KeyConflict, OutcomeUnknown, Throttled, Unavailable
from connectors.payments.gocardless import translate
from connectors.payments.gocardless.client import AlreadyMade, Client
from connectors.payments.ports import HostedPage, PageOrder, Payer, SetupOrder

Body = Mapping[str, Any]

RETURN_URL: Final = "return_url"
CANCEL_URL: Final = "cancel_url"
_LONGEST_METADATA: Final = 500
_LONGEST_DESCRIPTION: Final = 255
_LINKS_MAX: Final = 2000
_LEAST_LEFT: Final = timedelta(minutes=30)


class Pages:
    """Opens pages, and finds the link to one that is open."""

    def __init__(self, client: Client, clock: Callable[[], datetime], *, falls_back: bool) -> None:
        self._client = client
        self._clock = clock
        self._falls_back = falls_back
        self._links: OrderedDict[str, HostedPage] = OrderedDict()

    async def for_setup(self, order: SetupOrder, scheme: str, *, key: str) -> HostedPage:
        """A page that asks for a mandate. Raises ConnectorError."""
        marks = {translate.OUR_REF: order.our_ref}
        body = {
            "mandate_request": {"currency": order.currency, "scheme": scheme, "verify": "recommended", "metadata": marks},
            "metadata": _with_urls(marks, order.return_url, order.cancel_url),
        }
        request = await self._request({**body, **_links_of(order.payer)}, key)
        if (
            translate.our_ref_of(request) != order.our_ref
            or translate.part(request, "mandate_request").get("scheme") != scheme
        ):
            raise KeyConflict("GoCardless opened another page with this key.")
        return await self.page_of(request, payer=order.payer)

    async def for_payment(self, order: PageOrder, units: int, scheme: str, *, key: str) -> Body:
        """The billing request of a page that takes one payment. Raises ConnectorError."""
        marks, currency = {translate.OUR_REF: order.our_ref}, str(order.amount.currency)
        description = order.description[:_LONGEST_DESCRIPTION]
        body: dict[str, Any] = {
            "payment_request": {"amount": units, "currency": currency, "description": description, "metadata": marks},
            "metadata": _with_urls(marks, order.return_url, order.cancel_url),
        }
        if order.save_method:
            body["mandate_request"] = {"currency": currency, "scheme": scheme, "metadata": marks}
        if self._falls_back:
            body["fallback_enabled"] = True
        request = await self._request({**body, **_links_of(order.payer)}, key)
        wanted = translate.part(request, "payment_request")
        theirs = (wanted.get("amount"), wanted.get("currency"), translate.our_ref_of(request))
        if theirs != (units, currency, order.our_ref):
            raise KeyConflict("GoCardless opened another page with this key.")
        return request

    async def page_of(self, request: Body, *, payer: Payer | None = None) -> HostedPage:
        """The link to a billing request that is open. Raises ConnectorError."""
        request_id = str(request["id"])
        known = self._links.get(request_id)
        if known is not None and known.expires_at - self._clock() > _LEAST_LEFT:
            return known
        metadata = translate.part(request, "metadata")
        body: dict[str, Any] = {"auto_fulfil": True, "links": {"billing_request": request_id}}
        for ours, theirs in ((RETURN_URL, "redirect_uri"), (CANCEL_URL, "exit_uri")):
            if metadata.get(ours) is not None:
                body[theirs] = metadata[ours]
        if payer is not None and payer.email is not None and payer.provider_ref is None:
            body["prefilled_customer"] = {"email": payer.email, "company_name": payer.name}
        flow = await self._client.create("billing_request_flows", body, key=None)
        page = translate.readable(
            lambda: HostedPage(
                session_id=request_id,
                url=translate.text(flow["authorisation_url"]),
                expires_at=translate.moment(flow["expires_at"]),
                payer_ref=translate.part(request, "links").get("customer"),
            )
        )
        self._links[request_id] = page
        if len(self._links) > _LINKS_MAX:
            self._links.popitem(last=False)
        return page

    async def _request(self, body: Body, key: str) -> Body:
        try:
            return await self._client.create("billing_requests", body, key=key)
        except AlreadyMade as before:
            try:
                made = await self._client.get("billing_requests", before.resource_id)
            except (Unavailable, Throttled) as unread:
                raise OutcomeUnknown(str(unread)) from unread
            if made is None:
                raise OutcomeUnknown("GoCardless does not show what it made with this key.") from before
            return made


def _links_of(payer: Payer) -> Body:
    return {} if payer.provider_ref is None else {"links": {"customer": payer.provider_ref}}


def _with_urls(marks: Mapping[str, str], return_url: str, cancel_url: str) -> Mapping[str, str]:
    """Where the customer goes afterwards is kept with the request, for a link that must be made anew."""
    urls = {RETURN_URL: return_url, CANCEL_URL: cancel_url}
    return {**marks, **{name: url for name, url in urls.items() if len(url) <= _LONGEST_METADATA}}
