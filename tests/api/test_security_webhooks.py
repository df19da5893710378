"""Hostile deliveries at the door: each is answered with a 4xx and never a 500, and nothing of it is believed."""

import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest_asyncio
from temporalio.client import Client

from api.webhooks import REFUSED_MOST
from connectors.payments.sandbox import SandboxConfig, build
from tests import machine
from tests.api.house import House, open_house

SECRET: Final = "a secret of the sandbox for this door"
GENUINE: Final[Mapping[str, Any]] = {
    "id": "sbe_1",
    "type": "charge.captured",
    "mode": "test",
    "created_at": "2026-11-22T12:00:00.000+00:00",
    "our_ref": "pay_1-1",
    "object": {"type": "charge", "id": "sbc_1"},
}


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    provider = build(SandboxConfig(base_url="http://127.0.0.1:9", api_key="key", webhook_secrets=(SECRET,)))
    async with open_house(database, temporal_client, task_queue=task_queue, providers={"sandbox": provider}) as opened:
        opened.accounts.provider()
        yield opened
    await provider.aclose()


def changed(**changes: object) -> bytes:
    return json.dumps({**GENUINE, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GENUINE.items() if key != name}).encode()


def beside(extra: str) -> bytes:
    return (json.dumps(dict(GENUINE))[:-1] + f", {extra}}}").encode()


SIGNED_WITH_OUR_SECRET: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "a space": b" ",
    "a byte that begins nothing": b"\xff",
    "a byte order mark": b"\xef\xbb\xbf" + changed(),
    "UTF-16": json.dumps(dict(GENUINE)).encode("utf-16"),
    "UTF-32": json.dumps(dict(GENUINE)).encode("utf-32"),
    "Latin-1": json.dumps({**GENUINE, "type": "é"}, ensure_ascii=False).encode("latin-1"),
    "cut off": changed()[:-5],
    "twice": changed() * 2,
    "with a tail": changed() + b"x",
    "null": b"null",
    "a number": b"1",
    "a word": b'"charge.captured"',
    "a list": b"[" + changed() + b"]",
    "true": b"true",
    "XML": b"<event><id>1</id></event>",
    "a form": b"id=sbe_1&type=charge.captured",
    "compressed": gzip.compress(changed()),
    "a compressed bomb": gzip.compress(b"0" * 2_000_000),
    "single quotes": str(dict(GENUINE)).encode(),
    "NUL in a text": changed(type="charge\x00captured"),
    "NUL in a name": beside('"a\\u0000": 1'),
    "half a character": beside('"a": "\\ud800"'),
    "half a character in the reference": changed(our_ref="\ud800"),
    "a name twice": beside('"id": "sbe_2"'),
    "the mode twice": beside('"mode": "test"'),
    "NaN": beside('"a": NaN'),
    "Infinity": beside('"a": Infinity'),
    "minus Infinity": beside('"a": -Infinity'),
    "deep lists": beside('"a": ' + "[" * 100 + "]" * 100),
    "a hundred thousand lists": beside('"a": ' + "[" * 100_000 + "]" * 100_000),
    "a hundred thousand objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "an object that never ends": b'{"a":' * 40_000,
    "no id": without("id"),
    "no type": without("type"),
    "no mode": without("mode"),
    "no moment": without("created_at"),
    "no object": without("object"),
    "an empty id": changed(id=""),
    "an endless id": changed(id="x" * 5_000),
    "an id that is a list": changed(id=["sbe_1"]),
    "an id that is a number": changed(id=1),
    "an id of null": changed(id=None),
    "a type that is a list": changed(type=["charge.captured"]),
    "an endless type": changed(type="x" * 5_000),
    "live mode": changed(mode="live"),
    "a mode that is true": changed(mode=True),
    "a mode in capitals": changed(mode="TEST"),
    "a moment in words": changed(created_at="yesterday"),
    "a moment as a number": changed(created_at=1_700_000_000),
    "a moment nowhere": changed(created_at="2026-11-22T12:00:00"),
    "a moment that is none": changed(created_at="2026-13-45T99:00:00+00:00"),
    "an object that is a text": changed(object="sbc_1"),
    "an object that is a list": changed(object=[{"id": "sbc_1"}]),
    "an object whose id is a number": changed(object={"type": "charge", "id": 7}),
    "an object whose id never ends": changed(object={"type": "charge", "id": "x" * 5_000}),
    "a reference that is a number": changed(our_ref=7),
    "a reference that is a list": changed(our_ref=["pay_1"]),
    "a reference that never ends": changed(our_ref="x" * 5_000),
    "a reference with NUL": changed(our_ref="pay\x00"),
}

