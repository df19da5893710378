"""This GoCardless's pages: what the customer is asked; one that is over leads back to where its flow was begun."""

from __future__ import annotations

from typing import Final

from fastapi import Response
from fastapi.responses import RedirectResponse

from simulators import hosted
from simulators.gocardless.world import World

_CHOICES: Final = (
    ("ok", "A bank account that works"),
    ("fails", "Payments fail"),
    ("fails_late", "Payments fail after they were confirmed"),
    ("returns", "Payments are charged back"),
    ("verify", "The mandate waits for approval"),
    ("declined", "The page refuses it"),
)


def shown(world: World, request_id: str, flow_id: str) -> Response:
    """The page as it stands."""
    request, flow = world.things["billing_requests"].get(request_id), world.things["billing_request_flows"].get(flow_id, {})
    if request is None:
        return hosted.finished("There is no such page", back=None)
    if request["status"] == "fulfilled":
        back = flow.get("redirect_uri")
        return RedirectResponse(back, status_code=303) if back else hosted.finished("Done", back=None)
    if request["status"] != "pending":
        return hosted.finished("This page is closed", back=flow.get("exit_uri"))
    money = request.get("payment_request")
    title = "Set up a bank debit" if money is None else f"Pay {money['amount']} {money['currency']} (smallest units)"
    return hosted.form(title, legend="Which test account?", choices=_CHOICES, submit="Confirm", leave=flow.get("exit_uri"))
