"""Opening a payment: one transaction, the payment's own row first, then the documents in id order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from activities.requests import FirstAnswer, PayRequest
from domain.business import BusinessSettings
from domain.invoices import InvoiceFacts
from domain.lifecycles import IN_FLIGHT, PaymentState
from domain.methods import MethodKind
from domain.payments import Plan, Wish, plan
from domain.preview import facts_hash
from domain.refusals import Refusal
from store import business, connections, invoices, methods, payments
from store.connections import Offers
from store.database import Database, Transaction


class Opening:
    """Decides, under lock, whether a payment may be opened, and holds what it takes."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def open(self, request: PayRequest, run_id: str, *, key: str) -> tuple[str, FirstAnswer | None]:
        """('charge' | 'ask' | 'answer', the answer). A refusal is stored in the row with its rule."""
        at = self._clock()
        async with self._database.begin("open_payment") as tx:
            label = await self._label(tx, request)
            if not await payments.claim(tx, _new(request, run_id, label), at=at):
                return await self._again(tx, request, run_id)
            decision = await self._decide(tx, request, at=at)
            if isinstance(decision, Refusal):
                await payments.refuse(tx, request.payment_id, request.customer_id, decision, at=at)
                return "answer", _refused(decision.rule, decision.facts)
            await payments.hold(tx, request.payment_id, decision, key=key, at=at)
            return "charge", None

    async def _label(self, tx: Transaction, request: PayRequest) -> str:
        """Also locks the method against being removed while it pays: method first, then invoices."""
        if request.method_id is None:
            return {"card": "A new card", "instant_bank": "Payment by bank"}.get(request.kind.value, "A new bank account")
        method = await methods.load(tx, request.method_id, lock="FOR SHARE")
        return method.label if method is not None and method.customer_id == request.customer_id else ""

    async def _again(self, tx: Transaction, request: PayRequest, run_id: str) -> tuple[str, FirstAnswer | None]:
        """The row exists: another copy of this run made it, or another run, or another form."""
        row = await payments.load(tx, request.payment_id, lock=True)
        assert row is not None
        if row.customer_id != request.customer_id:
            return "answer", _refused("not_found", {})
        if row.request_hash != request.request_hash:
            return "answer", _refused("form_used_differently", {})
        if row.state is PaymentState.CHARGING and row.run_id == run_id:
            return "charge", None
        if row.state in IN_FLIGHT:
            return "ask", None
        if row.state is PaymentState.REFUSED:
            return "answer", _refused(row.refused_rule or "not_found", row.refused_facts)
        return "answer", FirstAnswer(state=row.state.value)

    async def _decide(self, tx: Transaction, request: PayRequest, *, at: datetime) -> Plan | Refusal:
        settings = await business.load(tx)
        refusal = await self._refuse_way(tx, request, settings)
        if refusal is not None:
            return refusal
        ids = [line.invoice_id for line in request.lines]
        await invoices.lock(tx, ids)
        facts = await invoices.facts(tx, ids, request.customer_ids)
        balances = None
        if settings.minimum_payment != "none":
            balances = await invoices.balances(
                tx,
                request.customer_ids,
                currency=request.currency,
                today=await _today(tx, request.customer_id, at),
                hide_paused=settings.exclude_paused,
            )
        wish = Wish(
            currency=request.currency,
            lines=request.lines,
            kind=request.kind,
            keeps_method=request.method_id is not None or request.save,
        )
        decision = plan(wish, facts, settings, balances)
        if isinstance(decision, Plan) and _changed(request, facts, settings):
            return Refusal(rule="facts_changed", facts={"what": "the amounts that are open"})
        return decision

    async def _refuse_way(self, tx: Transaction, request: PayRequest, settings: BusinessSettings) -> Refusal | None:
        """The connection serves this kind and currency, and a saved method is the customer's own and usable."""
        offers = await connections.offers(tx, request.connection_id)
        if offers is None:
            return Refusal(rule="no_provider")
        if request.method_id is None:
            return await self._refuse_page(tx, request, offers, settings)
        if not offers.saves(request.kind.value, request.currency):
            return Refusal(rule="method_kind_not_offered", facts={"currency": request.currency})
        method = await methods.load(tx, request.method_id)
        if method is None or method.customer_id != request.customer_id or method.state == "detached":
            return Refusal(rule="method_not_found")
        if method.connection_id != request.connection_id or method.kind is not request.kind:
            return Refusal(rule="method_not_found")
        if method.state != "active":
            reason = "your bank has not confirmed it yet" if method.state == "verifying" else "it is being removed"
            return Refusal(rule="method_not_usable", facts={"label": method.label, "reason": reason})
        return None

    async def _refuse_page(
        self, tx: Transaction, request: PayRequest, offers: Offers, settings: BusinessSettings
    ) -> Refusal | None:
        """One payment on the provider's page: of a customer who is where it may be taken from."""
        by_bank = request.kind is MethodKind.INSTANT_BANK
        if by_bank and not settings.may_pay_by_bank:
            return Refusal(rule="pay_by_bank_off")
        asked = request.kind.value in offers.countries
        country = await connections.country_of(tx, request.customer_id) if asked else None
        if not offers.takes_once(request.kind.value, request.currency, country):
            return Refusal(rule="method_kind_not_offered", facts={"currency": request.currency})
        return None


def _changed(request: PayRequest, facts: Mapping[str, InvoiceFacts], settings: BusinessSettings) -> bool:
    del settings
    return bool(request.facts_hash) and request.facts_hash != facts_hash(facts.values())


def _refused(rule: str, facts: Mapping[str, str | int]) -> FirstAnswer:
    return FirstAnswer(state=PaymentState.REFUSED.value, rule=rule, facts=dict(facts))


def _new(request: PayRequest, run_id: str, label: str) -> payments.NewPayment:
    return payments.NewPayment(
        id=request.payment_id,
        customer_id=request.customer_id,
        connection_id=request.connection_id,
        currency=request.currency,
        run_id=run_id,
        request_hash=request.request_hash,
        way="saved" if request.method_id is not None else "page",
        method_id=request.method_id,
        method_kind=request.kind.value,
        method_label=label,
        save_consent=request.save,
        consent_wording=request.consent_wording if request.save else None,
        channel=request.channel,
        started_by=request.started_by,
    )


async def _today(tx: Transaction, customer_id: str, at: datetime) -> date:
    """The day it is where the customer is."""
    row = await tx.row("SELECT time_zone FROM customers WHERE id = :id", id=customer_id)
    try:
        zone = ZoneInfo(row.time_zone if row is not None else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return at.astimezone(zone).date()