GOOD_BODY: Final = changed()
BAD_HEADERS: Final[Mapping[str, str]] = {
    "none": "",
    "no moment": "v1={mark}",
    "no mark": "t={moment}",
    "an empty mark": "t={moment},v1=",
    "a short mark": "t={moment},v1={mark:.10}",
    "a mark of another scheme": "t={moment},v0={mark}",
    "two moments": "t={moment},t={moment},v1={mark}",
    "a moment below zero": "t=-1,v1={mark}",
    "a moment in words": "t=now,v1={mark}",
    "a moment without end": "t=" + "9" * 400 + ",v1={mark}",
    "a moment with a point": "t={moment}.5,v1={mark}",
    "another moment": "t=1,v1={mark}",
    "signs of no language": "t={moment};v1={mark}",
    "endless": "t={moment}," + "v1=0," * 2_000 + "v1={mark}",
}


def sign(house: House, raw: bytes) -> tuple[str, str]:
    """(the moment, the mark)."""
    moment = str(int(house.clock().timestamp()))
    return moment, hmac.new(SECRET.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()


async def deliver(house: House, raw: bytes, header: str, *, address: str) -> int:
    headers = {"X-Sandbox-Signature": header, "Content-Type": "application/json"}
    sender = house.browser(address=address)
    return (await sender.post("/webhooks/sandbox", content=raw, headers=headers)).status_code


def test_the_corpus_is_large_enough() -> None:
    assert len(SIGNED_WITH_OUR_SECRET) + len(BAD_HEADERS) >= 60


async def test_the_corpus_is_refused_for_what_it_is_and_not_for_its_signature(house: House) -> None:
    """The same way of signing, around a genuine body, is believed; so what is refused below is refused for its body."""
    moment, mark = sign(house, GOOD_BODY)
    assert await deliver(house, GOOD_BODY, f"t={moment},v1={mark}", address="10.0.0.1") == 202


async def test_a_body_that_is_signed_and_hostile_is_refused_and_none_is_believed(house: House) -> None:
    for number, (name, raw) in enumerate(SIGNED_WITH_OUR_SECRET.items()):
        moment, mark = sign(house, raw)
        status = await deliver(house, raw, f"t={moment},v1={mark}", address=f"10.1.0.{number}")
        assert status in {400, 413}, (name, status)
    assert house.accounts.rows("SELECT DISTINCT state FROM inbox") == [("refused",)]


async def test_a_header_that_proves_nothing_is_refused(house: House) -> None:
    moment, mark = sign(house, GOOD_BODY)
    for number, (name, form) in enumerate(BAD_HEADERS.items()):
        header = form.format(moment=moment, mark=mark)
        assert await deliver(house, GOOD_BODY, header, address=f"10.2.0.{number}") == 400, name
    assert house.accounts.rows("SELECT state, reason FROM inbox") == [("refused", "signature")]


async def test_a_flood_of_forgeries_is_turned_away_unwritten_and_what_is_genuine_still_comes_in(house: House) -> None:
    answers = [
        await deliver(house, changed(id=f"forged_{number}"), "t=1,v1=0", address="10.3.0.1")
        for number in range(REFUSED_MOST + 5)
    ]
    assert answers == [400] * REFUSED_MOST + [429] * 5
    assert house.accounts.rows("SELECT count(*) FROM inbox") == [(REFUSED_MOST,)]
    moment, mark = sign(house, GOOD_BODY)
    assert await deliver(house, GOOD_BODY, f"t={moment},v1={mark}", address="10.3.0.1") == 202
    house.clock.move(minutes=1)
    assert await deliver(house, changed(id="forged again"), "t=1,v1=0", address="10.3.0.1") == 400


async def test_a_delivery_that_could_not_be_stored_is_not_acknowledged(house: House) -> None:
    """A provider that is told 2xx never delivers again; one that is told 5xx does."""
    moment, mark = sign(house, GOOD_BODY)
    headers = {"X-Sandbox-Signature": f"t={moment},v1={mark}", "Content-Type": "application/json"}
    sender = house.browser(address="10.4.0.1", raises=False)
    house.accounts.run("ALTER TABLE inbox RENAME TO inbox_elsewhere")
    lost = await sender.post("/webhooks/sandbox", content=GOOD_BODY, headers=headers)
    house.accounts.run("ALTER TABLE inbox_elsewhere RENAME TO inbox")
    assert lost.status_code >= 500
    again = await sender.post("/webhooks/sandbox", content=GOOD_BODY, headers=headers)
    assert again.status_code == 202
    assert house.accounts.rows("SELECT event_id FROM inbox") == [("sbe_1",)]
