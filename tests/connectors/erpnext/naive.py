"""Somebody who knows ERPNext less well: the calls of a first tutorial, for the traps."""

from typing import Any

import httpx

from connectors.conformance.erp_harness import ON
from tests.connectors.erpnext.harness import COMPANY, ErpNextHarness


def entry(customer: str, reference: str, amount: float, *references: tuple[str, float]) -> dict[str, Any]:
    """A Payment Entry in euros over these invoices."""
    rows = [
        {"reference_doctype": "Sales Invoice", "reference_name": name, "allocated_amount": part} for name, part in references
    ]
    return {
        "payment_type": "Receive",
        "company": COMPANY,
        "posting_date": ON.isoformat(),
        "party_type": "Customer",
        "party": customer,
        "paid_from": "Debtors EUR - NW",
        "paid_to": "Duly Clearing EUR - NW",
        "paid_amount": amount,
        "received_amount": amount,
        "reference_no": reference,
        "reference_date": ON.isoformat(),
        "references": rows,
    }


async def make(erpnext: ErpNextHarness, values: dict[str, Any]) -> str:
    """A draft; answers its name. Raises httpx.HTTPError without an answer that is one."""
    answer = (await erpnext.raw("POST", "/api/resource/Payment Entry", values)).raise_for_status()
    name: str = answer.json()["data"]["name"]
    return name


async def submit(erpnext: ErpNextHarness, name: str) -> None:
    """A draft is booked. Raises httpx.HTTPError."""
    (await erpnext.raw("PUT", f"/api/resource/Payment Entry/{name}", {"docstatus": 1})).raise_for_status()


async def pay(erpnext: ErpNextHarness, values: dict[str, Any], *, tries: int = 2) -> bool:
    """Made and submitted, and done again where that did not succeed; whether it did in the end."""
    for _ in range(tries):
        try:
            await submit(erpnext, await make(erpnext, values))
        except httpx.HTTPError:
            continue
        return True
    return False


async def listed(erpnext: ErpNextHarness, doctype: str, **query: str) -> list[dict[str, Any]]:
    """A list as it comes."""
    rows: list[dict[str, Any]] = (await erpnext.raw("GET", f"/api/resource/{doctype}", **query)).json()["data"]
    return rows
