"""A Duly that is watched, with the real programs: one trace from the click to the ERP, and metrics that alarms can read."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from launch.drill.visitor import Visitor
from store import access
from tests.house.alarms import metrics_of_alarms
from tests.processes.house import House, until
from tests.processes.watching import Receiver, Seen, Watched, receiving, watched


async def pay(house: House, door: str, *, canary: str) -> tuple[str, str]:
    """A customer follows a link and pays a saved card's payment: (the link's token, the payment)."""
    customer_id, (invoice_id,) = await house.customer(name=f"Canary {canary}")
    method_id = await house.saved_method(customer_id)
    async with house.database.begin("test") as tx:
        link = await access.create_link(tx, customer_id, by="test", at=datetime.now(UTC), days=1)
    visitor = Visitor(house.base_url, [door])
    await visitor.follow(link.token)
    form = (await visitor.see(f"/pay?i={invoice_id}&note={canary}")).form("/payments")
    await visitor.submit(form, way=method_id)
    await visitor.see(f"/l/{link.token}?{canary}")
    await visitor.see(f"/{canary}")
    await visitor.aclose()
    payment_id = form.value("payment").partition(".")[0]
    await house.is_posted(payment_id, within_seconds=60)
    return link.token, payment_id


def ancestors(span: Seen, spans: Mapping[str, Seen]) -> list[str]:
    """The names of what a span was part of, its own first."""
    names = [span.name]
    while span.parent:
        span = spans[span.parent]
        names.append(span.name)
    return names


def calls_to(address: str, spans: list[Seen]) -> list[Seen]:
    return [each for each in spans if each.name == "POST" and each.facts.get("server.port") == str(urlsplit(address).port)]


async def scraped(house: House, watching: Watched) -> dict[str, str]:
    async def is_read() -> bool:
        text = await watching.scrape("worker_metrics")
        return "duly_books_readable 1.0" in text and 'duly_erp_read_age_seconds{connection="demo"}' in text

    await until(is_read, within_seconds=60, what="figures of the books")
    return {name: await watching.scrape(name) for name in watching.metrics}


def one_trace(receiver: Receiver, house: House) -> None:
    spans = receiver.spans()
    (click,) = [each for each in spans if each.name == "POST /payments"]
    trace = [each for each in spans if each.trace == click.trace]
    by_id = {each.id: each for each in trace}
    assert click.parent == ""
    assert {each.service for each in trace} == {"duly-api", "duly-worker"}
    addresses = house.machine.addresses()
    (charge,) = calls_to(addresses["provider"], trace)
    path = ancestors(charge, by_id)
    assert path[1] == "RunActivity:charge"
    assert "RunWorkflow:PayInvoices" in path
    assert path[-1] == "POST /payments"
    (posted,) = calls_to(addresses["erp"], trace)
    path = ancestors(posted, by_id)
    assert path[1] == "post to the ERP"
    assert "RunActivity:record_outcome" in path
    assert path[-1] == "POST /payments"


async def test_one_trace_goes_from_the_click_to_the_erp_and_metrics_show_what_alarms_need(house: House) -> None:
    canary = f"canary{secrets.token_hex(6)}"
    with receiving() as receiver:
        async with watched(house, receiver) as watching:
            token, payment_id = await pay(house, watching.door, canary=canary)
            shown = await scraped(house, watching)
        one_trace(receiver, house)

    # Whatever left: not who it was, nor what opens an account. Payments are found by their opaque ids.
    sent = b"".join(receiver.bodies)
    assert payment_id.encode() in sent
    for secret in (canary, token, "customer.example", house.machine.secrets.provider_api_key):
        assert secret.encode() not in sent
        assert not any(secret in text for text in shown.values())
    for text in shown.values():
        assert not re.search(r"(pay|cus|inv|set|evt|pst)_[0-9a-z]{10}", text), "an id is a label"

    names = {re.split(r"[ {]", line)[0] for text in shown.values() for line in text.splitlines() if not line.startswith("#")}
    assert len(names) > 100
    assert sorted(metrics_of_alarms() - names) == []
