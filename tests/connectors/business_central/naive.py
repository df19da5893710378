"""Somebody who knows Business Central less well: one journal for all, and the calls of a first tutorial."""

from typing import Any

import httpx

from connectors.conformance.erp_harness import ON
from tests.connectors.business_central.harness import BusinessCentralHarness

JOURNAL = "customerPaymentJournals"


def line(customer: str, number: str, amount: float, invoice: str | None = None) -> dict[str, Any]:
    """A line of a customer payment journal."""
    values = {"customerId": customer, "postingDate": ON.isoformat(), "documentNumber": number, "amount": amount}
    return {**values, "description": "Payment", **({"appliesToInvoiceId": invoice} if invoice is not None else {})}


async def journal(central: BusinessCentralHarness, table: str = JOURNAL, code: str = "CASH") -> str:
    """A journal; answers its id."""
    (account,) = (await central.raw("GET", "accounts", **{"$filter": "number eq '2920'"})).json()["value"]
    made = await central.raw("POST", table, {"code": code, "displayName": code, "balancingAccountId": account["id"]})
    found: str = made.raise_for_status().json()["id"]
    return found


async def add(central: BusinessCentralHarness, journal_id: str, values: object, table: str = JOURNAL) -> None:
    """A line is written. Raises httpx.HTTPError without an answer that is one."""
    part = "customerPayments" if table == JOURNAL else "journalLines"
    (await central.raw("POST", f"{table}({journal_id})/{part}", values)).raise_for_status()


async def post(central: BusinessCentralHarness, journal_id: str) -> None:
    """A journal is posted. Raises httpx.HTTPError."""
    (await central.raw("POST", f"journals({journal_id})/Microsoft.NAV.post", {})).raise_for_status()


async def pay(central: BusinessCentralHarness, journal_id: str, *lines: dict[str, Any], tries: int = 2) -> bool:
    """Written and posted, and done again where that did not succeed; whether it did in the end."""
    for _ in range(tries):
        try:
            for each in lines:
                await add(central, journal_id, each)
            await post(central, journal_id)
        except httpx.HTTPError:
            continue
        return True
    return False


async def listed(central: BusinessCentralHarness, table: str, **query: str) -> list[dict[str, Any]]:
    """The first page of a list, as it comes."""
    answer = await central.raw("GET", table, **{f"${name}": value for name, value in query.items()})
    rows: list[dict[str, Any]] = answer.raise_for_status().json()["value"]
    return rows
