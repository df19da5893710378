"""Requests are counted by the template of their route: neither secrets nor strangers' inventions become labels."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from prometheus_client import generate_latest

from api.counting import METHODS, NO_ROUTE
from connectors.payments.sandbox import SandboxConfig, build
from tests import machine
from tests.api.house import House, open_house

SECRET = "a secret of the sandbox for this door"


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    provider = build(SandboxConfig(base_url="http://127.0.0.1:9", api_key="key", webhook_secrets=(SECRET,)))
    async with open_house(database, None, providers={"sandbox": provider}) as opened:
        opened.accounts.provider()
        yield opened
    await provider.aclose()


def shown(house: House) -> str:
    return generate_latest(house.services.counts.registry).decode()


def labels(text: str, name: str) -> set[str]:
    return set(re.findall(rf'{name}="([^"]*)"', text))


async def test_every_route_is_counted_by_its_template_and_by_nothing_of_the_request(house: House) -> None:
    visitor = house.browser(raises=False)
    canary = f"canary{secrets.token_hex(8)}"
    customer = house.accounts.customer("Canary")
    token = (await house.link(customer)).token
    assert (await visitor.get(f"/l/{token}?note={canary}")).status_code == 200
    templates = {path for _, path in house.routes()}
    for path in sorted(templates):
        await visitor.get(re.sub(r"\{[^}]+\}", canary, path), headers={"X-Canary": canary})
    for number in range(50):
        await visitor.get(f"/{canary}/{number}")
        await visitor.get(f"/v1/{canary}/{number}")
        await visitor.get(f"/static/{canary}{number}.css")
    await visitor.request(canary.upper(), "/")
    await (await house.program()).get("/payments")  # without a key nobody is told which routes there are

    text = shown(house)

    assert canary not in text.lower()
    assert token not in text
    assert labels(text, "route") <= templates | {NO_ROUTE, "/v1", "/static"}
    assert {"/l/{token}", "/v1/payments", "/", NO_ROUTE} <= labels(text, "route")
    assert labels(text, "method") <= METHODS | {"other"}


async def test_status_and_duration_are_counted_and_a_mistake_is_a_500(house: House) -> None:
    visitor = house.browser(raises=False)

    @house.app.get("/fails")
    async def fails() -> None:
        raise LookupError("planted")

    await visitor.get("/health")
    await visitor.get("/health")
    await visitor.get("/fails")
    text = shown(house)
    assert 'duly_http_requests_total{method="GET",route="/health",status="200"} 2.0' in text
    assert 'duly_http_request_seconds_count{method="GET",route="/health"} 2.0' in text
    assert 'duly_http_requests_total{method="GET",route="/fails",status="500"} 1.0' in text


async def test_metrics_are_not_shown_where_customers_come_in(house: House) -> None:
    assert (await house.browser().get("/metrics")).status_code == 404
    assert house.services.metrics_address is None


async def test_deliveries_are_counted_by_what_became_of_them(house: House) -> None:
    visitor = house.browser()
    body = json.dumps(
        {
            "id": "sbe_1",
            "type": "charge.captured",
            "mode": "test",
            "created_at": "2026-11-22T12:00:00.000+00:00",
            "our_ref": "pay_1-1",
            "object": {"type": "charge", "id": "sbc_1"},
        }
    ).encode()
    sent_at = int(house.clock().timestamp())
    signature = hmac.new(SECRET.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    signed = {"X-Sandbox-Signature": f"t={sent_at},v1={signature}"}
    for _ in range(2):
        answer = await visitor.post("/webhooks/sandbox", content=body, headers=signed)
        assert answer.status_code == 202, answer.text
    assert (await visitor.post("/webhooks/sandbox", content=body)).status_code == 400
    await visitor.post("/webhooks/someone-else", content=body)
    text = shown(house)
    for outcome in ("stored", "repeated", "refused"):
        assert f'duly_webhook_deliveries_total{{connection="sandbox",outcome="{outcome}"}} 1.0' in text
    assert labels(text, "connection") == {"sandbox"}
