"""The payment suite's part on deliveries: what is believed, what is refused, and nothing else is ever raised."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import pytest

from connectors.conformance.payment_declared import Trait, needs
from connectors.conformance.payment_harness import Delivery, Enters, PaymentSuite, ProviderHarness, fresh_ref, now
from connectors.errors import WebhookRejected
from connectors.payments.ports import EventSubject

_SECOND: Final = timedelta(seconds=1)

HOSTILE_BODIES: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "space": b" ",
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "text": b'"charge.captured"',
    "array": b"[]",
    "array of objects": b'[{"id": "evt_1"}]',
    "empty object": b"{}",
    "half": b'{"id": "evt_1", "type": "char',
    "trailing": b'{"id": "evt_1"} {"id": "evt_2"}',
    "not JSON": b"id=evt_1&type=charge.captured",
    "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "HTML": b"<!doctype html><title>502 Bad Gateway</title>",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"id": "evt_1"}'.encode("utf-16"),
    "UTF-32": '{"id": "evt_1"}'.encode("utf-32"),
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "overlong UTF-8": b'{"id": "\xc0\x80"}',
    "raw NUL": b'{"id": "evt\x00_1"}',
    "only NULs": b"\x00" * 64,
    "escaped NUL": b'{"id": "evt\\u0000_1", "type": "charge.captured"}',
    "half a character": b'{"id": "\\ud800", "type": "charge.captured"}',
    "NaN": b'{"id": NaN}',
    "infinite": b'{"id": Infinity}',
    "huge exponent": b'{"id": 1e400}',
    "minus zero": b'{"id": -0}',
    "beyond 64 bits": b'{"id": 9223372036854775808}',
    "five thousand digits": b'{"id": ' + b"9" * 5000 + b"}",
    "a name twice": b'{"id": "evt_1", "id": "evt_2"}',
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 20_000,
    "deep and closed": b'{"a":' * 200 + b"1" + b"}" * 200,
    "deep in a field": b'{"id": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "id is a number": b'{"id": 7, "type": "charge.captured", "object": {"id": "x"}}',
    "id is an object": b'{"id": {}, "type": "charge.captured", "object": {"id": "x"}}',
    "id is a kilometre": b'{"id": "' + b"x" * 100_000 + b'", "type": "charge.captured"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00",
    "prototype": b'{"__proto__": {"id": "evt_1"}, "constructor": {}}',
}


@needs(Trait.DELIVERIES)
class WebhookConformance(PaymentSuite):
    """Deliveries."""

    async def delivered(self, harness: ProviderHarness) -> tuple[str, Delivery]:
        """A genuine delivery about a charge, and the charge's reference."""
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        await self.charge(harness, saved, our_ref)
        return our_ref, (await harness.deliveries(our_ref, at_least=1))[0]

    def refused(self, harness: ProviderHarness, raw: bytes, headers: Mapping[str, str], at: datetime | None = None) -> str:
        """Why a delivery is not believed; nothing but WebhookRejected may be raised."""
        with pytest.raises(WebhookRejected) as rejected:
            harness.provider.read_webhook(raw, headers, now=at or now())
        return rejected.value.reason

    async def test_a_delivery_carries_our_reference_and_the_provider_s_id(self, harness: ProviderHarness) -> None:
        our_ref, delivery = await self.delivered(harness)
        charge = await self.charge_now(harness, our_ref)
        events = harness.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        assert [(event.subject, event.our_ref, event.provider_id) for event in events] == [
            (EventSubject.CHARGE, our_ref, charge.provider_id)
        ]
        assert events[0].occurred_at.tzinfo is not None

    @needs(Trait.CUSTOMER)
    async def test_a_completed_set_up_is_delivered(self, harness: ProviderHarness) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        await harness.enter(page.url, Enters.GOOD)
        delivery = (await harness.deliveries(our_ref, at_least=1))[0]
        (event,) = harness.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        assert (event.subject, event.our_ref, event.provider_id) == (EventSubject.SETUP, our_ref, page.session_id)

    async def test_a_replayed_delivery_has_the_same_dedupe_key(self, harness: ProviderHarness) -> None:
        _, delivery = await self.delivered(harness)
        first = harness.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        again = harness.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        assert [event.dedupe_key for event in first] == [event.dedupe_key for event in again]

    async def test_a_delivery_without_a_signature_is_refused(self, harness: ProviderHarness) -> None:
        _, delivery = await self.delivered(harness)
        assert self.refused(harness, delivery.raw, {}) == "signature"
        for name, value in harness.sign(delivery.raw, at=now()).items():
            for forged in ("", value[:-1], value + "0", "é" + value, value * 100_000):
                assert self.refused(harness, delivery.raw, {name: forged}) == "signature"
            assert harness.provider.read_webhook(delivery.raw, {name.swapcase(): value}, now=now())

    async def test_every_configured_secret_is_believed_and_no_other(self, harness: ProviderHarness) -> None:
        _, delivery = await self.delivered(harness)
        for secret in (0, 1):
            headers = harness.sign(delivery.raw, at=now(), secret=secret)
            assert harness.provider.read_webhook(delivery.raw, headers, now=now())
        assert self.refused(harness, delivery.raw, harness.sign(delivery.raw, at=now(), secret=None)) == "signature"

    async def test_a_changed_body_is_forged(self, harness: ProviderHarness) -> None:
        our_ref, delivery = await self.delivered(harness)
        other = delivery.raw.replace(our_ref.encode(), fresh_ref("pay").encode())
        assert other != delivery.raw
        assert self.refused(harness, other, delivery.headers) == "signature"
        assert self.refused(harness, delivery.raw + b" ", delivery.headers) == "signature"

    async def test_a_delivery_is_believed_five_minutes_either_way(self, harness: ProviderHarness) -> None:
        _, delivery = await self.delivered(harness)
        at = now().replace(microsecond=0)
        for good in (at - 300 * _SECOND, at, at + 300 * _SECOND):
            assert harness.provider.read_webhook(delivery.raw, harness.sign(delivery.raw, at=at), now=good)

    @needs(Trait.SIGNED_TIME)
    async def test_only_five_minutes_either_way_are_believed(self, harness: ProviderHarness) -> None:
        _, delivery = await self.delivered(harness)
        at = now().replace(microsecond=0)
        headers = harness.sign(delivery.raw, at=at)
        for bad in (at - 301 * _SECOND, at + 301 * _SECOND, at - timedelta(days=1), at + timedelta(days=400)):
            assert self.refused(harness, delivery.raw, headers, bad) == "age"

    @pytest.mark.parametrize("name", HOSTILE_BODIES)
    def test_a_hostile_body_is_refused_although_it_is_signed(self, harness: ProviderHarness, name: str) -> None:
        raw = HOSTILE_BODIES[name]
        assert self.refused(harness, raw, harness.sign(raw, at=now())) in {"shape", "account", "size"}

    async def test_an_oversized_delivery_is_refused_before_anything_else(self, harness: ProviderHarness) -> None:
        _, delivery = await self.delivered(harness)
        for size in (256 * 1024 + 1, 10_000_000):
            raw = delivery.raw + b" " * (size - len(delivery.raw))
            assert self.refused(harness, raw, harness.sign(raw, at=now())) == "size"
        largest = delivery.raw + b" " * (256 * 1024 - len(delivery.raw))
        assert harness.provider.read_webhook(largest, harness.sign(largest, at=now()), now=now())
