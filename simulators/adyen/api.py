"""What can be asked of this Adyen, by method and path."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from simulators.adyen.instruments import REFUSED_AS, WRITTEN, Instrument
from simulators.adyen.world import DAY, Object, Page, Payment, Refused, Token, World, written

Given = dict[str, Any]
HOUR: Final = 3600
REASONS: Final = {"2": "Refused", "6": "Expired Card", "12": "Not enough balance", "38": "Authentication required"}
_KINDS: Final = {"scheme": "Cards", "ach": "ACH Direct Debit", "sepadirectdebit": "SEPA Direct Debit"}


def _account(world: World, given: Given) -> None:
    if given.get("merchantAccount") != world.account:
        raise Refused(403, "901", "Invalid Merchant Account")


def _payment_methods(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    return 200, {"paymentMethods": [{"type": kind, "name": name} for kind, name in _KINDS.items()]}


def _payments(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    use = _written_card(given) if "encryptedCardNumber" in given["paymentMethod"] else _stored_method(world, given)
    keeps = given.get("storePaymentMethod") is True
    if given["amount"]["value"] <= 0 and not keeps:
        raise Refused(422, "137", "Invalid amount specified")
    named = {"reference": given["reference"], "amount": given["amount"]}
    is_never = given.get("authenticationData", {}).get("attemptAuthentication") == "never"
    code = "38" if use.asks and is_never else use.declined_later
    if code is not None:
        return 200, {**_shown(world.refuse(use, **named, reason=REASONS[code])), **_refusal(code)}
    paid = world.pay(use, **named, shopper=given.get("shopperReference"), keeps="written" if keeps else None)
    shown = {**_shown(paid), "resultCode": "PartiallyAuthorised" if use.takes_part else "Authorised"}
    return 200, shown | ({"additionalData": world.tokens[paid.keeps].told} if paid.keeps is not None else {})


def _stored_method(world: World, given: Given) -> Instrument:
    method = given["paymentMethod"]
    token = world.tokens.get(method.get("storedPaymentMethodId", ""))
    if token is None or token.shopper != given.get("shopperReference"):
        raise Refused(422, "800", "Contract not found")
    if method["type"] != token.instrument.type:
        raise Refused(422, "14_030", "The payment method is not of this type")
    return token.instrument


def _written_card(given: Given) -> Instrument:
    """A card in its test form, whose holder may ask for a refusal by name."""
    method = given["paymentMethod"]
    if given.get("storePaymentMethod") and not given.get("shopperReference"):
        raise Refused(422, "14_004", "Required field 'shopperReference' is not provided")
    use = WRITTEN.get(method["encryptedCardNumber"])
    if use is None:
        raise Refused(422, "101", "Invalid card number")
    if not all(method.get(name, "").startswith("test_") for name in ("encryptedExpiryMonth", "encryptedExpiryYear")):
        raise Refused(422, "129", "Expiry Date Invalid")
    return replace(use, declined_later=REFUSED_AS.get(method.get("holderName", "")))


def _shown(payment: Payment) -> Object:
    use = payment.instrument
    shown: Object = {
        "pspReference": payment.psp,
        "merchantReference": payment.reference,
        "amount": payment.amount,
        "paymentMethod": {"type": use.type, "brand": use.brand},
    }
    return shown


def _refusal(code: str) -> Object:
    return {"resultCode": "Refused", "refusalReasonCode": code, "refusalReason": REASONS[code]}


def _sessions(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    if given.get("mode") != "hosted":
        raise Refused(422, "14_001", "Only hosted sessions live here")
    page = _page(world, "CS", given, expires_at=world.now() + HOUR)
    body = {name: value for name, value in given.items() if name != "countryCode"}
    url = f"{world.public_url}/pages/{page.id}"
    return 201, {**body, "id": page.id, "expiresAt": written(page.expires_at), "url": url, "sessionData": world.fresh(64)}


def _new_link(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    now = world.now()
    ends = datetime.fromisoformat(given["expiresAt"]).timestamp() if "expiresAt" in given else now + DAY
    if not now < ends <= now + 70 * DAY:
        raise Refused(422, "14_012", "The expiry date must be in the future, and at most 70 days away")
    if given["amount"]["value"] <= 0:
        raise Refused(422, "137", "Invalid amount specified")
    return 201, _link(world, _page(world, "PL", given, expires_at=int(ends)))


def _page(world: World, prefix: str, given: Given, *, expires_at: int) -> Page:
    if given.get("storePaymentMethodMode") == "enabled" and not given.get("shopperReference"):
        raise Refused(422, "14_004", "Required field 'shopperReference' is not provided")
    page = Page(
        id=f"{prefix}{world.fresh(16)}", is_link=prefix == "PL", body=dict(given), status="active", expires_at=expires_at
    )
    world.pages[page.id] = page
    return page


def _link(world: World, page: Page) -> Object:
    url = f"{world.public_url}/pages/{page.id}"
    return {**page.body, "id": page.id, "status": page.status, "url": url, "expiresAt": written(page.expires_at)}


def _known_link(world: World, given: Given) -> Page:
    page = world.pages.get(given["id"])
    if page is None or not page.is_link:
        raise Refused(422, "14_015", "The payment link does not exist")
    return page


def _get_link(world: World, given: Given) -> tuple[int, Object]:
    return 200, _link(world, _known_link(world, given))


def _update_link(world: World, given: Given) -> tuple[int, Object]:
    page = _known_link(world, given)
    if page.status != "active":
        raise Refused(422, "14_016", "The payment link is not active")
    page.status = "expired"
    return 200, _link(world, page)


def _refund(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    payment = world.payments.get(given["id"])
    if payment is None:
        raise Refused(422, "167", "Original pspReference required for this operation")
    made = world.give_back(payment, reference=given.get("reference", payment.reference), amount=given["amount"])
    return 201, {
        "merchantAccount": world.account,
        "amount": made.amount,
        "paymentPspReference": payment.psp,
        "pspReference": made.psp,
        "reference": made.reference,
        "status": "received",
    }


def _stored(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    shopper = given["shopperReference"]
    mine = [_resource(each) for each in world.tokens.values() if each.shopper == shopper]
    return 200, {"merchantAccount": world.account, "shopperReference": shopper, "storedPaymentMethods": mine}


def _resource(token: Token) -> Object:
    use = token.instrument
    shown: Object = {
        "id": token.id,
        "type": use.type,
        "brand": use.brand,
        "lastFour": use.last4,
        "shopperReference": token.shopper,
        "firstPspReference": token.first_psp,
        "createdAt": written(token.made_at),
        "supportedRecurringProcessingModels": ["UnscheduledCardOnFile"],
    }
    if use.is_card:
        shown |= {"expiryMonth": "08", "expiryYear": "2031", "name": "VISA"}
    return shown


def _delete_stored(world: World, given: Given) -> tuple[int, Object]:
    _account(world, given)
    token = world.tokens.get(given["id"])
    if token is None or token.shopper != given["shopperReference"]:
        raise Refused(422, "800", "Contract not found")
    del world.tokens[given["id"]]
    return 204, {}


_ACTS: Final[tuple[tuple[str, str, Callable[[World, Given], tuple[int, Object]]], ...]] = (
    ("POST", "/v72/paymentMethods", _payment_methods),
    ("POST", "/v72/payments", _payments),
    ("POST", "/v72/sessions", _sessions),
    ("POST", "/v72/paymentLinks", _new_link),
    ("GET", "/v72/paymentLinks/([^/]+)", _get_link),
    ("PATCH", "/v72/paymentLinks/([^/]+)", _update_link),
    ("POST", "/v72/payments/([^/]+)/refunds", _refund),
    ("GET", "/v72/storedPaymentMethods", _stored),
    ("DELETE", "/v72/storedPaymentMethods/([^/]+)", _delete_stored),
)


def act(world: World, method: str, path: str, given: Given) -> tuple[int, Object]:
    """Do what is asked. Raises Refused."""
    for verb, pattern, doing in _ACTS:
        matched = re.fullmatch(pattern, path)
        if matched is not None and verb == method:
            return doing(world, {**given, **({"id": matched[1]} if matched.groups() else {})})
    raise Refused(404, "000", "Not found")
