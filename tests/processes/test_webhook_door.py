"""Deliveries at the door: forged, stale and replayed ones are refused or ignored, and stored as such."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from store.identity import fresh_id
from tests.processes.house import House


def _body(event_id: str) -> bytes:
    told = {
        "id": event_id,
        "type": "charge.captured",
        "mode": "test",
        "created_at": datetime.now(UTC).isoformat(),
        "our_ref": f"{fresh_id('pay')}-1",
        "object": {"type": "charge", "id": f"chg_{event_id}"},
    }
    return json.dumps(told).encode()


def _signed(house: House, raw: bytes, *, at: datetime, secret: str | None = None) -> dict[str, str]:
    key = (secret or house.machine.secrets.provider_webhook_secret.split(",")[0]).encode()
    moment = str(int(at.timestamp()))
    mark = hmac.new(key, moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    return {"X-Sandbox-Signature": f"t={moment},v1={mark}"}


async def _deliver(house: House, raw: bytes, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient(base_url=house.base_url, trust_env=False) as sender:
        return (await sender.post("/webhooks/sandbox", content=raw, headers=headers)).status_code


@pytest.mark.parametrize(
    ("age", "secret", "reason"),
    [
        (timedelta(0), "somebody-elses-secret-entirely", "signature"),
        (timedelta(minutes=10), None, "age"),
        (timedelta(minutes=-10), None, "age"),
    ],
    ids=["forged", "stale", "from the future"],
)
async def test_a_delivery_that_is_not_believed_is_refused_and_stored_as_such(
    house: House, age: timedelta, secret: str | None, reason: str
) -> None:
    raw = _body(f"sbe_{fresh_id('evt')}")
    headers = _signed(house, raw, at=datetime.now(UTC) - age, secret=secret)
    assert await _deliver(house, raw, headers) == 400
    row = await house.one(
        "SELECT state, reason, our_ref FROM inbox WHERE dedupe_key = :key", key=f"refused/{hashlib.sha256(raw).hexdigest()}"
    )
    assert (row.state, row.reason, row.our_ref) == ("refused", reason, None)


async def test_a_replayed_delivery_is_counted_and_does_nothing_more(house: House) -> None:
    event_id = f"sbe_{fresh_id('evt')}"
    raw = _body(event_id)
    headers = _signed(house, raw, at=datetime.now(UTC))
    assert [await _deliver(house, raw, headers) for _ in range(3)] == [202, 202, 202]
    row = await house.one("SELECT deliveries FROM inbox WHERE event_id = :id", id=event_id)
    assert row.deliveries == 3


async def test_a_delivery_to_no_connection_and_a_huge_one_are_turned_away(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.base_url, trust_env=False) as sender:
        assert (await sender.post("/webhooks/nobody", content=b"{}")).status_code == 404
        assert (await sender.post("/webhooks/sandbox", content=b"x" * 400_000)).status_code == 413
