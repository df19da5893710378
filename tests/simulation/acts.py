"""What people, bad luck and time do in a simulated town. Each act answers what it did, or None where it is not possible."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from activities.requests import PayRequest, SendAgain, SetupRequest
from connectors.payments.ports import ChargeStatus, SetupStatus
from domain import ids
from domain.allocation import Line
from domain.methods import MethodKind
from domain.money import Money
from domain.receivables import ErpInvoiceStatus
from store import access, business
from tests.simulation.ledger import Document
from tests.simulation.listener import FarListener
from tests.simulation.processes import add_payment_method, send_posting_again
from tests.simulation.provider import Charge, Told
from tests.simulation.refunding import Refunding
from tests.simulation.requesting import Requesting
from tests.simulation.town import CARDS, PROVIDER, Resident, Town

T = TypeVar("T")
Act = Callable[[], Awaitable[str | None]]

PAGES_TAKE: Final = ("ok", "ok", "ok", "declined", "leaves", "debit", "debit_returns", "debit_fails")
PAUSES: Final = (
    timedelta(milliseconds=500),
    timedelta(seconds=3),
    timedelta(seconds=25),
    timedelta(minutes=2),
    timedelta(minutes=33),
    timedelta(minutes=33),
    timedelta(hours=5),
    timedelta(days=2),
)


@dataclass
class Acts:
    """Everything that may happen, and how often, by name."""

    town: Town
    requests: list[PayRequest] = field(default_factory=list)
    links: list[tuple[str, Resident]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = self.town.random
        self.kinds: Mapping[str, tuple[int, Act]] = {
            "pay": (14, self._pay),
            "submit again": (3, self._submit_again),
            "save a method": (2, self._save_method),
            "customer at the page": (9, self._at_the_page),
            "customer at the set-up": (2, self._at_the_setup),
            "deliver": (12, self._deliver),
            "deliver twice": (2, self._deliver_twice),
            "lose a delivery": (2, self._lose_delivery),
            "bank acts": (5, self._bank_acts),
            "money after all": (1, self._money_after_all),
            "person acts": (6, self._person_acts),
            "person at our payment": (2, self._person_at_our_payment),
            "staff send again": (3, self._staff_sends_again),
            "sync": (8, self._sync),
            "read it all again": (3, self._read_it_all_again),
            "sweep": (3, self._sweep),
            "outage": (3, self._outage),
            "worker dies": (4, self._worker_dies),
            "worker stands still": (4, self._worker_stands_still),
            "process is lost": (1, self._process_is_lost),
            "setting": (1, self._setting),
            "link": (1, self._link),
            "time": (11, self._time),
            **Requesting(self.town).kinds,
            **Refunding(self.town).kinds,
        }

    async def act(self) -> str:
        """One of them, by weight; those that cannot happen now are drawn again."""
        names = list(self.kinds)
        weights = [self.kinds[name][0] for name in names]
        while True:
            name = self.random.choices(names, weights)[0]
            what = await self.kinds[name][1]()
            if what is not None:
                return f"{name}: {what}"

    def one_of(self, choices: Sequence[T]) -> T | None:
        return self.random.choice(choices) if choices else None

    # ------------------------------------------------------------ customers

    async def _pay(self) -> str | None:
        resident = self.town.somebody()
        rows = await self.town.rows(
            "SELECT id, erp_id, available FROM invoice_states WHERE customer_id = :id AND available > 0 ORDER BY erp_id",
            id=resident.id,
        )
        if not rows:
            return None
        chosen = self.random.sample(list(rows), self.random.randint(1, min(3, len(rows))))
        lines = tuple(Line(invoice_id=row.id, minor=self._part(row.available)) for row in chosen)
        usable = [each for each in resident.methods if each[2] != "removed"]
        saved = self.random.choice(usable) if usable and self.random.random() < 0.6 else None
        number = len(self.requests)
        payment_id = ids.compose("pay", at_ms=1_772_000_000_000 + number, entropy=self.random.randbytes(10))
        request = PayRequest(
            payment_id=payment_id,
            customer_id=resident.id,
            customer_ids=(resident.id,),
            currency=resident.currency,
            lines=lines,
            kind=saved[1] if saved is not None else MethodKind.CARD,
            method_id=saved[0] if saved is not None else None,
            connection_id=PROVIDER,
            request_hash=f"form {number}",
            started_by=resident.erp_id,
        )
        self.requests.append(request)
        self.town.registry.pay(request)
        way = saved[2] if saved is not None else "page"
        return f"{way} {payment_id[-4:]} {[f'{row.erp_id} {line.minor}' for row, line in zip(chosen, lines, strict=True)]}"

    def _part(self, available: int) -> int:
        shape = self.random.random()
        if shape < 0.6:
            return available
        return available + 1 if shape > 0.97 else self.random.randint(1, available)

    async def _submit_again(self) -> str | None:
        request = self.one_of(self.requests)
        if request is None:
            return None
        if self.random.random() < 0.2:
            request = dataclasses.replace(request, request_hash="another form", lines=request.lines[:1])
        self.town.registry.pay(request)
        return request.payment_id[-4:]

    async def _save_method(self) -> str | None:
        resident = self.town.somebody()
        setup_id = ids.compose("set", at_ms=1_772_000_000_000, entropy=self.random.randbytes(10))
        request = SetupRequest(
            setup_id=setup_id,
            customer_id=resident.id,
            kind=MethodKind.CARD,
            currency=resident.currency,
            consent_wording="You may keep it.",
            return_path="/methods",
            connection_id=PROVIDER,
            request_hash="form",
            started_by=resident.erp_id,
        )
        steps = self.town.registry.known_steps()
        self.town.registry.start(f"setup/{setup_id}", lambda each: add_payment_method(each, steps, request))
        return resident.erp_id

    async def _at_the_page(self) -> str | None:
        charge = self.one_of([each for each in self._charges() if each.status is ChargeStatus.NEEDS_CUSTOMER])
        if charge is None:
            return None
        what = self.random.choice(PAGES_TAKE)
        if what == "leaves":
            pass  # the page stays open until its end
        elif what == "declined" and charge.is_page:
            charge.failure_code = "declined"
        elif what == "declined":
            self.town.provider.move(charge, ChargeStatus.DECLINED)
        else:
            charge.behaviour = what if charge.is_page else "ok"
            self.town.provider.accept(charge)
        process = self.town.registry.running.get(f"payment/{charge.our_ref[:30]}")
        if process is not None and self.random.random() < 0.7:
            process.hint()  # the browser came back
        return f"{charge.our_ref[26:]} {what}"

    def _charges(self) -> list[Charge]:
        return list(self.town.provider.charges.values())

    async def _at_the_setup(self) -> str | None:
        provider = self.town.provider
        setup = self.one_of([each for each in provider.setups.values() if each.status is SetupStatus.OPEN])
        if setup is None:
            return None
        setup.method = provider.keep_method(setup.kind, self.random.choice(CARDS))
        provider.end_setup(setup, SetupStatus.COMPLETED)
        return setup.id

    async def _link(self) -> str | None:
        """A link opens the account that it was made for, and none after its end."""
        town, at = self.town, self.town.stage.clock()
        async with town.database.begin("simulation") as tx:
            if not self.links or self.random.random() < 0.5:
                resident = self.random.choice(town.residents)
                link = await access.create_link(tx, resident.id, by="s", at=at, days=self.random.choice((1, 90)))
                self.links.append((link.token, resident))
                return f"made for {resident.erp_id}"
            token, resident = self.random.choice(self.links)
            preview = await access.preview_link(tx, token, at=at)
            session = await access.open_session(tx, token, at=at)
            assert (session is not None) is preview.opens
            if session is None:
                return "is over"
            loaded = await access.load_session(tx, session.token, at=at)
        assert loaded is not None
        assert loaded.family == (resident.id,), "a link opens the account that it was made for"
        return f"used by {resident.erp_id}"

    # ------------------------------------------------------------ events on their way

    async def _deliver(self) -> str | None:
        told = self.one_of(self.town.provider.outgoing)
        if told is None:
            return None
        self.town.receive(told)
        await self.town.stage.settle()
        return f"{told.kind} {told.our_ref[26:]}"

    async def _deliver_twice(self) -> str | None:
        told = self.one_of(self.town.provider.outgoing)
        if told is None:
            return None
        self.town.faults += 1
        for _ in range(2):
            self.town.receive(told)
        await self.town.stage.settle()
        return f"{told.kind} {told.our_ref[26:]}"

    async def _lose_delivery(self) -> str | None:
        """Lost for good where a poll finds it out; what only an event tells is delivered again for days."""
        if isinstance(self.town.provider, FarListener):
            return self._lose_for_hours(self.town.provider)
        told = self.one_of(self.town.provider.outgoing)
        if told is None or told.claims in {ChargeStatus.SETTLED, ChargeStatus.RETURNED} or "disputed" in told.kind:
            return None
        is_asked_about = f"{'refund' if told.kind.startswith('refund') else 'payment'}/{told.our_ref[:30]}"
        if is_asked_about not in self.town.registry.running or not self._may_be_lost(told):
            return None
        self.town.faults += 1
        self.town.acknowledge(told)
        return f"{told.kind} {told.our_ref[26:]}"

    def _lose_for_hours(self, provider: FarListener) -> str | None:
        told = self.one_of(provider.outgoing)
        if told is None:
            return None
        self.town.faults += 1
        provider.withhold(told, until=self.town.stage.now + self.random.choice(PAUSES))
        return f"{told.kind} {told.our_ref[26:]}, until it is told again"

    def _may_be_lost(self, told: Told) -> bool:
        if told.kind.startswith("refund"):
            return True
        charge = self.town.provider.charges.get(told.object_id)
        return charge is not None and not charge.is_haunted

    # ------------------------------------------------------------ banks

    async def _bank_acts(self) -> str | None:
        """A card's money is settled, disputed, or the dispute ends."""
        cards = [each for each in self._charges() if not each.behaviour.startswith("debit")]
        charge = self.one_of(
            [each for each in cards if each.status in {ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.DISPUTED}]
        )
        if charge is None:
            return None
        ends = {
            ChargeStatus.CAPTURED: (ChargeStatus.SETTLED, ChargeStatus.DISPUTED),
            ChargeStatus.SETTLED: (ChargeStatus.DISPUTED,),
            ChargeStatus.DISPUTED: (ChargeStatus.RETURNED, ChargeStatus.SETTLED),
        }
        status = self.random.choice(ends[charge.status])
        self.town.provider.move(charge, status)
        return f"{charge.our_ref[26:]} {status.value}"

    async def _money_after_all(self) -> str | None:
        """A page that the provider called over was paid in its last second, and it finds that out late."""
        over = {ChargeStatus.EXPIRED, ChargeStatus.CANCELED}
        charge = self.one_of([each for each in self._charges() if each.status in over])
        if charge is None:
            return None
        self.town.faults += 1
        self.town.provider.move(charge, ChargeStatus.CAPTURED, is_haunting=True)
        return charge.our_ref[26:]

    # ------------------------------------------------------------ people in the ERP

    async def _person_acts(self) -> str | None:
        erp = self.town.erp
        owner = self.town.somebody().erp_id
        invoice = self.random.choice([each for each in erp.invoices.values() if each.customer == owner])
        left = max(erp.open(invoice.id), 0)
        what = self.random.choice(
            ("pays", "pays", "pays a part", "raises", "lowers", "disputes", "resolves", "voids", "new")
        )
        if what in {"pays", "pays a part"}:
            erp.pay_by_hand(invoice.id, max(left if what == "pays" else left // 3, 1))
        elif what in {"raises", "lowers"}:
            erp.change_total(invoice.id, max(invoice.total.minor + (500 if what == "raises" else -90), 1))
        elif what == "new":
            name = f"{invoice.customer}-{len(erp.invoices)}"
            erp.add_invoice(name, invoice.customer, Money.of(4_000, invoice.total.currency), issued_on=date(2026, 3, 1))
        elif what == "voids":
            if erp.settled(invoice.id):
                return None
            erp.change_status(invoice.id, ErpInvoiceStatus.VOID)
        else:
            erp.change_status(invoice.id, ErpInvoiceStatus.IN_DISPUTE if what == "disputes" else ErpInvoiceStatus.OPEN)
        self.town.faults += 1
        return f"{what} {invoice.id}"

    async def _person_at_our_payment(self) -> str | None:
        erp = self.town.erp
        ours: list[Document] = [each for each in erp.documents if each.reference and each.stands and each.on]
        document = self.one_of(ours)
        if document is None:
            return None
        self.town.faults += 1
        if self.random.random() < 0.5:
            erp.delete(document)
            return f"deletes {document.reference}"
        invoice_id = self.random.choice(sorted(document.on))
        erp.edit(document, invoice_id, self.random.choice((-1, 1)) if document.on[invoice_id] > 1 else 1)
        return f"edits {document.reference}"

    # ------------------------------------------------------------ the house

    async def _staff_sends_again(self) -> str | None:
        """What the ERP refused goes out once more; it may be refused again."""
        rows = await self.town.rows("SELECT id, attempts FROM postings WHERE state = 'refused' ORDER BY id")
        chosen = self.one_of(rows)
        if chosen is None:
            return None
        order = SendAgain(posting_id=chosen.id, attempts=chosen.attempts, by="staff")
        steps = self.town.registry.known_steps()
        self.town.registry.start(f"again/{chosen.id}/{chosen.attempts}", lambda each: send_posting_again(each, steps, order))
        return str(chosen.id[26:])

    async def _sync(self) -> str | None:
        self.town.sync()
        await self.town.stage.settle()
        return ""

    async def _read_it_all_again(self) -> str | None:
        """A cursor is lost: pages overlap with what was read and with what is being posted."""
        async with self.town.database.begin("simulation") as tx:
            await tx.run("UPDATE sync_cursors SET cursor = ''")
        return await self._sync()

    async def _sweep(self) -> str | None:
        self.town.sweep()
        await self.town.stage.settle()
        return ""

    async def _outage(self) -> str | None:
        self.town.faults += 1
        far: Any = self.random.choice((self.town.provider, self.town.erp))
        far.is_down = not far.is_down
        return f"{far.name} is {'down' if far.is_down else 'back'}"

    async def _worker_dies(self) -> str | None:
        ticket = self.one_of(self.town.tickets())
        if ticket is None:
            return None
        self.town.faults += 1
        await self.town.stage.kill(ticket.attempt)
        return f"{ticket.attempt.name} before {ticket.point}"

    async def _worker_stands_still(self) -> str | None:
        """It is missed and another takes over; it may go on at any later time."""
        still = [each for each in self.town.tickets() if not each.attempt.is_given_up and each.stop != "leave"]
        ticket = self.one_of([each for each in still if each.attempt.name != "door"])
        if ticket is None:
            return None
        self.town.faults += 1
        await self.town.stage.give_up(ticket.attempt)
        return f"{ticket.attempt.name} before {ticket.point}"

    async def _process_is_lost(self) -> str | None:
        name = self.one_of(sorted(each for each in self.town.registry.running if each.startswith(("payment/", "apply/"))))
        if name is None:
            return None
        self.town.faults += 1
        self.town.registry.forget(name)
        await self.town.stage.settle()
        return name[-4:]

    async def _setting(self) -> str | None:
        name, value = self.random.choice(
            (
                ("partial_payment", False), ("partial_payment", True), ("one_time_payment", False),
                ("one_time_payment", True), ("pay_disputed", True), ("card_limit", {"USD": 40_000}), ("card_limit", {}),
                ("minimum_payment", "overdue"), ("minimum_payment", "none"),
                ("approval_limit", {"USD": 5_000, "EUR": 900}), ("approval_limit", {}),
            )
        )  # fmt: skip
        async with self.town.database.begin("simulation") as tx:
            await business.change(tx, name, value, by="staff", at=self.town.stage.clock())
        return f"{name} = {value}"

    async def _time(self) -> str | None:
        pause = self.random.choice(PAUSES)
        await self.town.move_clock(pause)
        return str(pause)
