"""What is read of NetSuite's books before something is written: payments and credit memos with their lists, invoices.

Lists of a record are keyed by the document that a line is for:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/article_0224093711.html (customer payment)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.erp.netsuite import references, wire
from connectors.erp.netsuite.client import NetSuiteClient
from connectors.errors import Misconfigured
from domain.money import Money

PAYMENT: Final = "customerPayment"
MEMO: Final = "creditMemo"
ENTRY: Final = "journalEntry"
BATCH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A payment or a credit memo as it stands: `onto` is what of it lies on invoices, `entries` what journal entries took
    of it, `given` what they gave it.
    """

    kind: str
    id: str
    number: str
    external: str | None
    customer: str
    total: Money
    onto: Mapping[str, Money]
    entries: Mapping[str, Money]
    given: Mapping[str, Money]
    note: str
    is_void: bool

    @property
    def pool(self) -> Money:
        """What lies on nothing."""
        rest = self.total
        for amount in self.given.values():
            rest += amount
        for amount in (*self.onto.values(), *self.entries.values()):
            rest -= amount
        return rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What is open of an invoice, and whose it is."""

    id: str
    number: str
    customer: str
    parent: str | None
    open: Money


class Documents:
    """Each method raises ConnectorError, and KeyError, TypeError or ValueError on what is malformed."""

    def __init__(self, client: NetSuiteClient) -> None:
        self._client = client
        self._symbols: dict[str, str] = {}

    async def currency_id(self, symbol: str) -> str:
        """The internal id of a currency. Raises Misconfigured without one."""
        await self._read_currencies(symbol in self._symbols.values())
        for each, known in self._symbols.items():
            if known == symbol:
                return each
        raise Misconfigured(f"NetSuite has no currency {symbol}.")

    async def holder(self, kind: str, named: str) -> Holder | None:
        """A record by its id, or by `eid:` and its external id; None where there is none."""
        row = await self._client.get(f"/{kind}/{named}")
        if row is None:
            return None
        erp_id = str(row["id"])
        currency = await self._symbol(str(row["currency"]["id"]))
        applied = await self._client.items(f"/{kind}/{erp_id}/apply")
        credited = await self._client.items(f"/{kind}/{erp_id}/credit") if kind == PAYMENT else []
        return Holder(
            kind=kind,
            id=erp_id,
            number=str(row.get("tranId") or erp_id),
            external=str(row["externalId"]) if row.get("externalId") else None,
            customer=str(row[{PAYMENT: "customer", MEMO: "entity"}[kind]]["id"]),
            total=wire.amount(row["payment" if kind == PAYMENT else "total"], currency),
            onto=_on(applied, "Invoice", currency),
            entries=_on(applied, "Journal", currency),
            given=_on(credited, "Journal", currency),
            note=references.note_of(row.get("memo")),
            is_void=bool(row.get("voided")),
        )

    async def notes(self, kind: str, ids: Iterable[str]) -> list[str]:
        """The notes of records."""
        found = [await self._client.get(f"/{kind}/{each}") for each in sorted(ids)]
        return [references.note_of(row.get("memo")) for row in found if row is not None]

    async def open_invoices(self, ids: Iterable[str]) -> dict[str, Open]:
        """What is open of invoices, by id; one that is none is left out."""
        found: dict[str, Open] = {}
        wanted = sorted({each for each in ids if is_number(each)}, key=int)
        for at in range(0, len(wanted), BATCH):
            rows = await self._client.rows(
                "SELECT t.id, t.tranid, t.entity, k.parent, c.symbol, t.foreignamountunpaid AS unpaid"  # noqa: S608 - numbers
                " FROM transaction t"
                " JOIN currency c ON c.id = t.currency JOIN customer k ON k.id = t.entity"
                f" WHERE t.type = 'CustInvc' AND t.id IN ({','.join(wanted[at : at + BATCH])}) ORDER BY t.id"
            )
            for row in rows:
                found[str(row["id"])] = Open(
                    id=str(row["id"]),
                    number=str(row.get("tranid") or row["id"]),
                    customer=str(row["entity"]),
                    parent=str(row["parent"]) if row.get("parent") else None,
                    open=wire.amount(row.get("unpaid"), row["symbol"]),
                )
        return found

    async def _symbol(self, currency_id: str) -> str:
        await self._read_currencies(currency_id in self._symbols)
        return self._symbols[currency_id]

    async def _read_currencies(self, is_known: bool) -> None:
        if not is_known:
            rows = await self._client.rows("SELECT id, symbol FROM currency ORDER BY id")
            self._symbols = {str(row["id"]): str(row["symbol"]) for row in rows}


def is_number(text: str) -> bool:
    """Whether a text can be an internal id."""
    return text.isascii() and text.isdigit() and len(text) < 19


def _on(lines: Iterable[wire.Wire], kind: str, currency: str) -> dict[str, Money]:
    """What is ticked of a list, by document; the list has everything that could be ticked."""
    return {
        str(line["doc"]["id"]): wire.amount(line["amount"], currency)
        for line in lines
        if line.get("apply") and line.get("type") == kind
    }
