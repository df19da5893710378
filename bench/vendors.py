"""Vendors whose signed deliveries the bench sends: connected as staff would have, their secrets sealed in its database.

Each writes an event of its own: the charge of a payment has gone through. The signatures are our own writing of the
vendors' rules, so that a connector is not held against itself.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from activities.connecting import ONCE, SAVED, Workshop, offers_of
from bench.api_server import MASTER_KEY
from bench.data import NOON
from bench.ground import Ground
from connectors import registry
from domain.methods import MethodKind
from store import managed
from store.envelopes import Envelopes

Delivery = tuple[bytes, Mapping[str, str]]
"""A body and the headers that vouch for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor, and the id of the connection to it: the same word. `given` is what staff would have entered.

    `deliver` writes an event, by its id and its payment's reference, as a secret signs it: its own, which `signs_with`
    names in `given`, or somebody else's.
    """

    name: str
    given: Mapping[str, str]
    kind: MethodKind
    currency: str
    signs_with: str
    deliver: Callable[[str, str, str], Delivery]


def _of_stripe(event_id: str, our_ref: str, secret: str) -> Delivery:
    intent = {"id": f"pi_{event_id}", "object": "payment_intent", "metadata": {"our_ref": our_ref}}
    told = {
        "id": f"evt_{event_id}", "object": "event", "type": "payment_intent.succeeded", "livemode": False,
        "created": int(NOON.timestamp()), "data": {"object": intent},
    }  # fmt: skip
    raw, moment = _written(told), str(int(time.time()))
    mark = hmac.new(secret.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    return raw, {"Stripe-Signature": f"t={moment},v1={mark}"}


def _of_gocardless(event_id: str, our_ref: str, secret: str) -> Delivery:
    told = {
        "id": f"EV{event_id}", "created_at": "2026-11-22T12:00:00.000Z", "resource_type": "payments",
        "action": "confirmed", "links": {"payment": f"PM{event_id}"}, "resource_metadata": {"our_ref": our_ref},
    }  # fmt: skip
    raw = _written({"events": [told]})
    return raw, {"Webhook-Signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


def _of_adyen(event_id: str, our_ref: str, secret: str) -> Delivery:
    item = {
        "pspReference": f"PSP{event_id}", "merchantAccountCode": "TheBench", "merchantReference": f"{our_ref}.card",
        "amount": {"value": 1000, "currency": "GBP"}, "eventCode": "AUTHORISATION", "success": "true",
        "eventDate": "2026-11-22T12:00:00+00:00", "paymentMethod": "visa",
    }  # fmt: skip
    signed = ":".join((f"PSP{event_id}", "", "TheBench", f"{our_ref}.card", "1000", "GBP", "AUTHORISATION", "true"))
    mark = hmac.new(bytes.fromhex(secret), signed.encode(), hashlib.sha256).digest()
    item["additionalData"] = {"hmacSignature": base64.b64encode(mark).decode()}
    return _written({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}), {}


VENDORS: Final = (
    Vendor(
        name="stripe",
        given={"api_key": "sk_test_of_the_bench_and_no_other", "webhook_secret": "whsec_of_the_bench_and_no_other"},
        kind=MethodKind.CARD,
        currency="GBP",
        signs_with="webhook_secret",
        deliver=_of_stripe,
    ),
    Vendor(
        name="gocardless",
        given={"access_token": "sandbox_of_the_bench_and_no_other", "webhook_secret": "a secret of the bench's events"},
        kind=MethodKind.BACS_DEBIT,
        currency="GBP",
        signs_with="webhook_secret",
        deliver=_of_gocardless,
    ),
    Vendor(
        name="adyen",
        given={"api_key": "AQE_of_the_bench_and_no_other", "merchant_account": "TheBench", "hmac_key": "0f" * 32},
        kind=MethodKind.CARD,
        currency="GBP",
        signs_with="hmac_key",
        deliver=_of_adyen,
    ),
)


async def connect(under: Ground, vendors: Sequence[Vendor] = VENDORS) -> None:
    """The rows of their connections, switched on; nobody is called."""
    key_id, secret = MASTER_KEY
    connectors = {each.name: registry.payment_connectors()[each.name] for each in vendors}
    workshop = Workshop(connectors=connectors, envelopes=Envelopes([(key_id, secret)]), is_live=False)
    async with under.database("duly_staff") as database, database.begin("bench.connect") as tx:
        for each in vendors:
            declared = connectors[each.name]
            provider = workshop.build(each.name, {name: (text,) for name, text in each.given.items()}, [each.kind.value])
            hidden = [setting.name for setting in declared.settings if setting.is_secret and setting.name in each.given]
            choices = managed.Choices(
                title=declared.title,
                given={name: text for name, text in each.given.items() if name not in hidden},
                kinds=[each.kind.value],
                currencies=[each.currency],
                preferred=[],
                offers=offers_of(provider, [each.kind], [each.currency], SAVED),
                once=offers_of(provider, [each.kind], [each.currency], ONCE),
                countries={},
            )
            await managed.add(
                tx, each.name, choices, connector=each.name, mode="sandbox", calls_per_second=declared.calls_per_second,
                at=NOON,
            )  # fmt: skip
            for name in hidden:
                await managed.add_secret(tx, workshop.envelopes, each.name, name, each.given[name], by="bench", at=NOON)
            await managed.switch(tx, each.name, on=True, at=NOON)


def _written(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode()
