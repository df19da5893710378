"""What each way of failing means: read off answers as Adyen sends them, from a server that says exactly those."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import pytest

from connectors.conformance.payment_harness import a_payer
from connectors.errors import ConnectorError, KeyConflict, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.adyen import AdyenConfig, AdyenProvider, build, connector
from connectors.payments.adyen.client import fitting
from connectors.payments.declaring import ConnectionSettings
from connectors.payments.ports import ChargeOrder, ChargeStatus
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.adyen.harness import ACCOUNT, API_KEY, KEYS

CONFIG: Final = AdyenConfig(api_key=API_KEY, merchant_account=ACCOUNT, hmac_keys=KEYS, is_live=False)


def error(code: str, status: int = 422) -> str:
    return json.dumps({"status": status, "errorCode": code, "message": "In their words.", "errorType": "validation"})


def answer(**more: object) -> str:
    told = {"pspReference": "PSP1", "resultCode": "Authorised", "merchantReference": "pay_1.card"}
    return json.dumps({**told, "amount": {"value": 100, "currency": "USD"}, **more})


WRITES: Final[dict[str, tuple[int, str, type[ConnectorError]]]] = {
    "400": (400, error("702", 400), Rejected),
    "400 without words": (400, "{}", OutcomeUnknown),
    "401": (401, error("000", 401), Misconfigured),
    "403": (403, error("010", 403), Misconfigured),
    "404 of a proxy": (404, "<html>Not here</html>", OutcomeUnknown),
    "404": (404, error("904", 404), Rejected),
    "409": (409, error("704", 409), Throttled),
    "422": (422, error("101"), Rejected),
    "422 at work": (422, error("704"), Throttled),
    "429": (429, "", Throttled),
    "500": (500, error("905", 500), OutcomeUnknown),
    "500 at work": (500, error("999", 500), OutcomeUnknown),
    "502 of a proxy": (502, "<html>Bad Gateway</html>", OutcomeUnknown),
    "302": (302, "", OutcomeUnknown),
    "200 of nothing": (200, "", OutcomeUnknown),
    "200 of half": (200, '{"pspReference": "PSP1", "resultCode": "Auth', OutcomeUnknown),
    "200 of a list": (200, "[]", OutcomeUnknown),
    "200 of another shape": (200, '{"pspReference": "PSP1"}', OutcomeUnknown),
    "200 of a deep one": (200, '{"a":' * 50_000, OutcomeUnknown),
    "200 of another payment": (200, answer(merchantReference="pay_2.card"), KeyConflict),
    "200 of another amount": (200, answer(amount={"value": 101, "currency": "USD"}), KeyConflict),
    "200 of another currency": (200, answer(amount={"value": 100, "currency": "EUR"}), KeyConflict),
    "200 of an amount in words": (200, answer(amount={"value": "100", "currency": "USD"}), OutcomeUnknown),
    "200 of a part of nothing": (200, answer(resultCode="PartiallyAuthorised", amount=None), OutcomeUnknown),
}


class Saying:
    """A server that gives the same answer to everything, and counts."""

    def __init__(self, status: int, body: str, headers: str = "") -> None:
        self.status, self.body, self.headers = status, body, headers
        self.requests: list[str] = []
        self.heads: list[dict[str, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            named = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
            await reader.readexactly(int(named.get("content-length", "0")))
            self.requests.append(head.partition(" HTTP")[0])
            self.heads.append(named)
            raw = self.body.encode()
            told = f"HTTP/1.1 {self.status} x\r\nContent-Length: {len(raw)}\r\n{self.headers}"
            writer.write(f"{told}Connection: close\r\n\r\n".encode() + raw)
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def saying(status: int, body: str, headers: str = "") -> AsyncIterator[tuple[Saying, AdyenProvider]]:
    """Such a server, and a connector to it."""
    server = Saying(status, body, headers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    provider = build(replace(CONFIG, base_url=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
    try:
        yield server, provider
    finally:
        await provider.aclose()
        listening.close()


def charge_order(kind: MethodKind = MethodKind.CARD) -> ChargeOrder:
    payer = replace(a_payer(), customer_id="cus_1")
    return ChargeOrder(
        our_ref="pay_1",
        payer=payer,
        method_token="cus_1~STORED1",
        kind=kind,
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
        assert server.requests == ["POST /v72/payments"]
        assert (server.heads[0]["x-api-key"], server.heads[0]["idempotency-key"]) == (API_KEY, "k")


async def test_an_error_that_passes_is_tried_again_under_its_key() -> None:
    async with saying(422, error("999"), "transient-error: true\r\n") as (_, provider):
        with pytest.raises(Throttled):
            await provider.charge(charge_order(), key="k")


UNREADABLE: Final = (
    *("400 without words", "404 of a proxy", "500", "502 of a proxy", "302"),
    *("200 of nothing", "200 of half", "200 of a list", "200 of a deep one"),
)


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_read_that_was_not_answered_is_unavailable_and_never_none(name: str) -> None:
    status, body, _ = WRITES[name]
    async with saying(status, body) as (_, provider):
        with pytest.raises(Unavailable):
            await provider.find_charge("pay_1", provider_id="PL1")


RESULTS: Final[dict[str, tuple[ChargeStatus, ChargeStatus]]] = {
    "Authorised": (ChargeStatus.CAPTURED, ChargeStatus.PROCESSING),
    "Received": (ChargeStatus.PENDING, ChargeStatus.PROCESSING),
    "Refused": (ChargeStatus.DECLINED, ChargeStatus.DECLINED),
    "Cancelled": (ChargeStatus.DECLINED, ChargeStatus.DECLINED),
    "Error": (ChargeStatus.DECLINED, ChargeStatus.DECLINED),
    **dict.fromkeys(
        (
            *("AuthenticationFinished", "AuthenticationNotRequired", "ChallengeShopper", "IdentifyShopper", "Pending"),
            *("PresentToShopper", "RedirectShopper", "Success", "QuantumSuperposition"),
        ),
        (ChargeStatus.PENDING, ChargeStatus.PENDING),
    ),
}


@pytest.mark.parametrize("result", RESULTS)
async def test_a_word_of_adyen_s_is_money_only_where_it_says_so(result: str) -> None:
    async with saying(200, answer(resultCode=result, merchantReference=None)) as (_, provider):
        for kind, expected in zip((MethodKind.CARD, MethodKind.US_BANK_ACCOUNT), RESULTS[result], strict=True):
            told = await provider.charge(charge_order(kind), key="k")
            assert (told.status, told.provider_id) == (expected, "PSP1")


async def test_what_is_no_token_or_no_id_of_adyen_s_never_leaves() -> None:
    async with saying(200, "{}") as (server, provider):
        for token in ("", "STORED1", "cus_2~STORED1", "cus_1~", "cus_1~../x", "cus_1~a?b"):
            with pytest.raises(Rejected):
                await provider.charge(replace(charge_order(), method_token=token), key="k")
        for strange in ("../charges?x", "PL1/..", "PL 1"):
            assert await provider.find_charge("pay_1", provider_id=strange) is None
        assert server.requests == []


async def test_a_query_is_written_as_one_value() -> None:
    async with saying(200, "{}") as (server, provider):
        await provider.list_methods("cus&shopperReference=other")
        assert server.requests == [
            f"GET /v72/storedPaymentMethods?merchantAccount={ACCOUNT}&shopperReference=cus%26shopperReference%3Dother"
        ]


async def test_forgetting_is_refused_where_adyen_does_not_say_what_it_keeps() -> None:
    async with saying(422, error("800")) as (_, provider):
        with pytest.raises(Rejected):
            await provider.detach_method("cus_1~STORED1", key="k")


def test_a_long_key_stays_one_key() -> None:
    assert fitting("k" * 64) == "k" * 64
    assert len(fitting("k" * 65)) == 64
    assert fitting("k" * 65) != fitting("k" * 66)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": ""},
        {"api_key": "AQE\n"},
        {"api_key": "AQÉ"},
        {"merchant_account": ""},
        {"hmac_keys": ()},
        {"hmac_keys": ("",)},
        {"hmac_keys": ("0f" * 31,)},
        {"hmac_keys": ("zz" * 32,)},
        {"hmac_keys": (KEYS[0], "0f")},
        {"is_live": True},
        {"is_live": True, "live_prefix": "a.b/c"},
        {"is_live": True, "base_url": "http://127.0.0.1:1"},
        {"base_url": "ftp://x"},
        {"presumed_after_days": 0},
        {"presumed_after_days": 61},
        {"kinds": frozenset({MethodKind.BACS_DEBIT})},
    ],
)
def test_what_could_not_be_safe_does_not_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        replace(CONFIG, **wrong)


def test_requests_go_where_the_account_lives_and_secrets_are_not_shown() -> None:
    live = replace(CONFIG, is_live=True, live_prefix="1797a841fbb37ca7-AdyenDemo-test")
    assert live.url == "https://1797a841fbb37ca7-AdyenDemo-test-checkout-live.adyenpayments.com/checkout"
    assert CONFIG.url == "https://checkout-test.adyen.com"
    assert API_KEY not in repr(live)
    assert KEYS[0] not in repr(live)


@pytest.mark.parametrize(("days", "is_good"), [("7", True), ("60", True), ("0", False), ("61", False), ("soon", False)])
async def test_staff_say_after_how_many_days_a_debit_counts(days: str, is_good: bool) -> None:
    values = {"api_key": (API_KEY,), "merchant_account": (ACCOUNT,), "hmac_key": KEYS, "presumed_after_days": (days,)}
    given = ConnectionSettings(values=values, is_live=False, kinds=frozenset({MethodKind.CARD}))
    if is_good:
        provider = connector.build(given)
        assert isinstance(provider, AdyenProvider)
        await provider.aclose()
    else:
        with pytest.raises(Misconfigured):
            connector.build(given)
