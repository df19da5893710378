"""GoCardless behind our protocols: what is asked in our words, sent in its words, answered in ours."""
# ruff: noqa: ARG002 - the port names more than this one needs

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from connectors.errors import KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable, WebhookRejected
from connectors.payments.gocardless import abilities, translate, webhooks
from connectors.payments.gocardless.client import AlreadyMade, Client, GoCardlessConfig
from connectors.payments.gocardless.finding import Finder, in_query
from connectors.payments.gocardless.money import from_gocardless, to_gocardless
from connectors.payments.gocardless.pages import Pages
from connectors.payments.ports import (
    Capability,
    ChargeOrder,
    ChargeStatus,
    ConfigurationProblem,
    EventPage,
    Heard,
    HostedPage,
    PageOrder,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    ProviderSetup,
    RefundOrder,
    SetupOrder,
    SetupStatus,
)
from domain.methods import MethodDetails, MethodKind

Translated = TypeVar("Translated")
Body = Mapping[str, Any]

_LONGEST_DESCRIPTION: Final = 255
_OPEN: Final = frozenset({"pending", "ready_to_fulfil"})
_ROOMS_BY_MARK: Final = {"PM": "payments", "BRQ": "billing_requests", "RF": "refunds"}
_STALE_TOTAL: Final = frozenset({"total_amount_confirmation_invalid"})
_MONEY_FIRST: Final = (
    *(ChargeStatus.RETURNED, ChargeStatus.DISPUTED, ChargeStatus.SETTLED, ChargeStatus.CAPTURED),
    *(ChargeStatus.PROCESSING, ChargeStatus.PENDING, ChargeStatus.NEEDS_CUSTOMER),
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def build(config: GoCardlessConfig, *, clock: Callable[[], datetime] = _utc_now) -> GoCardlessProvider:
    """A connection to GoCardless; `aclose` it when done."""
    return GoCardlessProvider(config, clock)


class GoCardlessProvider:
    """Implements PaymentProvider, SetsUpMethods, Charges, CountsCharges, Refunds, KeepsMethods, SignsWebhooks, HasPages,
    ListsEvents and NamesReferences. A page is known by its billing request, a charge of a mandate by its payment.
    """

    name = "gocardless"

    def __init__(self, config: GoCardlessConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._client = Client(config)
        self._finder = Finder(self._client, clock)
        self._pages = Pages(self._client, clock, falls_back=config.falls_back)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def search_lag_seconds(self) -> int:
        """Seconds after a send before a `find_…` that found nothing is believed."""
        return self._config.search_lag_seconds

    @property
    def page_origins(self) -> frozenset[str]:
        """Where GoCardless's pages live."""
        return self._config.page_origins

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        """Each bank debit in its own currency; payments on a page where the account takes instant ones."""
        return abilities.of(self._config, kind, currency)

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        """Whether our token is accepted, and for whom. Raises Unavailable."""
        try:
            async for creditor in self._client.pages("creditors", {}):
                if creditor.get("verification_status") == "action_required":
                    sentence = "GoCardless asks this business for more details before it pays out."
                    return (ConfigurationProblem(code="verification", sentence=sentence),)
        except Misconfigured as refused:
            return (ConfigurationProblem(code="access_token", sentence=str(refused), is_fatal=True),)
        return ()

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        """Open a page that asks for a mandate. Raises ConnectorError."""
        scheme = self._scheme(order.kinds, order.currency)
        return await self._pages.for_setup(order, scheme, key=key)

    async def find_setup(self, our_ref: str, *, session_id: str | None = None, heard: Heard = ()) -> ProviderSetup | None:
        """The set-up as it stands now; None when none is known. Raises ConnectorError."""
        request = await self._request(session_id)
        if request is None:
            found = await self._as_found(self._finder.billing_requests(our_ref))
            done = (each for each in found if each.get("status") == "fulfilled")
            request = next(done, found[0] if found else None)
        return None if request is None else await self._setup(request)

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:
        """Close the page, which may be done again; the answer is the state afterwards. Raises ConnectorError."""
        refused = await self._cancel("billing_requests", session_id)
        request = await self._request(session_id)
        if request is None:
            raise refused or OutcomeUnknown("GoCardless does not show a page that it has just closed.")
        after = await self._setup(request)
        if after.status is SetupStatus.OPEN:
            raise OutcomeUnknown("GoCardless did not close the page.") from refused
        return after

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        """Charge a mandate. Raises ConnectorError.

        GoCardless does not compare what a key is used for again: whatever it made before is read and compared here.
        """
        units = to_gocardless(order.amount)
        mandate = await self._client.get("mandates", order.method_token)
        if mandate is None or translate.part(mandate, "links").get("customer") != order.payer.provider_ref:
            raise Rejected("mandate_not_found", "This mandate is none of this customer's.")
        body = {
            "amount": units,
            "currency": str(order.amount.currency),
            "description": order.description[:_LONGEST_DESCRIPTION],
            "metadata": {translate.OUR_REF: order.our_ref},
            "retry_if_possible": False,
            "links": {"mandate": order.method_token},
        }
        try:
            made = await self._client.create("payments", body, key=key)
        except AlreadyMade as before:
            made = await self._made_before("payments", before)
            links = translate.part(made, "links")
            theirs = (made.get("amount"), made.get("currency"), links.get("mandate"), translate.our_ref_of(made))
            if theirs != (units, body["currency"], order.method_token, order.our_ref):
                raise KeyConflict("GoCardless made another payment with this key.") from before
            return await self._charge(made)
        return translate.charge(made)

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        """Open a page for one instant bank payment. Raises ConnectorError."""
        currency = str(order.amount.currency)
        if MethodKind.INSTANT_BANK not in order.kinds or not self.capabilities(MethodKind.INSTANT_BANK, currency):
            raise Rejected("currency_not_served", f"No instant bank payments in {currency}.")
        scheme = next(scheme for scheme, moved in translate.SCHEMES.values() if moved == currency)
        request = await self._pages.for_payment(order, to_gocardless(order.amount), scheme, key=key)
        return await self._page(request)

    async def find_charge(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderCharge | None:
        """The charge as it stands now; of several, the one that moved money. None: none is known. Raises ConnectorError."""
        known = None if provider_id is None else await self._by_id(provider_id)
        if known is not None:
            return known
        found = await self.charges_of(our_ref)
        return min(found, key=_money_first) if found else None

    async def charges_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderCharge]:
        """Every charge with that reference: those of mandates, and those of pages. Raises ConnectorError."""
        requests = await self._as_found(self._finder.billing_requests(our_ref))
        on_pages = {_paid_by(each) for each in requests}
        payments = await self._finder.payments(our_ref)
        direct = [await self._as_found(self._charge(each)) for each in payments if each["id"] not in on_pages]
        return [*direct, *[await self._as_found(self._page(each)) for each in requests]]

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:
        """Cancel what waits; the answer is the state afterwards. Raises ConnectorError."""
        is_page = provider_id.startswith("BRQ")
        refused = await self._cancel("billing_requests" if is_page else "payments", provider_id)
        after = await self._by_id(provider_id)
        if after is None:
            raise refused or OutcomeUnknown("GoCardless does not show what it has just canceled.")
        if after.status is ChargeStatus.NEEDS_CUSTOMER:
            raise OutcomeUnknown("GoCardless did not cancel it.") from refused
        return after

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        """Give back a part of a charge, or all of it. Raises ConnectorError.

        What was given back before is told with it, so that two at once cannot both count the same money.
        """
        units = to_gocardless(order.amount)
        if sent := await self._finder.refunds(order.our_ref):
            return _same_refund(sent[0], order, units)
        payment_id, total = await self._total_after(order, units)
        body = {
            "amount": units,
            "total_amount_confirmation": total,
            "links": {"payment": payment_id},
            "metadata": {translate.OUR_REF: order.our_ref, "charge_id": order.charge_id},
        }
        try:
            return translate.refund(await self._client.create("refunds", body, key=key))
        except AlreadyMade as before:
            return _same_refund(await self._made_before("refunds", before), order, units)
        except Rejected as refused:
            if refused.code not in _STALE_TOTAL:
                raise
            await self._total_after(order, units)
            raise Unavailable("Another refund of this charge came between; nothing was sent.") from refused

    async def find_refund(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderRefund | None:
        """The refund as it stands now; None when none is known. Raises ConnectorError."""
        known = await self._client.get("refunds", provider_id) if provider_id is not None else None
        if known is not None:
            return _as_read(lambda: translate.refund(known))
        found = await self.refunds_of(our_ref)
        return found[0] if found else None

    async def refunds_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderRefund]:
        """Every refund with that reference. Raises ConnectorError."""
        found = await self._finder.refunds(our_ref)
        return _as_read(lambda: tuple(translate.refund(each) for each in found))

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        """The mandates of a payer that can be charged, masked. Raises ConnectorError."""
        asked = {"customer": payer_ref, "status": ",".join(sorted(translate.USABLE))}
        mandates = [each async for each in self._client.pages("mandates", asked)]
        accounts = {
            each.get("id"): each async for each in self._client.pages("customer_bank_accounts", {"customer": payer_ref})
        }
        found = [
            _as_read(
                lambda body=each: translate.method(  # type: ignore[misc]
                    body, accounts.get(translate.part(body, "links").get("customer_bank_account"), {})
                )
            )
            for each in mandates
        ]
        return tuple(each for each in found if each is not None)

    async def detach_method(self, token: str, *, key: str) -> None:
        """Cancel a mandate; already gone is success. Raises ConnectorError."""
        refused = await self._cancel("mandates", token)
        if refused is not None:
            kept = await self._client.get("mandates", token)
            if kept is not None and kept.get("status") in {*translate.USABLE, "pending_customer_approval"}:
                raise refused

    def read_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[ProviderEvent]:
        """Verify the raw body, then its events. Raises WebhookRejected and nothing else."""
        config = self._config
        return webhooks.read(raw, headers, secrets=config.webhook_secrets, organisation=config.organisation)

    async def events_after(self, cursor: str | None, *, since: datetime) -> EventPage:
        """Events after the one named by `cursor`, or since a moment, oldest first. Raises ConnectorError."""
        newer = None if cursor is None else await self._client.newer("events", cursor)
        if newer is None:
            query = {"created_at[gte]": in_query(since)}
            newer = [each async for each in self._client.pages("events", query)][::-1], False
        found, has_more = newer
        events = []
        for each in found:
            try:
                events.append(webhooks.event(each, organisation=self._config.organisation))
            except WebhookRejected:
                continue  # another organisation's: not ours to tell
        return EventPage(events=tuple(events), cursor=str(found[-1].get("id")) if found else cursor, has_more=has_more)

    async def reference_of(self, provider_id: str) -> str | None:
        """Our reference of a charge or a refund that an event names by their id only. Raises ConnectorError."""
        room = next((room for mark, room in _ROOMS_BY_MARK.items() if provider_id.startswith(mark)), None)
        found = None if room is None else await self._client.get(room, provider_id)
        return None if found is None else _as_read(lambda: translate.readable(lambda: translate.our_ref_of(found)))

    def _scheme(self, kinds: Sequence[MethodKind], currency: str) -> str:
        for kind in kinds:
            if self.capabilities(kind, currency) is not Capability.NONE:
                return translate.SCHEMES[kind][0]
        raise Rejected("method_kind_not_served", f"None of these kinds of methods moves {currency} at GoCardless.")

    async def _request(self, request_id: str | None) -> Body | None:
        if request_id is None or not request_id.startswith("BRQ"):
            return None
        return await self._client.get("billing_requests", request_id)

    async def _by_id(self, provider_id: str) -> ProviderCharge | None:
        request = await self._request(provider_id)
        if request is not None:
            return await self._as_found(self._page(request))
        payment = await self._client.get("payments", provider_id) if provider_id.startswith("PM") else None
        return None if payment is None else await self._as_found(self._charge(payment))

    async def _charge(self, payment: Body, page_id: str | None = None) -> ProviderCharge:
        is_over = payment.get("status") in translate.NEEDS_HISTORY
        history = await self._finder.history(str(payment.get("id"))) if is_over else ()
        return translate.charge(payment, history=history, page_id=page_id)

    async def _page(self, request: Body) -> ProviderCharge:
        """A page as it stands: open it waits for the customer, paid it is its payment."""
        request_id, our_ref = str(request["id"]), translate.our_ref_of(request) or ""
        payment_id = _paid_by(request)
        if payment_id is not None:
            return await self._paid_page(request, payment_id)
        wanted = translate.part(request, "payment_request")
        amount = from_gocardless(wanted.get("amount"), wanted.get("currency"))
        ours = {"fulfilling": ChargeStatus.PROCESSING, "cancelled": ChargeStatus.CANCELED}
        status = ours.get(str(request.get("status")), ChargeStatus.PENDING)
        if request.get("status") not in _OPEN:
            return ProviderCharge(provider_id=request_id, our_ref=our_ref, status=status, amount=amount)
        page = await self._pages.page_of(request)
        return ProviderCharge(
            provider_id=request_id,
            our_ref=our_ref,
            status=ChargeStatus.NEEDS_CUSTOMER,
            amount=amount,
            action_url=page.url,
            action_expires_at=page.expires_at,
            payer_ref=page.payer_ref,
        )

    async def _paid_page(self, request: Body, payment_id: str) -> ProviderCharge:
        payment = await self._client.get("payments", payment_id)
        if payment is None:
            raise Unavailable("GoCardless does not show a payment that its page names.")
        paid = await self._charge(payment, str(request["id"]))
        account = translate.part(translate.part(request, "resources"), "customer_bank_account")
        mandate_id = translate.part(request, "links").get("mandate_request_mandate")
        mandate = None if mandate_id is None else await self._client.get("mandates", str(mandate_id))
        return ProviderCharge(
            provider_id=paid.provider_id,
            our_ref=translate.our_ref_of(request) or "",
            status=paid.status,
            amount=paid.amount,
            failure_code=paid.failure_code,
            saved_method=None if mandate is None else translate.method(mandate, account),
            masked=translate.masked(str(paid.amount.currency), account),
            payer_ref=translate.part(request, "links").get("customer"),
            expected_on=paid.expected_on,
            return_code=paid.return_code,
        )

    async def _setup(self, request: Body) -> ProviderSetup:
        links = translate.part(request, "links")
        status, method, failure = SetupStatus.VERIFYING, None, None
        mandate_id = links.get("mandate_request_mandate")
        mandate = None if mandate_id is None else await self._client.get("mandates", str(mandate_id))
        if request.get("status") == "cancelled":
            status = SetupStatus.CANCELED
        elif mandate is not None:
            status, failure = _of_mandate(str(mandate.get("status")))
            if failure is None:
                account = translate.part(translate.part(request, "resources"), "customer_bank_account")
                method = _as_read(lambda: translate.method(mandate, account))
        elif request.get("status") in _OPEN:
            status = SetupStatus.OPEN
        is_open = status is SetupStatus.OPEN
        return ProviderSetup(
            session_id=str(request["id"]),
            our_ref=_as_read(lambda: translate.readable(lambda: translate.our_ref_of(request))) or "",
            status=status,
            method=method,
            failure_code=failure,
            payer_ref=links.get("customer"),
            page=await self._as_found(self._pages.page_of(request)) if is_open else None,
        )

    async def _cancel(self, room: str, resource_id: str) -> Rejected | None:
        """Cancel it; how it was refused, or None."""
        try:
            await self._client.act(room, resource_id, "cancel")
        except Rejected as refused:
            return refused
        return None

    async def _made_before(self, room: str, before: AlreadyMade) -> Body:
        """What the key made. It exists: where it cannot be read now, the outcome is unknown."""
        try:
            made = await self._client.get(room, before.resource_id)
        except (Unavailable, Throttled) as unread:
            raise OutcomeUnknown(str(unread)) from unread
        if made is None:
            raise OutcomeUnknown("GoCardless does not show what it made with this key.")
        return made

    async def _total_after(self, order: RefundOrder, units: int) -> tuple[str, int]:
        """The payment of a charge, and what it will have given back in all. Raises Rejected where that is too much."""
        payment_id: str | None = order.charge_id
        if order.charge_id.startswith("BRQ"):
            payment_id = _paid_by(await self._request(order.charge_id) or {})
        payment = None if payment_id is None else await self._client.get("payments", payment_id)
        if payment is None or payment_id is None:
            raise Rejected("nothing_captured", "Nothing was paid there.")
        amount, given = payment.get("amount"), payment.get("amount_refunded") or 0
        if type(amount) is not int or type(given) is not int:
            raise Unavailable("GoCardless's payment cannot be read.")
        if given + units > amount:
            raise Rejected("refund_too_large", "This is more than is left of the payment.")
        return payment_id, given + units

    async def _as_found(self, read: Awaitable[Translated]) -> Translated:
        """A read that cannot be understood changed nothing over there: it may be made again."""
        try:
            return await read
        except OutcomeUnknown as unreadable:
            raise Unavailable(str(unreadable)) from unreadable


def _of_mandate(status: str) -> tuple[SetupStatus, str | None]:
    if status in translate.USABLE:
        return SetupStatus.COMPLETED, None
    if status in {"failed", "cancelled", "expired", "consumed", "blocked", "suspended_by_payer"}:
        return SetupStatus.FAILED, f"mandate_{status}"
    return SetupStatus.VERIFYING, None


def _paid_by(request: Body) -> str | None:
    found = translate.part(request, "links").get("payment_request_payment")
    return found if isinstance(found, str) else None


def _same_refund(before: Body, order: RefundOrder, units: int) -> ProviderRefund:
    """The refund that was made before, where it is the one that is asked for."""
    found = translate.refund(before)
    if (found.our_ref, found.charge_id) != (order.our_ref, order.charge_id) or before.get("amount") != units:
        raise KeyConflict("GoCardless made another refund for this.")
    return found


def _money_first(charge: ProviderCharge) -> int:
    return _MONEY_FIRST.index(charge.status) if charge.status in _MONEY_FIRST else len(_MONEY_FIRST)


def _as_read(translated: Callable[[], Translated]) -> Translated:
    """A read that cannot be understood changed nothing over there: it may be made again."""
    try:
        return translated()
    except OutcomeUnknown as unreadable:
        raise Unavailable(str(unreadable)) from unreadable
