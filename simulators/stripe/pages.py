"""This Stripe's pages: what the customer sees there, and what becomes of what is done."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse

from simulators import hosted
from simulators.stripe.instruments import INSTRUMENTS
from simulators.stripe.world import Object, World


def shown(world: World, known_id: str) -> Response:
    """A session or a payment's question of the bank, as it stands; one that is over leads back."""
    known = world.objects.get(known_id)
    if known is None:
        return hosted.finished("There is no such page", back=None)
    if known["object"] == "payment_intent":
        if known["status"] != "requires_action":
            return RedirectResponse(world.returns.get(known_id) or "/", status_code=303)
        return _bank_asks(f"/bank/{known_id}/challenge")
    if known["status"] == "complete":
        return RedirectResponse(known["success_url"], status_code=303)
    if known["status"] != "open":
        return hosted.finished("This page has expired", back=known["cancel_url"])
    intent = world.objects.get(known["payment_intent"] or known["setup_intent"] or "")
    if intent is not None and intent["status"] == "requires_action":
        return _bank_asks(f"/pages/{known_id}/challenge")
    amount = (
        "" if known["amount_total"] is None else f" {known['amount_total']} {known['currency'].upper()} (smallest units)"
    )
    return hosted.form(
        f"Pay{amount}" if amount else "Save a payment method",
        legend="Which test method?",
        choices=[
            (use, use.replace("_", " ")) for use, each in INSTRUMENTS.items() if each.kind in known["payment_method_types"]
        ],
        submit="Pay" if amount else "Save",
        leave=known["cancel_url"],
    )


def _bank_asks(action: str) -> Response:
    answers = (("approve", "It is me"), ("refuse", "It is not me"))
    return hosted.question("Your bank asks whether this is you", action=action, answers=answers)


def enter(world: World, session_id: str, use: str) -> None:
    """A method was entered; a page that is closed does nothing."""
    session = world.objects.get(session_id)
    if session is None or session["status"] != "open":
        return
    method = world.new_method(use, session["payment_method_types"])
    if method is None:
        return
    if session["mode"] == "setup":
        _enter_setup(world, session, method)
    else:
        _enter_payment(world, session, method)


def _enter_setup(world: World, session: Object, method: Object) -> None:
    intent, instrument = world.objects[session["setup_intent"]], world.instruments[method["id"]]
    if instrument.declined_on_page:
        intent["last_setup_error"] = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"}
        world.tell("setup_intent.setup_failed", intent)
    elif instrument.asks:
        intent.update(status="requires_action", payment_method=method["id"])
    elif instrument.verifies:
        intent.update(status="requires_action", payment_method=method["id"])
        intent["next_action"] = {"type": "verify_with_microdeposits"}
        _close(world, session)
    else:
        _keep(world, session, intent, method)


def _keep(world: World, session: Object, intent: Object, method: Object) -> None:
    intent.update(status="succeeded", payment_method=method["id"], next_action=None)
    world.attach(method, session["customer"], session["metadata"].get("our_ref", ""))
    _close(world, session)
    world.tell("setup_intent.succeeded", intent)


def _enter_payment(world: World, session: Object, method: Object) -> None:
    if session["payment_intent"] is None:
        session["payment_intent"] = world.new_intent(**world.wanted[session["id"]])["id"]
    intent, instrument = world.objects[session["payment_intent"]], world.instruments[method["id"]]
    if instrument.declined_on_page or instrument.declined_later:
        world.decline(intent, method, "card_declined", "generic_decline")
    elif instrument.asks:
        world.ask(intent, method)
    else:
        _pay(world, session, intent, method)


def _pay(world: World, session: Object, intent: Object, method: Object) -> None:
    if intent["setup_future_usage"] is not None and session["customer"] is not None:
        world.attach(method, session["customer"], session["metadata"].get("our_ref", ""))
    world.take(intent, method)
    session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
    _close(world, session)


def _close(world: World, session: Object) -> None:
    session.update(status="complete", url=None)
    world.tell("checkout.session.completed", session)


def answer_bank(world: World, known_id: str, *, approve: bool) -> None:
    """The customer answers the bank, on a page or at the bank's own."""
    known = world.objects.get(known_id)
    if known is None:
        return
    session = known if known["object"] == "checkout.session" else None
    if session is not None and session["status"] != "open":
        return
    intent = known if session is None else world.objects[session["payment_intent"] or session["setup_intent"]]
    if intent["status"] != "requires_action":
        return
    method = world.objects[intent["payment_method"]]
    if session is None:
        world.returns[intent["id"]] = intent["next_action"]["redirect_to_url"]["return_url"]
    if not approve:
        _refused(world, intent, method)
    elif session is None:
        world.take(intent, method)
    elif intent["object"] == "setup_intent":
        _keep(world, session, intent, method)
    else:
        _pay(world, session, intent, method)


def _refused(world: World, intent: Object, method: Object) -> None:
    if intent["object"] == "payment_intent":
        world.decline(intent, method, "payment_intent_authentication_failure")
        return
    intent.update(status="requires_payment_method", payment_method=None)
    intent["last_setup_error"] = {"code": "setup_intent_authentication_failure"}


def confirm_deposits(world: World, session_id: str) -> None:
    """The customer says which small deposits arrived."""
    session = world.objects[session_id]
    intent = world.objects[session["setup_intent"]]
    if intent["status"] != "requires_action":
        return
    method = world.objects[intent["payment_method"]]
    intent.update(status="succeeded", next_action=None)
    world.attach(method, session["customer"], session["metadata"].get("our_ref", ""))
    world.tell("setup_intent.succeeded", intent)
