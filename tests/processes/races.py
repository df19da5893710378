"""Races through real browsers' requests, at every API process at once. Each function runs one and says what it saw."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import httpx
from temporalio.client import ScheduleOverlapPolicy

from launch.drill.ground import Ground, until
from launch.drill.keeping import MakeDefault
from launch.drill.paying import ProviderPage, SavedCard
from launch.drill.process import Process
from launch.drill.storm import prepared
from launch.drill.visitor import Form, Page, Visitor
from store import witness

Kind = TypeVar("Kind", bound=Process)

TEN = tuple(10_000 + 100 * number for number in range(10))
ENDED = frozenset({"captured", "refused", "declined", "failed", "canceled", "expired"})


@asynccontextmanager
async def tabs(ground: Ground, customer_id: str, count: int) -> AsyncIterator[Sequence[Visitor]]:
    """So many browsers of one customer, each with a session of its own."""
    opened = await asyncio.gather(*(ground.visitor(customer_id) for _ in range(count)))
    try:
        yield opened
    finally:
        await asyncio.gather(*(each.aclose() for each in opened))


async def all_at_once(asks: Sequence[Callable[[], Awaitable[Page]]]) -> Sequence[Page]:
    """Behind one barrier, so that they leave together. A server error is a failure; a lost connection is not allowed."""
    gate = asyncio.Event()

    async def ask(each: Callable[[], Awaitable[Page]]) -> Page:
        await gate.wait()
        return await each()

    waiting = [asyncio.create_task(ask(each)) for each in asks]
    await asyncio.sleep(0.05)
    gate.set()
    answers = await asyncio.gather(*waiting)
    assert [page.status for page in answers if page.status >= 500] == []
    return answers


CONFLICT: Final = 409


async def settle(ground: Ground, customer_id: str) -> Sequence[tuple[str, str, int]]:
    """Wait until nothing of a customer's is on its way; its payments."""

    async def nothing_flies() -> bool:
        payments = await ground.look(lambda tx: witness.payments_of(tx, customer_id))
        return bool(payments) and all(state in ENDED for _, state, _ in payments)

    await until(nothing_flies, within_seconds=120, what="every payment's end", patient=True)
    return await ground.look(lambda tx: witness.payments_of(tx, customer_id))


async def charged(ground: Ground, payment_ids: Sequence[str]) -> int:
    """What the provider took, by its own books."""
    ledger = await ground.far.ledger()
    mine = set(payment_ids)
    return sum(
        each["amount"]["minor"]
        for each in ledger["charges"]
        if each["moves_money"] and each["our_ref"].rpartition("-")[0] in mine
    )


async def many_payments_for_the_same_invoices(ground: Ground, count: int, chance: random.Random) -> None:
    """Never more than open, never a lost hold: what nobody got is paid by one who comes later."""
    numbers = await ground.far.enter_customers(["Everybody at once"])
    await ground.far.enter_invoices(numbers[0], TEN)
    await ground.sync()

    async def known() -> tuple[str, Sequence[str]] | None:
        account = await ground.look(lambda tx: witness.account(tx, numbers[0]))
        return account if account is not None and len(account[1]) == len(TEN) else None

    customer_id, invoice_ids = await until(known, within_seconds=60, what="the sync")
    keeper = MakeDefault(ground, customer_id, invoice_ids)
    method_id = await keeper.save_method()
    await keeper.close()
    async with tabs(ground, customer_id, 8) as visitors:
        forms: list[tuple[Visitor, Form]] = []
        for number in range(count):
            visitor = visitors[number % len(visitors)]
            wanted = chance.sample(list(invoice_ids), chance.choice((1, 2, 3)))
            page = await visitor.see(f"/pay?{'&'.join(f'i={each}' for each in wanted)}")
            forms.append((visitor, page.form("/payments")))
        await all_at_once([_pressing(visitor, form, way=method_id) for visitor, form in forms])

        async def nothing_is_left() -> bool:
            await settle(ground, customer_id)
            left = [each for each in sorted(invoice_ids) if (await _open(ground, each))[0] > 0]
            if left:
                page = await visitors[0].see(f"/pay?{'&'.join(f'i={each}' for each in left)}")
                # On a slow machine one of the fifty begins only now, and takes what seemed to be left.
                if page.status != CONFLICT:
                    await visitors[0].submit(page.form("/payments"), way=method_id)
            return not left

        await until(nothing_is_left, within_seconds=120, what="the payment of what nobody got")
    payments = await settle(ground, customer_id)
    assert [await _open(ground, each) for each in invoice_ids] == [(0, 0)] * len(invoice_ids)
    took = sum(captured for _, _, captured in payments)
    assert took == sum(TEN) == await ground.look(lambda tx: witness.paid_in_all(tx, invoice_ids))
    assert took == await charged(ground, [payment_id for payment_id, _, _ in payments])


async def one_form_sent_many_times(ground: Ground, width: int) -> None:
    """A double click, at both doors: one payment, one charge, and everybody is sent to its page."""
    (payment,) = await _ready(ground, SavedCard, 1)
    visitor = await payment.visitor()
    pages = await all_at_once([_pressing(visitor, payment.form, way=payment.way) for _ in range(width)])
    assert {page.goes_to for page in pages} == {f"/payments/{payment.word}"}
    await payment.ends()
    assert payment.allows(await payment.counts())


