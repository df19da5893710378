"""Customers, invoices, credits, payments and quotes of one company, as they stand now and as they changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from connectors.erp.erpnext import translate
from connectors.erp.erpnext.accounts import Accounts
from connectors.erp.erpnext.client import ErpNextClient
from connectors.erp.erpnext.cursors import Key, Source, Stream
from connectors.erp.erpnext.finding import PAYMENT_FIELDS, currency_of
from connectors.erp.erpnext.ledger import CANCELLED, CUSTOMER, INVOICE, JOURNAL, LEDGER, PAYMENT, SUBMITTED, Entry, Ledger
from connectors.erp.erpnext.ledger import standing as standing_of
from connectors.erp.ports import ErpCredit, ErpCustomer, ErpInvoice, ErpPayment, ErpQuote
from domain.ids import is_our_reference
from domain.money import Money

LOOSENED: Final = "Unreconcile Payment"
QUOTE: Final = "Quotation"
_IN_BOOKS: Final = ["docstatus", "in", [SUBMITTED, CANCELLED]]
_INVOICE_FIELDS: Final = (
    *("name", "customer", "docstatus", "status", "currency", "party_account_currency", "posting_date", "due_date"),
    *("grand_total", "rounded_total", "disable_rounded_total", "total_taxes_and_charges", "po_no"),
    *("payment_terms_template", "contact_email", "is_return", "return_against"),
)
_ITEM_FIELDS: Final = ("name", "parent", "idx", "item_name", "description", "qty", "net_rate", "net_amount")
_CUSTOMER_FIELDS: Final = ("name", "customer_name", "default_currency", "email_id", "disabled")
_QUOTE_FIELDS: Final = (
    *("name", "party_name", "docstatus", "status", "currency", "transaction_date", "valid_till"),
    *("grand_total", "rounded_total", "disable_rounded_total", "total_taxes_and_charges"),
)

Rows = Mapping[str, Any]


class Reading:
    """What the connector reads. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(
        self, client: ErpNextClient, ledger: Ledger, accounts: Accounts, *, company: str, overlap: timedelta
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._accounts = accounts
        self._company = ["company", "=", company]
        given: dict[str, Any] = {"client": client, "clock": client.time, "overlap": overlap}
        documents = [self._company, _IN_BOOKS]
        payments = [*documents, ["party_type", "=", CUSTOMER], ["payment_type", "=", "Receive"]]
        # A payment or an application need not touch the invoice that it changes: the ledger's rows tell of it.
        changes = [
            Source(
                doctype=LEDGER,
                filters=[self._company, ["party_type", "=", CUSTOMER]],
                fields=("voucher_type", "voucher_no", "against_voucher_type", "against_voucher_no"),
                about=_of_ledger,
                is_main=False,
            ),
            Source(doctype=LOOSENED, filters=[self._company], fields=(), about=self._loosened, is_main=False),
        ]
        self.customers: Stream[ErpCustomer] = Stream(
            sources=[
                Source(doctype=CUSTOMER, filters=[], fields=(), about=_named(CUSTOMER)),
                Source(doctype="Contact", filters=[], fields=(), about=self._contacted, is_main=False),
            ],
            read=self._customers,
            **given,
        )
        of_invoice = Source(doctype=INVOICE, filters=[*documents, ["is_return", "=", 0]], fields=(), about=_named(INVOICE))
        of_note = Source(doctype=INVOICE, filters=[*documents, ["is_return", "=", 1]], fields=(), about=_named(INVOICE))
        of_payment = Source(doctype=PAYMENT, filters=payments, fields=(), about=_named(PAYMENT))
        self.invoices: Stream[ErpInvoice] = Stream(sources=[of_invoice, *changes], read=self._invoices, **given)
        self.credits: Stream[ErpCredit] = Stream(sources=[of_note, of_payment, *changes], read=self._credits, **given)
        self.payments: Stream[ErpPayment] = Stream(sources=[of_payment, *changes], read=self._payments, **given)
        of_quote = [*documents, ["quotation_to", "=", CUSTOMER]]
        self.quotes: Stream[ErpQuote] = Stream(
            sources=[Source(doctype=QUOTE, filters=of_quote, fields=(), about=_named(QUOTE))], read=self._quotes, **given
        )

    async def invoices_by_id(self, names: Iterable[str]) -> Sequence[ErpInvoice]:
        """Those invoices; what is none is left out."""
        return list((await self._invoices([(INVOICE, name) for name in dict.fromkeys(names)])).values())

    async def credits_by_id(self, keys: Iterable[Key]) -> Sequence[ErpCredit]:
        """Those credits; what is none is left out."""
        return list((await self._credits(list(dict.fromkeys(keys)))).values())

    # ------------------------------------------------------------ what changed

    async def _loosened(self, row: Rows) -> Sequence[Key]:
        whole = await self._client.document(LOOSENED, str(row["name"])) or {}
        found = [(str(each["reference_doctype"]), str(each["reference_name"])) for each in whole.get("allocations", ())]
        return [*found, (str(whole.get("voucher_type")), str(whole.get("voucher_no")))]

    async def _contacted(self, row: Rows) -> Sequence[Key]:
        filters = [["link_doctype", "=", CUSTOMER], ["parent", "=", row["name"]], ["parenttype", "=", "Contact"]]
        links = await self._client.every("Dynamic Link", filters, ("link_name",), parent="Contact")
        return [(CUSTOMER, str(each["link_name"])) for each in links]

    # ------------------------------------------------------------ rows

    async def _customers(self, keys: Sequence[Key]) -> Mapping[Key, ErpCustomer]:
        names = _names(keys, CUSTOMER)
        if not names:
            return {}
        rows = await self._client.named(CUSTOMER, "name", names, [], _CUSTOMER_FIELDS)
        filters = [["link_doctype", "=", CUSTOMER], ["parenttype", "=", "Contact"]]
        links = await self._client.named(
            "Dynamic Link", "link_name", names, filters, ("parent", "link_name"), parent="Contact"
        )
        contacts = {
            str(each["name"]): each
            for each in await self._client.named(
                "Contact", "name", [str(each["parent"]) for each in links], [], ("name", "full_name", "email_id")
            )
        }
        home, zone = await self._accounts.home(), (await self._client.time()).zone
        found = {}
        for row in rows:
            mine = [str(each["parent"]) for each in links if each["link_name"] == row["name"]]
            people = [contacts[each] for each in sorted(mine) if each in contacts]
            found[CUSTOMER, str(row["name"])] = translate.customer(row, people, home=home, time_zone=zone)
        return found

    async def _invoices(self, keys: Sequence[Key]) -> Mapping[Key, ErpInvoice]:
        names = _names(keys, INVOICE)
        if not names:
            return {}
        filters = [self._company, _IN_BOOKS, ["is_return", "=", 0]]
        rows = await self._client.named(INVOICE, "name", names, filters, _INVOICE_FIELDS)
        there = [str(row["name"]) for row in rows]
        entries = _by_document(await self._ledger.against(there))
        origins = await self._origins([each for name in there for each in entries.get((INVOICE, name), ())])
        items = await self._items(f"{INVOICE} Item", INVOICE, there)
        return {
            (INVOICE, str(row["name"])): translate.invoice(
                row, items.get(str(row["name"]), []), entries.get((INVOICE, str(row["name"])), []), origins
            )
            for row in rows
        }

    async def _items(self, doctype: str, parent: str, names: Sequence[str]) -> dict[str, list[Rows]]:
        rows = await self._client.named(doctype, "parent", names, [["parenttype", "=", parent]], _ITEM_FIELDS, parent=parent)
        found: dict[str, list[Rows]] = {}
        for row in sorted(rows, key=lambda row: int(row["idx"])):
            found.setdefault(str(row["parent"]), []).append(row)
        return found

    async def _origins(self, entries: Sequence[Entry]) -> Mapping[tuple[str, str], translate.Origin]:
        """What the documents are that stand on invoices."""
        names = {
            kind: sorted({each.voucher[1] for each in entries if each.voucher[0] == kind}) for kind in (PAYMENT, JOURNAL)
        }
        found: dict[tuple[str, str], translate.Origin] = {}
        for row in await self._client.named(PAYMENT, "name", names[PAYMENT], [], ("name", "reference_no")):
            found[PAYMENT, str(row["name"])] = translate.payment_origin(row)
        if names[JOURNAL]:
            noted = await self._journals_of_notes(names[JOURNAL])
            fields = ("name", "voucher_type", "cheque_no")
            for row in await self._client.named(JOURNAL, "name", names[JOURNAL], [], fields):
                name = str(row["name"])
                found[JOURNAL, name] = translate.journal_origin(row, is_of_note=name in noted)
        return found

    async def _journals_of_notes(self, journals: Sequence[str]) -> set[str]:
        """Of these Journal Entries, those that take from a credit note."""
        written = [each for each in await self._ledger.of(journals) if each.voucher[0] == JOURNAL]
        against = sorted({each.against[1] for each in written if each.against[0] == INVOICE})
        rows = await self._client.named(INVOICE, "name", against, [["is_return", "=", 1]], ("name",))
        notes = {str(row["name"]) for row in rows}
        return {each.voucher[1] for each in written if each.against[1] in notes}

    async def _credits(self, keys: Sequence[Key]) -> Mapping[Key, ErpCredit]:
        found: dict[Key, ErpCredit] = {}
        filters = [self._company, _IN_BOOKS, ["is_return", "=", 1]]
        rows = await self._client.named(INVOICE, "name", _names(keys, INVOICE), filters, _INVOICE_FIELDS)
        for row in rows:
            currency, name = str(row["currency"]), str(row["name"])
            if row["party_account_currency"] not in (None, "", currency):
                continue  # Its money is kept in another currency: it cannot be put on anything to the cent.
            onto, on = await self.note_standing(name, currency)
            left = -(await self._ledger.open_of((INVOICE, name), currency))
            applications = translate.applied(onto, on, date.fromisoformat(row["posting_date"]))
            found[INVOICE, name] = translate.credit_note(row, left, applications)
        for row in await self._payment_rows(keys):
            if not is_our_reference(row["reference_no"]):
                mine = await self._written_by(row)
                on = {each.against[1]: each.on for each in mine}
                standing = standing_of(str(row["name"]), currency_of(row), mine)
                found[PAYMENT, str(row["name"])] = translate.payment_by_hand(row, standing, on)
        return found

    async def note_standing(self, note: str, currency: str) -> tuple[dict[str, Money], dict[str, date]]:
        """Where the money of a credit note stands by itself and by Journal Entries over it, and since when."""
        against = await self._ledger.against([note])
        own = [each for each in await self._ledger.of([note]) if each.voucher == (INVOICE, note)]
        journals = sorted({each.voucher[1] for each in against if each.voucher[0] == JOURNAL})
        written = [each for each in await self._ledger.of(journals) if each.voucher[0] == JOURNAL] if journals else []
        onto: dict[str, Money] = {}
        on: dict[str, date] = {}
        for each in (*own, *written):
            if each.against[0] == INVOICE and each.against[1] != note and each.amount.currency == currency:
                onto[each.against[1]] = onto.get(each.against[1], Money.zero(currency)) - each.amount
                on[each.against[1]] = each.on
        return {name: amount for name, amount in onto.items() if amount.minor}, on

    async def _payments(self, keys: Sequence[Key]) -> Mapping[Key, ErpPayment]:
        found = {}
        for row in await self._payment_rows(keys):
            standing = standing_of(str(row["name"]), currency_of(row), await self._written_by(row))
            found[PAYMENT, str(row["name"])] = translate.payment(row, standing)
        return found

    async def _payment_rows(self, keys: Sequence[Key]) -> list[dict[str, Any]]:
        filters = [self._company, _IN_BOOKS, ["party_type", "=", CUSTOMER], ["payment_type", "=", "Receive"]]
        return await self._client.named(PAYMENT, "name", _names(keys, PAYMENT), filters, PAYMENT_FIELDS)

    async def _written_by(self, row: Rows) -> list[Entry]:
        return [each for each in await self._ledger.of([str(row["name"])]) if each.voucher[0] == PAYMENT]

    async def _quotes(self, keys: Sequence[Key]) -> Mapping[Key, ErpQuote]:
        rows = await self._client.named(QUOTE, "name", _names(keys, QUOTE), [self._company], _QUOTE_FIELDS)
        items = await self._items(f"{QUOTE} Item", QUOTE, [str(row["name"]) for row in rows])
        return {(QUOTE, str(row["name"])): translate.quote(row, items.get(str(row["name"]), [])) for row in rows}


def credit_key(erp_id: str) -> Key | None:
    """The key of a credit that we named, `note:NAME` or `payment:NAME`; None for a stranger's text."""
    kind, _, name = erp_id.partition(":")
    kinds = {translate.NOTE: INVOICE, translate.BY_HAND: PAYMENT}
    return (kinds[kind], name) if kind in kinds and name else None


def _named(kind: str) -> Callable[[Rows], Awaitable[Sequence[Key]]]:
    async def about(row: Rows) -> Sequence[Key]:
        return [(kind, str(row["name"]))]

    return about


async def _of_ledger(row: Rows) -> Sequence[Key]:
    keys = [(str(row[f"{side}_type"]), str(row[f"{side}_no"])) for side in ("voucher", "against_voucher")]
    return list(dict.fromkeys(keys))


def _names(keys: Sequence[Key], kind: str) -> list[str]:
    return [name for each, name in dict.fromkeys(keys) if each == kind]


def _by_document(entries: Sequence[Entry]) -> dict[tuple[str, str], list[Entry]]:
    found: dict[tuple[str, str], list[Entry]] = {}
    for each in entries:
        found.setdefault(each.against, []).append(each)
    return found
