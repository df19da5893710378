"""What each call of the API does."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from simulators.gocardless.world import LINK_NAMES, ROOMS, SCHEMES, Object, Refused, World

_CANCELABLE: Final = {
    "payments": {"pending_submission", "pending_customer_approval"},
    "mandates": {"pending_customer_approval", "pending_submission", "submitted", "active"},
    "billing_requests": {"pending", "ready_to_fulfil"},
}
_REFUNDS: Final = {"succeeds": "paid", "stays_pending": "submitted", "fails": "bounced"}


def act(world: World, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
    """One call, by method and path. Raises Refused."""
    room, *rest = path.strip("/").split("/")
    if room == "scenario_simulators" and method == "POST" and rest[1:] == ["actions", "run"]:
        return _played(world, rest[0], body["data"]["links"]["resource"])
    if room not in ROOMS:
        raise Refused(404, "not_found", "invalid_api_usage")
    match method, rest:
        case "GET", []:
            return _listed(world, room, query)
        case "GET", [thing_id]:
            return {room: copy.deepcopy(world.get(room, thing_id))}
        case "POST", []:
            wanted = body.get(room) if isinstance(body, dict) else None
            if not isinstance(wanted, dict):
                raise Refused(400, "invalid_document_structure", "invalid_api_usage")
            return {room: copy.deepcopy(_made(world, room, wanted))}
        case "POST", [thing_id, "actions", "cancel"]:
            return {room: copy.deepcopy(_canceled(world, room, thing_id))}
        case _:
            raise Refused(405, "method_not_allowed", "invalid_api_usage")


def _listed(world: World, room: str, query: Mapping[str, str]) -> Object:
    found = world.all(room)
    if since := query.get("created_at[gte]"):
        found = [each for each in found if datetime.fromisoformat(each["created_at"]) >= datetime.fromisoformat(since)]
    for name in ("customer", "mandate", "payment"):
        if name in query:
            found = [each for each in found if each.get("links", {}).get(name) == query[name]]
    if "status" in query:
        found = [each for each in found if each["status"] in query["status"].split(",")]
    limit = int(query.get("limit", 50))
    if "before" in query:  # the page of what is newer, next to the one that is named
        found = found[: _place(found, query["before"])]
        found = found[max(len(found) - limit, 0) :]
    if "after" in query:
        found = found[_place(found, query["after"]) + 1 :]
    shown = found[:limit]
    after = shown[-1]["id"] if len(found) > limit else None
    told = [{name: value for name, value in each.items() if name != "resources"} for each in shown]  # only the whole has it
    return {room: copy.deepcopy(told), "meta": {"cursors": {"after": after, "before": None}, "limit": limit}}


def _place(found: list[Object], named: str) -> int:
    place = next((place for place, each in enumerate(found) if each["id"] == named), None)
    if place is None:
        raise Refused(400, "cursor_not_found", "invalid_api_usage")
    return place


def _made(world: World, room: str, wanted: Object) -> Object:
    if len(wanted.get("metadata", {})) > 3:
        raise Refused(422, "validation_failed", "validation_failed")
    match room:
        case "billing_requests":
            return _billing_request(world, wanted)
        case "billing_request_flows":
            request = world.get("billing_requests", wanted["links"]["billing_request"])
            if request["status"] != "pending":
                raise Refused(422, "billing_request_not_open")
            ends = (world.now() + timedelta(days=7)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            made = world.make(room, expires_at=ends, **wanted)
            made["authorisation_url"] = f"{world.public_url}/flow/{request['id']}?flow={made['id']}"
            return made
        case "customers":
            return world.make(room, metadata={}, **wanted)
        case "customer_bank_accounts":
            world.get("customers", wanted["links"]["customer"])
            ending = wanted["account_number"][-4:]
            kept = {name: wanted[name] for name in ("account_holder_name", "country_code", "links")}
            return world.make(room, account_number_ending=ending, bank_name="BARCLAYS BANK PLC", metadata={}, **kept)
        case "mandates":
            account = world.get("customer_bank_accounts", wanted["links"]["customer_bank_account"])
            links = {"customer_bank_account": account["id"], "customer": account["links"]["customer"]}
            made = world.make(room, scheme=wanted["scheme"], status="pending_submission", metadata={}, links=links)
            world.behaviours[made["id"]] = "ok"
            return made
        case "payments":
            mandate = world.get("mandates", wanted["links"]["mandate"])
            if mandate["status"] not in {"pending_submission", "submitted", "active"}:
                raise Refused(422, "mandate_is_inactive")
            if SCHEMES[mandate["scheme"]] != wanted["currency"] or wanted["amount"] < 1:
                raise Refused(422, "validation_failed", "validation_failed")
            return world.pay(mandate, wanted, world.behaviours[mandate["id"]])
        case "refunds":
            return _refund(world, wanted)
        case _:
            raise Refused(405, "method_not_allowed", "invalid_api_usage")


def _billing_request(world: World, wanted: Object) -> Object:
    links = dict(wanted.get("links", {}))
    if "customer" in links:
        world.get("customers", links["customer"])
    asked = {name: wanted[name] for name in ("mandate_request", "payment_request") if name in wanted}
    if not asked or ("payment_request" in asked and asked["payment_request"]["currency"] not in {"EUR", "GBP"}):
        raise Refused(422, "validation_failed", "validation_failed")
    made = world.make("billing_requests", status="pending", metadata=wanted.get("metadata", {}), links=links, **asked)
    world.tell("billing_requests", made, "created")
    return made


def _refund(world: World, wanted: Object) -> Object:
    payment = world.get("payments", wanted["links"]["payment"])
    if payment["status"] not in {"confirmed", "paid_out"}:
        raise Refused(422, "refund_payment_invalid_state")
    if payment["amount_refunded"] + wanted["amount"] != wanted["total_amount_confirmation"]:
        raise Refused(422, "total_amount_confirmation_invalid", "validation_failed")
    if wanted["total_amount_confirmation"] > payment["amount"]:
        raise Refused(422, "refund_is_greater_than_payment", "validation_failed")
    status = _REFUNDS[world.refund_path]
    if status != "bounced":
        payment["amount_refunded"] += wanted["amount"]
    made = world.make(
        "refunds",
        amount=wanted["amount"],
        currency=payment["currency"],
        links=wanted["links"],
        metadata=wanted.get("metadata", {}),
        status=status,
    )
    world.tell("refunds", made, status)
    return made


def _played(world: World, scenario: str, resource: str) -> Object:
    """Their sandbox lets what a test waits for happen at once."""
    room, _, status = scenario.partition("_")
    thing = world.get(f"{room}s", resource)
    if room == "payment" and world.get("mandates", thing["links"]["mandate"])["status"] != "active":
        raise Refused(422, "mandate_is_inactive")
    world.move(f"{room}s", resource, {"activated": "active"}.get(status, status))
    return {"scenario_simulators": {"id": scenario}}


def _canceled(world: World, room: str, thing_id: str) -> Object:
    thing = world.get(room, thing_id)
    if thing["status"] not in _CANCELABLE.get(room, set()):
        raise Refused(422, f"{LINK_NAMES[room]}_not_cancellable")
    world.move(room, thing_id, "cancelled")
    return thing
