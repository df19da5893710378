"""What each way of failing means: read off answers as Stripe sends them, from a server that says exactly those."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import stripe as official_library

from connectors.conformance.payment_harness import a_payer
from connectors.errors import ConnectorError, KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.ports import ChargeOrder, PageOrder
from connectors.payments.stripe import StripeConfig, StripeProvider, build
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.stripe.harness import API_KEY, SECRETS

JSON: Final = "application/json"


def error(kind: str, code: str = "", **more: object) -> str:
    return json.dumps({"error": {"type": kind, "code": code, "message": "In their words.", **more}})


WRITES: Final[dict[str, tuple[int, str, type[ConnectorError]]]] = {
    "400": (400, error("invalid_request_error", "parameter_missing"), Rejected),
    "400 of a rate": (400, error("invalid_request_error", "rate_limit"), Throttled),
    "400 of a key": (400, error("idempotency_error"), KeyConflict),
    "400 without words": (400, "{}", OutcomeUnknown),
    "401": (401, error("invalid_request_error"), Misconfigured),
    "402 without an intent": (402, error("card_error", "card_declined"), Rejected),
    "402 that is no error": (402, "[]", OutcomeUnknown),
    "403": (403, error("invalid_request_error", "more_permissions_required"), Misconfigured),
    "404": (404, error("invalid_request_error", "resource_missing"), Rejected),
    "409": (409, error("invalid_request_error", "lock_timeout"), Throttled),
    "409 of a key": (409, error("idempotency_error", "idempotency_key_in_use"), Throttled),
    "424": (424, error("api_error"), OutcomeUnknown),
    "429": (429, error("invalid_request_error", "rate_limit"), Throttled),
    "500": (500, error("api_error"), OutcomeUnknown),
    "500 that blames us": (500, error("invalid_request_error", "parameter_missing"), OutcomeUnknown),
    "502 of a proxy": (502, "<html>Bad Gateway</html>", OutcomeUnknown),
    "503": (503, "", OutcomeUnknown),
    "302": (302, "", OutcomeUnknown),
    "200 of nothing": (200, "", OutcomeUnknown),
    "200 of half": (200, '{"id": "pi_1", "status": "succ', OutcomeUnknown),
    "200 of a list": (200, "[]", OutcomeUnknown),
    "200 of another shape": (200, '{"id": "pi_1"}', OutcomeUnknown),
    "200 of a deep one": (200, '{"a":' * 50_000, OutcomeUnknown),
    "200 of latin": (200, '{"id": "\udcff"}', OutcomeUnknown),
}


class Saying:
    """A server that gives the same answer to everything, and counts."""

    def __init__(self, status: int, body: str, headers: str = "") -> None:
        self.status, self.body, self.headers = status, body, headers
        self.requests: list[str] = []
        self.keys: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            named = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
            body = (await reader.readexactly(int(named.get("content-length", "0")))).decode()
            self.requests.append(f"{head.partition(' HTTP')[0]}\n{body}")
            self.keys.append(named["authorization"])
            raw = self.body.encode(errors="surrogateescape")
            told = f"HTTP/1.1 {self.status} x\r\nContent-Type: {JSON}\r\nContent-Length: {len(raw)}\r\n{self.headers}"
            writer.write(f"{told}Connection: close\r\n\r\n".encode() + raw)
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def saying(
    status: int, body: str, headers: str = "", *, key: str = API_KEY
) -> AsyncIterator[tuple[Saying, StripeProvider]]:
    """Such a server, and a connector to it."""
    server = Saying(status, body, headers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    provider = build(StripeConfig(api_key=key, webhook_secrets=SECRETS, is_live=False, base_url=url))
    try:
        yield server, provider
    finally:
        await provider.aclose()
        listening.close()


def charge_order() -> ChargeOrder:
    return ChargeOrder(
        our_ref="pay_1",
        payer=a_payer("cus_1"),
        method_token="pm_1",
        kind=MethodKind.CARD,
        amount=Money.of(100, "USD"),
        description="Payment",
        return_url="http://127.0.0.1:9/back",
    )


@pytest.mark.parametrize("name", WRITES)
async def test_an_answer_to_a_write_says_what_may_be_done_and_is_asked_for_once(name: str) -> None:
    status, body, expected = WRITES[name]
    async with saying(status, body) as (server, provider):
        with pytest.raises(ConnectorError) as raised:
            await provider.charge(charge_order(), key="k")
        assert type(raised.value) is expected
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", [name for name, (_, _, kind) in WRITES.items() if issubclass(kind, OutcomeUnknown)])
async def test_a_read_that_was_not_answered_is_unavailable_and_never_none(name: str) -> None:
    status, body, _ = WRITES[name]
    async with saying(status, body) as (_, provider):
        with pytest.raises((Unavailable, Rejected, Throttled)):
            await provider.find_charge("pay_1", provider_id="pi_1")
        with pytest.raises((Unavailable, Rejected, Throttled)):
            await provider.find_refund("rfd_1")


async def test_patience_is_as_long_as_they_ask_for() -> None:
    for told, seconds in (("7", 7), ("0", 1), ("-1", 1), ("soon", 1), ("99999999", 3600), ("9" * 30, 1)):
        async with saying(429, error("invalid_request_error"), f"Retry-After: {told}\r\n") as (_, provider):
            with pytest.raises(Throttled) as throttled:
                await provider.charge(charge_order(), key="k")
            assert throttled.value.retry_after_seconds == seconds


async def test_a_repeated_server_error_says_that_the_key_repeats_it() -> None:
    async with saying(500, error("api_error"), "Idempotent-Replayed: true\r\n") as (_, provider):
        with pytest.raises(OutcomeUnknown, match="the key repeats"):
            await provider.charge(charge_order(), key="k")


async def test_stripe_s_wish_to_be_asked_again_is_not_followed_behind_our_back() -> None:
    async with saying(500, error("api_error"), "Stripe-Should-Retry: true\r\n") as (server, provider):
        with pytest.raises(OutcomeUnknown):
            await provider.charge(charge_order(), key="k")
        assert len(server.requests) == 1


async def test_a_list_that_does_not_end_never_says_that_there_is_none() -> None:
    page: dict[str, Any] = {"object": "list", "data": [{"id": "re_1", "metadata": {}}], "has_more": True}
    async with saying(200, json.dumps(page)) as (server, provider):
        with pytest.raises(Unavailable):
            await provider.refunds_of("rfd_1")
        assert len(server.requests) == 50


async def test_two_connections_use_their_own_keys_and_no_key_of_the_process() -> None:
    account = json.dumps({"id": "acct_1", "charges_enabled": True, "data": []})
    async with saying(200, account) as (one, first), saying(200, account, key="sk_test_other") as (other, second):
        await asyncio.gather(*(each.check_configuration() for each in (first, second) for _ in range(5)))
        assert set(one.keys) == {f"Bearer {API_KEY}"}
        assert set(other.keys) == {"Bearer sk_test_other"}
    assert official_library.api_key is None


async def test_a_page_whose_payer_is_not_sure_to_exist_was_never_opened() -> None:
    """The customer is made first: when that is unknown, nothing that takes money was asked for."""
    order = PageOrder(
        our_ref="pay_1",
        payer=a_payer(),
        kinds=(MethodKind.CARD,),
        amount=Money.of(100, "USD"),
        description="Payment",
        return_url="http://127.0.0.1:9/back",
        cancel_url="http://127.0.0.1:9/back",
        save_method=True,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    async with saying(500, error("api_error")) as (server, provider):
        with pytest.raises(Unavailable):
            await provider.open_payment_page(order, key="k")
        assert [request.partition("\n")[0] for request in server.requests] == ["POST /v1/customers"]


async def test_an_amount_that_cannot_be_said_exactly_is_never_sent() -> None:
    async with saying(200, "{}") as (server, provider):
        for amount in (Money.of(100, "UGX"), Money.of(5_124, "BHD"), Money.of(520, "MGA")):
            order = charge_order()
            with pytest.raises(Rejected):
                await provider.charge(
                    ChargeOrder(**{name: getattr(order, name) for name in order.__slots__} | {"amount": amount}), key="k"
                )
        assert server.requests == []


async def test_nothing_that_stripe_says_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        async with saying(400, error("invalid_request_error", "resource_missing")) as (_, provider):
            with pytest.raises(Rejected):
                await provider.charge(charge_order(), key="k")
    assert "In their words" not in caplog.text
