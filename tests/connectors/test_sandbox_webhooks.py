"""Deliveries of the sandbox provider in its own scheme: header, body, mode, secrets."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from connectors.conformance.payment_harness import now
from connectors.errors import Misconfigured, WebhookRejected
from connectors.payments.ports import EventSubject
from connectors.payments.sandbox import SandboxConfig, build
from tests.connectors.sandbox_harness import API_KEY, SECRETS, SandboxHarness

GENUINE: Final[Mapping[str, Any]] = {
    "id": "sbe_1",
    "type": "charge.captured",
    "mode": "test",
    "created_at": "2026-03-16T10:00:00.000+00:00",
    "our_ref": "pay_1:1",
    "object": {"type": "charge", "id": "sbc_1"},
}
LOST_SHAPES: Final[Mapping[str, tuple[str, object]]] = {
    "no id": ("id", None),
    "id is empty": ("id", ""),
    "type is a list": ("type", ["charge.captured"]),
    "moment is a number": ("created_at", 1),
    "moment is words": ("created_at", "yesterday"),
    "moment has no offset": ("created_at", "2026-01-01T00:00:00"),
    "object is text": ("object", "charge"),
    "object is absent": ("object", None),
    "object's id is a number": ("object", {"type": "charge", "id": 7}),
    "reference is a number": ("our_ref", 7),
    "reference is a list": ("our_ref", ["pay_1"]),
    "reference holds NUL": ("our_ref", "pay\x00"),
    "reference is half a character": ("our_ref", "\ud800"),
    "reference is very long": ("our_ref", "x" * 201),
}


def refused(harness: SandboxHarness, raw: bytes, headers: Mapping[str, str]) -> str:
    with pytest.raises(WebhookRejected) as rejected:
        harness.provider.read_webhook(raw, headers, now=now())
    return rejected.value.reason


def signed(harness: SandboxHarness, changes: Mapping[str, object]) -> tuple[bytes, Mapping[str, str]]:
    body = {name: value for name, value in {**GENUINE, **changes}.items() if name != "our_ref" or value is not None}
    raw = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
    return raw, harness.sign(raw, at=now())


def test_a_genuine_body_is_read(sandbox: SandboxHarness) -> None:
    raw, headers = signed(sandbox, {})
    (event,) = sandbox.provider.read_webhook(raw, headers, now=now())
    assert (event.event_id, event.kind, event.our_ref, event.provider_id) == (
        "sbe_1",
        "charge.captured",
        "pay_1:1",
        "sbc_1",
    )


@pytest.mark.parametrize("name", LOST_SHAPES)
def test_a_body_that_lost_its_shape_is_refused(sandbox: SandboxHarness, name: str) -> None:
    field, value = LOST_SHAPES[name]
    assert refused(sandbox, *signed(sandbox, {field: value})) == "shape"


@pytest.mark.parametrize(
    "extra",
    [
        b'"id": "sbe_2"',
        b'"more": NaN',
        b'"more": "a\\u0000b"',
        b'"more\\u0000": 1',
        b'"more": ["\\udfff"]',
        b'"more": ' + b"[" * 16 + b"]" * 16,
        b'"more": ' + b'{"a":' * 16 + b"1" + b"}" * 16,
        b'"more": ' + b"9" * 5000,
    ],
    ids=lambda extra: extra[:24].decode(),
)
def test_a_genuine_body_with_something_hostile_beside_is_refused(sandbox: SandboxHarness, extra: bytes) -> None:
    raw = json.dumps(GENUINE).encode()[:-1] + b", " + extra + b"}"
    assert refused(sandbox, raw, sandbox.sign(raw, at=now())) == "shape"


@pytest.mark.parametrize("extra", [b'"more": 1e400', b'"more": ' + b"[" * 14 + b"]" * 14, b'"more": "\xc3\xa9"'])
def test_a_genuine_body_with_something_new_beside_is_read(sandbox: SandboxHarness, extra: bytes) -> None:
    raw = json.dumps(GENUINE).encode()[:-1] + b", " + extra + b"}"
    assert sandbox.provider.read_webhook(raw, sandbox.sign(raw, at=now()), now=now())


@pytest.mark.parametrize("mode", ["live", "", None, True])
def test_a_body_of_another_mode_is_not_ours(sandbox: SandboxHarness, mode: object) -> None:
    assert refused(sandbox, *signed(sandbox, {"mode": mode})) == "account"


def test_an_event_nobody_has_heard_of_is_other(sandbox: SandboxHarness) -> None:
    raw, headers = signed(sandbox, {"type": "weather.changed", "object": {"type": "cloud", "id": "c"}, "our_ref": None})
    (event,) = sandbox.provider.read_webhook(raw, headers, now=now())
    assert (event.subject, event.kind, event.our_ref) == (EventSubject.OTHER, "weather.changed", None)


def test_a_header_must_be_whole(sandbox: SandboxHarness) -> None:
    raw, headers = signed(sandbox, {})
    ((name, value),) = headers.items()
    time_part, mark_part = value.split(",")
    broken = [",", "=", "t=", "v1=", time_part, mark_part, value.upper(), value.replace("v1=", "v0=")]
    broken += [value.replace("t=", "t=-"), value.replace("t=", "t="), "t=1e9," + mark_part, "t=１２３," + mark_part]
    broken += [f"{time_part},{time_part},{mark_part}", "t=" + "9" * 400 + "," + mark_part, "v1=aa," * 100_000]
    broken += [value + "\x00", time_part + ",v1=é", "t=999999999999," + mark_part]
    broken.remove(value)
    for forged in broken:
        assert refused(sandbox, raw, {name: forged}) == "signature", forged[:80]


def test_one_good_mark_among_several_is_enough_and_a_ninth_is_not_tried(sandbox: SandboxHarness) -> None:
    raw, headers = signed(sandbox, {})
    ((name, value),) = headers.items()
    time_part, mark_part = value.split(",")
    wrong = "v1=" + "0" * 64
    among = ",".join([time_part, wrong, mark_part])
    assert sandbox.provider.read_webhook(raw, {name: among}, now=now())
    assert refused(sandbox, raw, {name: ",".join([time_part, *[wrong] * 8, mark_part])}) == "signature"


def test_a_distant_moment_that_is_signed_is_refused_by_age(sandbox: SandboxHarness) -> None:
    raw, _ = signed(sandbox, {})
    far = now().replace(year=9998)
    assert refused(sandbox, raw, sandbox.sign(raw, at=far)) == "age"


@pytest.mark.parametrize("secrets", [(), ("",), ("   ",), ("fifteen-letters",), (SECRETS[0], ""), ("x" * 15 + " ",)])
def test_an_empty_or_short_secret_refuses_to_build(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured):
        build(SandboxConfig(base_url="http://127.0.0.1:1", api_key=API_KEY, webhook_secrets=secrets))


@pytest.mark.parametrize("address", ["", "ftp://127.0.0.1", "http://", "127.0.0.1:80", "javascript:alert(1)"])
def test_an_address_that_is_none_refuses_to_build(sandbox: SandboxHarness, address: str) -> None:
    with pytest.raises(Misconfigured):
        replace(sandbox.config, base_url=address)


def test_a_printed_configuration_holds_no_secret(sandbox: SandboxHarness) -> None:
    printed = f"{sandbox.config!r} {sandbox.config}"
    assert API_KEY not in printed
    assert not any(secret in printed for secret in SECRETS)


async def test_a_wrong_key_is_told_as_a_problem_of_the_connection(sandbox: SandboxHarness) -> None:
    stranger = build(replace(sandbox.config, api_key="not-the-key-of-this-one"))
    try:
        (problem,) = await stranger.check_configuration()
        assert problem.code == "api_key"
        with pytest.raises(Misconfigured):
            await stranger.find_charge("pay_1:1")
    finally:
        await stranger.aclose()
    assert await sandbox.provider.check_configuration() == ()
