"""What can be asked of this Stripe, by method and path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from simulators.stripe.instruments import TOKENS
from simulators.stripe.world import DAY, Object, Refused, World

Parameters = dict[str, Any]
SEARCH_LAG_SECONDS: Final = 60
_QUERY: Final = re.compile(r"metadata\['our_ref'\]:'([^']*)'")


def _account(_world: World, _: Parameters) -> Object:
    names = ("card_payments", "us_bank_account_ach_payments", "sepa_debit_payments")
    return {
        "id": "acct_simulated",
        "object": "account",
        "charges_enabled": True,
        "capabilities": dict.fromkeys(names, "active"),
    }


def _endpoints(_: World, given: Parameters) -> Object:
    return _page([{"id": "we_1", "object": "webhook_endpoint", "status": "enabled", "enabled_events": ["*"]}], given)


def _new_customer(world: World, given: Parameters) -> Object:
    return world.make("cus", name=given.get("name"), email=given.get("email"), metadata=given.get("metadata", {}))


def _new_session(world: World, given: Parameters) -> Object:
    mode, now = given["mode"], world.now()
    expires_at = int(given.get("expires_at", now + DAY))
    if not now + 1800 - 5 <= expires_at <= now + DAY + 5:
        raise Refused(400, "parameter_invalid_integer", "`expires_at` is 30 minutes to 24 hours after creation.")
    if given.get("customer") is not None:
        world.get(given["customer"], "cus")
    made = world.make(
        "cs",
        mode=mode,
        status="open",
        payment_status="no_payment_required" if mode == "setup" else "unpaid",
        customer=given.get("customer"),
        metadata=given.get("metadata", {}),
        client_reference_id=given.get("client_reference_id"),
        payment_method_types=given["payment_method_types"],
        expires_at=expires_at,
        amount_total=None,
        currency=None,
        payment_intent=None,
        setup_intent=None,
        success_url=given.get("success_url"),
        cancel_url=given.get("cancel_url"),
    )
    made["url"] = f"{world.public_url}/pages/{made['id']}"
    if mode == "setup":
        metadata = given.get("setup_intent_data", {}).get("metadata", {})
        made["setup_intent"] = world.make(
            "seti",
            status="requires_payment_method",
            customer=given.get("customer"),
            payment_method=None,
            metadata=metadata,
            last_setup_error=None,
            next_action=None,
        )["id"]
        return made
    price = given["line_items"][0]["price_data"]
    intent = given.get("payment_intent_data", {})
    made.update(amount_total=int(price["unit_amount"]), currency=price["currency"])
    # A page has no payment intent before somebody tries to pay on it.
    world.wanted[made["id"]] = {
        "amount": made["amount_total"],
        "currency": made["currency"],
        "customer": given.get("customer"),
        "metadata": intent.get("metadata", {}),
        "setup_future_usage": intent.get("setup_future_usage"),
    }
    return made


def _expire_session(world: World, given: Parameters) -> Object:
    session = world.get(given["id"], "cs")
    if session["status"] != "open":
        raise Refused(400, "checkout_session_not_open", "Only Checkout Sessions with a status in [open] can be expired.")
    session.update(status="expired", url=None)
    world.tell("checkout.session.expired", session)
    return session


def _new_intent(world: World, given: Parameters) -> Object:
    method = world.get(given["payment_method"], "pm")
    if method["customer"] is None or method["customer"] != given["customer"]:
        raise Refused(400, "payment_method_invalid", "The PaymentMethod does not belong to that Customer.")
    intent = world.new_intent(
        amount=int(given["amount"]),
        currency=given["currency"],
        customer=given["customer"],
        metadata=given.get("metadata", {}),
    )
    return _confirm(world, intent, method, off_session=given.get("off_session") == "true")


def _confirm_intent(world: World, given: Parameters) -> Object:
    intent = world.get(given["id"], "pi")
    if intent["status"] != "requires_payment_method":
        raise Refused(400, "payment_intent_unexpected_state", "This PaymentIntent cannot be confirmed.")
    method = world.get(given["payment_method"], "pm")
    return _confirm(
        world, intent, method, off_session=given.get("off_session") == "true", return_url=given.get("return_url")
    )


def _confirm(world: World, intent: Object, method: Object, *, off_session: bool, return_url: str | None = None) -> Object:
    instrument = world.instruments[method["id"]]
    if instrument.declined_later:
        world.decline(intent, method, "card_declined", "generic_decline")
    elif instrument.asks and off_session:
        world.decline(intent, method, "authentication_required", "authentication_required")
    elif instrument.asks:
        world.ask(intent, method, return_url=return_url)
    else:
        world.take(intent, method)
    if intent["last_payment_error"] is not None:
        error = intent["last_payment_error"]
        raise Refused(402, error["code"], error["message"], payment_intent=world.shown(intent, []))
    return intent


def _cancel_intent(world: World, given: Parameters) -> Object:
    intent = world.get(given["id"], "pi")
    if intent["status"] not in {"requires_payment_method", "requires_action", "requires_confirmation"}:
        raise Refused(400, "payment_intent_unexpected_state", "This PaymentIntent can no longer be canceled.")
    intent.update(status="canceled", next_action=None)
    world.tell("payment_intent.canceled", intent)
    return intent


def _new_refund(world: World, given: Parameters) -> Object:
    intent = world.get(given["payment_intent"], "pi")
    if intent["status"] != "succeeded":
        raise Refused(400, "charge_not_captured", "This payment was not captured.")
    given_back = sum(
        each["amount"]
        for each in world.all("re")
        if each["payment_intent"] == intent["id"] and each["status"] not in {"failed", "canceled"}
    )
    amount = int(given.get("amount", intent["amount"] - given_back))
    if amount > intent["amount"] - given_back:
        raise Refused(400, "amount_too_large", "Refund amount is greater than what is left of the charge.")
    status = {"succeeds": "succeeded", "stays_pending": "pending", "fails": "failed"}[world.refund_path]
    made = world.make(
        "re",
        amount=amount,
        currency=intent["currency"],
        payment_intent=intent["id"],
        metadata=given.get("metadata", {}),
        status=status,
    )
    if status == "failed":
        made["failure_reason"] = "expired_or_canceled_card"
    world.tell("refund.created", made)
    return made


def _detach(world: World, given: Parameters) -> Object:
    method = world.get(given["id"], "pm")
    if method["customer"] is None:
        raise Refused(400, "payment_method_not_attached", "It is not attached to a customer: detachment is impossible.")
    method["customer"] = None
    world.tell("payment_method.detached", method)
    return method


def _attach_token(world: World, given: Parameters) -> Object:
    """A test token of theirs becomes a method of a customer's, as often as it is attached."""
    if given["id"] not in TOKENS:
        raise Refused(404, "resource_missing", f"No such PaymentMethod: '{given['id']}'")
    world.get(given["customer"], "cus")
    method = world.new_method(TOKENS[given["id"]], ["card"])
    assert method is not None
    world.attach(method, given["customer"], "")
    return method


