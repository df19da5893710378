"""Customers, invoices and payments written straight into a database: what a page shows, without waiting for an ERP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from store.identity import fresh_id
from tests.machine import administrator

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
ALL_KINDS = {"card": ["GBP", "EUR", "USD"], "bacs_debit": ["GBP"]}


@dataclass(slots=True)
class Accounts:
    """Writes as the superuser. Every method returns the new id."""

    url: str  # postgresql://…
    now: datetime = NOON
    numbers: dict[str, int] = field(default_factory=dict)

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        administrator(self.url).execute(statement.encode(), values)

    def run_unchecked(self, statement: str, values: Sequence[Any] = ()) -> None:
        """The same with every foreign key asleep: a million rows of one customer need not be asked whose they are."""
        with psycopg.connect(self.url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(statement.encode(), values)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return administrator(self.url).execute(statement.encode(), values).fetchall()

    def _insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        places = ", ".join("%s" for _ in values)
        self.run(f"INSERT INTO {table} ({names}) VALUES ({places})", list(values.values()))

    def _number(self, prefix: str) -> int:
        self.numbers[prefix] = self.numbers.get(prefix, 0) + 1
        return self.numbers[prefix]

    def setting(self, name: str, value: object) -> None:
        version = len(self.rows("SELECT 1 FROM settings WHERE name = %s", [name])) + 1
        self._insert("settings", name=name, version=version, value=json.dumps(value), changed_by="test", changed_at=self.now)

    def provider(self, offers: Mapping[str, Any] | None = None, *, connection_id: str = "sandbox") -> str:
        self._insert(
            "connections", id=connection_id, role="payments", connector="sandbox", mode="sandbox",
            offers=json.dumps(ALL_KINDS if offers is None else offers), changed_at=self.now,
        )  # fmt: skip
        return connection_id

    def customer(
        self, name: str = "Brightwater Facilities Ltd", *, currency: str = "GBP", parent: str | None = None,
        country: str = "GB", time_zone: str = "Europe/London", email: str | None = "accounts@brightwater.example",
    ) -> str:  # fmt: skip
        customer_id = fresh_id("cus")
        self._insert(
            "customers", id=customer_id, connection_id="demo", erp_id=customer_id, number=f"C{self._number('C'):04}",
            name=name, currency=currency, email=email, country=country, time_zone=time_zone, parent_id=parent,
            changed_at=self.now,
        )  # fmt: skip
        return customer_id

    def invoice(
        self, customer: str, total: int, *, number: str | None = None, site: str | None = None, settled: int = 0,
        issued_on: date | None = None, due_on: date | None = None, status: str = "open", currency: str = "GBP",
        parent: str | None = None, is_parent: bool = False, po_number: str | None = None, paid_on: date | None = None,
        paused: bool = False, lines: Sequence[Mapping[str, Any]] = (), settlements: Sequence[Mapping[str, Any]] = (),
        terms: str | None = None, discount: int | None = None, contact_email: str | None = None,
    ) -> str:  # fmt: skip
        invoice_id = fresh_id("inv")
        issued = issued_on or TODAY - timedelta(days=20)
        self._insert(
            "invoices", id=invoice_id, connection_id="demo", erp_id=invoice_id, customer_id=customer, parent_id=parent,
            is_parent=is_parent, number=number or f"INV-{2000 + self._number('INV')}", site=site, po_number=po_number,
            terms=terms, currency=currency, issued_on=issued, due_on=due_on or issued + timedelta(days=30),
            paid_on=paid_on, status=status, status_word=status, paused=paused, total=total, settled=settled, read_seq=1,
            discount=discount, lines=json.dumps(list(lines)), settlements=json.dumps(list(settlements)),
            contact_email=contact_email, changed_at=self.now,
        )  # fmt: skip
        return invoice_id

    def credit(
        self, customer: str, total: int, *, used: int = 0, kind: str = "credit_note", currency: str = "GBP",
        issued_on: date | None = None, number: str | None = None, deleted: bool = False,
    ) -> str:  # fmt: skip
        credit_id = fresh_id("crd")
        self._insert(
            "credits", id=credit_id, connection_id="demo", erp_id=credit_id, customer_id=customer,
            number=number or f"CN-{100 + self._number('CN')}", kind=kind, currency=currency,
            issued_on=issued_on or TODAY - timedelta(days=30), total=total, used=used, read_seq=1, deleted=deleted,
            changed_at=self.now,
        )  # fmt: skip
        return credit_id

    def apply_request(
        self, customer: str, credit: str, lines: Mapping[str, int], *, state: str = "submitted", **more: Any
    ) -> str:
        """A request with what it holds on both sides, while it waits for a person."""
        request_id = more.pop("request_id", None) or fresh_id("req")
        total = sum(lines.values())
        self._insert(
            "apply_requests", id=request_id, customer_id=customer, credit_id=credit, currency="GBP", amount=total,
            state=state, run_id="run", request_hash="hash", channel="portal",
            **{"requested_by": "A. Cole", "opened_at": self.now, "changed_at": self.now, **more},
        )  # fmt: skip
        for position, (invoice, amount) in enumerate(lines.items()):
            self._insert(
                "apply_lines", request_id=request_id, invoice_id=invoice, customer_id=customer, amount=amount,
                position=position,
            )  # fmt: skip
            if state in {"submitted", "asked", "second", "posting_failed"}:
                self._insert(
                    "holds", holder_id=request_id, invoice_id=invoice, customer_id=customer, amount=amount,
                    held_at=self.now,
                )  # fmt: skip
        if state in {"submitted", "asked", "second", "posting_failed"}:
            self._insert(
                "credit_holds", holder_id=request_id, credit_id=credit, customer_id=customer, amount=total,
                held_at=self.now,
            )  # fmt: skip
        return request_id

    def hold(self, invoice: str, customer: str, amount: int, *, by: str = "A. Cole", state: str = "processing") -> str:
        payment_id = self.payment(customer, {invoice: amount}, state=state, by=by)
        self._insert(
            "holds", holder_id=payment_id, invoice_id=invoice, customer_id=customer, amount=amount,
            held_at=self.now - timedelta(minutes=3),
        )  # fmt: skip
        return payment_id

    def payment(
        self, customer: str, lines: Mapping[str, int], *, state: str, by: str = "portal link", currency: str = "GBP",
        kind: str = "card", label: str = "Visa ending 4242", payment_id: str | None = None,
        opened_at: datetime | None = None, **more: Any,
    ) -> str:  # fmt: skip
        payment_id = payment_id or fresh_id("pay")
        at = opened_at or self.now - timedelta(minutes=3)
        self._insert(
            "payments", id=payment_id, customer_id=customer, connection_id="sandbox", currency=currency,
            amount=sum(lines.values()), state=state, run_id="run", way="saved", method_kind=kind,
            method_label=label, channel="portal", started_by=by, opened_at=at, changed_at=at,
            **{"request_hash": "hash", **more},
        )  # fmt: skip
        for position, (invoice, amount) in enumerate(lines.items()):
            self._insert(
                "payment_lines", payment_id=payment_id, invoice_id=invoice, customer_id=customer, amount=amount,
                position=position,
            )  # fmt: skip
        return payment_id

    def event(
        self, process: str, customer: str, kind: str, *, minutes: int = 0, at: datetime | None = None, **facts: Any
    ) -> None:
        self._insert(
            "timeline", id=fresh_id("evt"), process_id=process, customer_id=customer, kind=kind,
            facts=json.dumps(facts), at=at or self.now - timedelta(minutes=3 - minutes),
        )  # fmt: skip

    def method(
        self, customer: str, *, kind: str = "card", brand: str = "visa", last4: str = "4242", state: str = "active",
        is_default: bool = False, expires: tuple[int, int] | None = (4, 2028),
    ) -> str:  # fmt: skip
        method_id = fresh_id("pm")
        month, year = expires if expires is not None else (None, None)
        self._insert(
            "payment_methods", id=method_id, customer_id=customer, connection_id="sandbox", token=f"tok_{method_id}",
            kind=kind, brand=brand, last4=last4, exp_month=month, exp_year=year, state=state, is_default=is_default,
            added_by="portal link", added_at=self.now, changed_at=self.now,
        )  # fmt: skip
        return method_id

    def setup(self, customer: str, *, state: str, kind: str = "card", setup_id: str | None = None, **more: Any) -> str:
        setup_id = setup_id or fresh_id("set")
        self._insert(
            "method_setups", id=setup_id, customer_id=customer, connection_id="sandbox", kind=kind, currency="GBP",
            state=state, run_id="run", consent_wording="yes", started_by="portal link", channel="portal",
            opened_at=self.now, changed_at=self.now,
            **{"request_hash": "hash", "return_path": "/methods", **more},
        )  # fmt: skip
        return setup_id