async def many_tabs_for_one_invoice(ground: Ground, width: int) -> None:
    """Each tab has a payment of its own: one takes the invoice, the others are told why not."""
    (first,) = await _ready(ground, SavedCard, 1)
    async with tabs(ground, first.customer_id, width) as visitors:
        pages = await asyncio.gather(*(each.see(f"/pay?i={first.invoice_ids[0]}") for each in visitors))
        forms = [page.form("/payments") for page in pages]
        await all_at_once([_pressing(visitor, form, way=first.way) for visitor, form in zip(visitors, forms, strict=True)])
    payments = await settle(ground, first.customer_id)
    states = Counter(state for _, state, _ in payments)
    assert states["captured"] == 1, states
    assert set(states) <= {"captured", "refused"}
    assert await charged(ground, [payment_id for payment_id, _, _ in payments]) == 10_000
    await first.close()


async def everybody_tells_at_once(ground: Ground, width: int) -> None:
    """Webhook (each delivered several times), return and look, all of one payment on the provider's page."""
    (payment,) = await _ready(ground, ProviderPage, 1)
    await payment.pay()

    async def has_page() -> str | None:
        seen = await payment.seen()
        return seen.action_url if seen is not None else None

    page_url = await until(has_page, within_seconds=60, what="the provider's page", patient=True)
    await ground.far.provider_post("/v1/test/webhooks", {"duplicates": min(width, 8)})
    try:
        visitor = await payment.visitor()
        filling = asyncio.create_task(ground.far.fill_in(page_url, "card_ok"))
        await all_at_once([_seeing(visitor, f"/payments/{payment.word}/return") for _ in range(width)])
        await asyncio.gather(filling, *(ground.processes.hint(f"payment/{payment.word}", "look") for _ in range(width)))
        await payment.ends()
    finally:
        await ground.far.provider_post("/v1/test/webhooks", {"duplicates": 0})
    assert payment.allows(await payment.counts())
    await payment.close()


async def paying_while_the_erp_is_read(ground: Ground, width: int) -> None:
    """So many payments, while the sync runs and runs: what is paid is counted once, by us or by the ERP's answer."""
    payments = await _ready(ground, SavedCard, width)

    async def read() -> None:
        for _ in range(6):
            handle = ground.client.get_schedule_handle("sync/demo")
            await handle.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
            await asyncio.sleep(0.3)

    await asyncio.gather(read(), *(each.pay() for each in payments))
    for each in payments:
        await each.ends()
        assert each.allows(await each.counts())
    await ground.sync()

    async def all_paid() -> bool:
        return all([await _open(ground, each.invoice_ids[0]) == (0, 0) for each in payments])

    await until(all_paid, within_seconds=60, what="every invoice being paid once", patient=True)
    for each in payments:
        await each.close()


async def default_and_delete_at_once(ground: Ground, width: int) -> None:
    """Two cards: some tabs make the second the default, others delete it, others delete the first. One default is left,
    or no card at all; and a card that is gone is gone at the provider.
    """
    (change,) = await _ready(ground, MakeDefault, 1)
    first, second = [each.id for each in await ground.look(lambda tx: witness.methods(tx, change.customer_id))]
    async with tabs(ground, change.customer_id, width) as visitors:
        asks: list[Callable[[], Awaitable[Page]]] = []
        for number, visitor in enumerate(visitors):
            to_second, to_first = await visitor.see(f"/methods/{second}"), await visitor.see(f"/methods/{first}")
            if number % 3 == 0:
                asks.append(_pressing(visitor, to_second.form(f"/methods/{second}/default")))
            elif number % 3 == 1:
                asks.append(_pressing(visitor, to_second.form(f"/methods/{second}/delete")))
            else:
                asks.append(_pressing(visitor, to_first.form(f"/methods/{first}/delete"), next_default=second))
        await all_at_once(asks)

    async def quiet() -> bool:
        kept = await ground.look(lambda tx: witness.methods(tx, change.customer_id))
        return all(each.state in {"active", "detached"} for each in kept)

    await until(quiet, within_seconds=60, what="every change's end", patient=True)
    kept = await ground.look(lambda tx: witness.methods(tx, change.customer_id))
    active = [each for each in kept if each.state == "active"]
    assert sum(each.is_default for each in active) == (1 if active else 0), kept
    assert not any(each.is_default for each in kept if each.state == "detached")
    there = {each["id"]: each["status"] for each in (await ground.far.ledger())["methods"]}
    assert {each.state == "detached" for each in kept if there[each.token] == "detached"} <= {True}
    await change.close()


def _pressing(visitor: Visitor, form: Form, **changes: str) -> Callable[[], Awaitable[Page]]:
    return lambda: _patiently(lambda: visitor.submit_once(form, **changes))


def _seeing(visitor: Visitor, path: str) -> Callable[[], Awaitable[Page]]:
    return lambda: _patiently(lambda: visitor.see_once(path))


async def _patiently(ask: Callable[[], Awaitable[Page]]) -> Page:
    """Once, unless the other side closed an idle connection just then."""
    try:
        return await ask()
    except (httpx.RemoteProtocolError, httpx.ReadError):
        return await ask()


async def _ready(ground: Ground, kind: type[Kind], count: int) -> list[Kind]:
    return await prepared(ground, kind, count)


async def _open(ground: Ground, invoice_id: str) -> tuple[int, int]:
    ((left, held),) = await ground.look(lambda tx: witness.open_and_held(tx, [invoice_id]))
    return left, held