def _methods_of(world: World, given: Parameters) -> Object:
    world.get(given["id"], "cus")
    return _page([each for each in world.all("pm") if each["customer"] == given["id"]], given)


def _search(world: World, given: Parameters) -> Object:
    """Sees a write a minute late, as theirs does."""
    found = _QUERY.fullmatch(given["query"])
    if found is None:
        raise Refused(400, "search_query_invalid", "This query cannot be read.")
    until = world.now() - SEARCH_LAG_SECONDS
    seen = [each for each in world.all("pi") if each["metadata"].get("our_ref") == found[1] and each["created"] <= until]
    return {**_page(seen, given), "object": "search_result"}


def _balance(world: World, given: Parameters) -> Object:
    """What an automatic payout consists of, itself among it."""
    payout = world.get(given["payout"], "po")
    if not payout["automatic"]:
        raise Refused(400, "parameter_invalid", "Balance transaction history can only be filtered on automatic payouts.")
    return _page([each for each in world.all("txn") if world.paid_in.get(each["id"]) == payout["id"]], given)


def _listed(prefix: str) -> Callable[[World, Parameters], Object]:
    def listed(world: World, given: Parameters) -> Object:
        return _page(world.all(prefix), given)

    return listed


def _page(found: list[Object], given: Parameters) -> Object:
    """A page of a list: filtered, cut after a known one, at most `limit`."""
    since, until = int(given.get("created", {}).get("gte", 0)), int(given.get("created", {}).get("lt", 1 << 40))
    intent = given.get("payment_intent")
    kinds = given.get("types")
    kept = [
        each
        for each in found
        if since <= each.get("created", since) < until
        and (intent is None or each.get("payment_intent") == intent)
        and (kinds is None or each.get("type") in kinds)
    ]
    limit = int(given.get("limit", 10))
    before, after = given.get("ending_before"), given.get("starting_after")
    if before is not None:  # the page of what is newer, next to the one that is named
        kept = kept[: _place(kept, before)]
        newer = kept[max(len(kept) - limit, 0) :]
        return {"object": "list", "data": newer, "has_more": len(kept) > limit, "url": given["path"]}
    if after is not None:
        kept = kept[_place(kept, after) + 1 :]
    return {"object": "list", "data": kept[:limit], "has_more": len(kept) > limit, "url": given["path"]}


