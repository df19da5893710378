"""How the bench comes in to the product: a customer's session by a portal link, a program's key."""

import re
from datetime import UTC, datetime

from bench import load
from bench.ground import Ground
from store import access, api_keys
from store.api_keys import Scope


async def cookie_of(under: Ground, port: int, customer: str) -> str:
    """What a browser has after its owner followed a portal link."""
    async with under.database("duly_staff", pool_size=1) as database, database.begin("bench") as tx:
        link = await access.create_link(tx, customer, by="bench", at=datetime.now(UTC), days=1)
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    answer = await load.ask(port, load.request("POST", f"/l/{link.token}", port, headers=headers, body=b" "))
    found = re.search(rb"set-cookie: ([^;]+)", answer.head)
    if found is None:
        raise load.WrongAnswers(f"the link opened no session: {answer.status}")
    return found[1].decode()


async def key_of(under: Ground) -> str:
    """A key that may read invoices."""
    async with under.database("duly_staff", pool_size=1) as database, database.begin("bench") as tx:
        made = await api_keys.create(tx, label="Bench", scopes=[Scope.INVOICES_READ], by="bench", at=datetime.now(UTC))
    return made.key
