"""What must be nowhere but in its own place: our secrets, links and card numbers; and, outside the rows of customers and
their mail, a customer's name and address. Looked for after a customer was mailed a link, kept a card and paid: in every
log, in every row, and in the histories and the file of Temporal.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import httpx
from temporalio.service import RPCError, RPCStatusCode

from activities.requests import SendLinks
from store import access
from store.identity import fresh_id
from tests.processes.house import House, now, until

NAME = "Quince Canary Partners"
EMAIL = "quince.canary@customer.example"
CARD = "4242424242424242"
MAY_HOLD_PEOPLE = frozenset({"customers", "outbox", "contacts"})


async def _a_customer_who_did_everything(house: House) -> str:
    """The raw token of a link that the customer came in by."""
    number = await house.seed_customer(name=NAME, email=EMAIL)
    await house.sync()

    async def known() -> str | None:
        rows = await house.rows("SELECT id FROM customers WHERE number = :number", number=number)
        return rows[0].id if rows else None

    customer_id = str(await until(known, what="the sync of the customer"))
    row = {
        "id": f"{number}-0", "customer_id": number, "number": f"{number}-0", "currency": "USD",
        "issued_on": "2026-09-01", "due_on": "2026-10-01", "state": "Posted", "total": 10_000,
    }  # fmt: skip
    await house.erp_post("/bulk", {"customers": [], "invoices": [row], "documents": []})
    await house.sync()

    async def billed() -> str | None:
        rows = await house.rows("SELECT id FROM invoices WHERE customer_id = :id", id=customer_id)
        return rows[0].id if rows else None

    invoice_id = str(await until(billed, what="the sync of the invoice"))
    batch = fresh_id("bat")
    await house.processes.send_links(SendLinks(batch_id=batch, contacts=((customer_id, ""),), by="test"))
    async with house.admin.begin("test") as tx:
        link = await access.create_link(tx, customer_id, by="test", at=now(), days=2)
    async with httpx.AsyncClient(base_url=house.base_url, trust_env=False) as browser:
        assert (await browser.get(f"/l/{link.token}")).status_code == 200
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.is_posted(request.payment_id)

    async def mailed() -> bool:
        rows = await house.rows("SELECT template FROM outbox WHERE customer_id = :id AND state = 'sent'", id=customer_id)
        return {"portal_link", "receipt"} <= {row.template for row in rows} or len(rows) >= 3

    await until(mailed, within_seconds=60, what="the mail of the link, the method and the receipt")
    return str(link.token)


def _places_of(secret: str, texts: dict[str, str]) -> list[str]:
    return [place for place, text in texts.items() if secret in text]


async def _rows(house: House) -> dict[str, str]:
    """Every table, each row as text."""
    async with house.admin.begin("test") as tx:
        tables = await tx.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        return {
            each.name: "\n".join(str(row.line) for row in await tx.rows(f'SELECT t::text AS line FROM "{each.name}" t'))
            for each in tables
        }


async def _histories(house: House) -> dict[str, str]:
    found = {}
    async for each in house.client.list_workflows():
        try:
            history = await house.client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history()
        except RPCError as error:
            # The probe of a start is deleted at once; a server killed meanwhile lists it, and has nothing of it any more.
            if error.status is RPCStatusCode.NOT_FOUND and each.id == "launch/ready":
                continue
            raise
        found[each.id] = "".join(event.SerializeToString().decode("latin-1") for event in history.events)
    return found


def _files(folder: Path, *patterns: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("latin-1")
        for pattern in patterns
        for path in folder.rglob(pattern)
        if path.is_file()
    }


async def test_no_secret_link_card_number_or_name_is_where_it_does_not_belong(house: House) -> None:
    token = await _a_customer_who_did_everything(house)
    folder = house.machine.folder.path
    logs = _files(folder, "*.log")
    rows, histories = await _rows(house), await _histories(house)
    temporal = _files(folder, "temporal.db", "temporal.db-wal")
    assert logs
    assert temporal
    assert any(histories.values())
    everywhere = logs | rows | histories | temporal

    secrets = dataclasses.asdict(house.machine.secrets)
    secrets["codec_key"] = secrets["codec_key"].partition(":")[2]
    # Roles' passwords are PostgreSQL's own to keep; it says none of them, and we look at what we wrote.
    for name, secret in {**secrets, "the link": token, "the card": CARD}.items():
        assert _places_of(secret, everywhere) == [], name
    for person in (NAME, EMAIL):
        assert _places_of(person, logs | histories | temporal) == [], person
        assert set(_places_of(person, rows)) <= MAY_HOLD_PEOPLE, person
    assert _places_of(NAME, rows) == ["customers"], "the search finds what is there"
    assert not [place for place, text in everywhere.items() if re.search(r"\b(?:\d{4}[ -]){3}\d{4}\b", text)]