def _place(kept: list[Object], named: str) -> int:
    places = [place for place, each in enumerate(kept) if each["id"] == named]
    if not places:
        raise Refused(400, "resource_missing", f"No such object: '{named}'")
    return places[0]


def _one(prefix: str) -> Callable[[World, Parameters], Object]:
    def one(world: World, given: Parameters) -> Object:
        return world.get(given["id"], prefix)

    return one


ROUTES: Final = tuple(
    (method, re.compile(pattern), act)
    for method, pattern, act in (
        ("GET", r"/v1/account", _account),
        ("GET", r"/v1/webhook_endpoints", _endpoints),
        ("POST", r"/v1/customers", _new_customer),
        ("GET", r"/v1/customers/([^/]+)/payment_methods", _methods_of),
        ("POST", r"/v1/checkout/sessions", _new_session),
        ("GET", r"/v1/checkout/sessions", _listed("cs")),
        ("GET", r"/v1/checkout/sessions/([^/]+)", _one("cs")),
        ("POST", r"/v1/checkout/sessions/([^/]+)/expire", _expire_session),
        ("POST", r"/v1/payment_intents", _new_intent),
        ("GET", r"/v1/payment_intents", _listed("pi")),
        ("GET", r"/v1/payment_intents/search", _search),
        ("GET", r"/v1/payment_intents/([^/]+)", _one("pi")),
        ("POST", r"/v1/payment_intents/([^/]+)/confirm", _confirm_intent),
        ("POST", r"/v1/payment_intents/([^/]+)/cancel", _cancel_intent),
        ("POST", r"/v1/refunds", _new_refund),
        ("GET", r"/v1/refunds", _listed("re")),
        ("GET", r"/v1/refunds/([^/]+)", _one("re")),
        ("GET", r"/v1/disputes", _listed("dp")),
        ("GET", r"/v1/payouts", _listed("po")),
        ("GET", r"/v1/payouts/([^/]+)", _one("po")),
        ("GET", r"/v1/balance_transactions", _balance),
        ("GET", r"/v1/events", _listed("evt")),
        ("GET", r"/v1/payment_methods/([^/]+)", _one("pm")),
        ("POST", r"/v1/payment_methods/([^/]+)/attach", _attach_token),
        ("POST", r"/v1/payment_methods/([^/]+)/detach", _detach),
    )
)


def act(world: World, method: str, path: str, given: Parameters) -> Object:
    """The answer. Raises Refused."""
    for verb, pattern, handle in ROUTES:
        found = pattern.fullmatch(path)
        if verb == method and found is not None:
            known = {**given, "path": path, **({"id": found[1]} if found.groups() else {})}
            return world.shown(handle(world, known), given.get("expand", []))
    raise Refused(404, "url_invalid", f"Unrecognized request URL ({method}: {path}).")
