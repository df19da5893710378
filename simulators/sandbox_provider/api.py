"""The provider's JSON API, all of it behind the API key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from simulators.sandbox_provider.charges import MOVES_MONEY, NewCharge
from simulators.sandbox_provider.clock import from_iso, wall_ms
from simulators.sandbox_provider.events import list_events
from simulators.sandbox_provider.idempotency import Answer
from simulators.sandbox_provider.methods import shown
from simulators.sandbox_provider.provider import Provider
from simulators.sandbox_provider.requests import Gate
from simulators.sandbox_provider.schemas import (
    ChargeBody,
    EmptyBody,
    EndpointBody,
    PageBody,
    PayerBody,
    RefundBody,
    SetupBody,
)
from simulators.sandbox_provider.setups import NewSetup
from simulators.sandbox_provider.storage import Row


def api_routes(provider: Provider) -> APIRouter:
    """Every route of the API that a client uses in production."""
    routes = APIRouter(prefix="/v1")
    gate = Gate(provider)
    routes.include_router(_account_routes(provider, gate))
    routes.include_router(_setup_routes(provider, gate))
    routes.include_router(_charge_routes(provider, gate))
    routes.include_router(_refund_routes(provider, gate))
    routes.include_router(_method_routes(provider, gate))
    routes.include_router(_payout_routes(provider, gate))
    return routes


def _account_routes(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter()

    @routes.get("/account")
    async def account(request: Request) -> Response:
        def act() -> Answer:
            return Answer(status=200, body={"mode": "test", "webhook_url": provider.knobs.webhook_url})

        return await gate.read(request, "account", act)

    @routes.put("/webhook_endpoint")
    async def set_endpoint(request: Request) -> Response:
        def act(body: EndpointBody) -> Answer:
            provider.storage.set_knob("webhook_url", None if body.url is None else str(body.url))
            provider.sender.wake()
            return Answer(status=200, body={"url": provider.knobs.webhook_url})

        return await gate.set(request, "webhook_endpoint", EndpointBody, act)

    @routes.get("/events")
    async def events(request: Request, after: str | None = None, limit: int = 100) -> Response:
        def act() -> Answer:
            return Answer(
                status=200,
                body={"events": list_events(provider.storage, after=after, limit=max(1, min(limit, 1000)))},
            )

        return await gate.read(request, "events", act)

    return routes


def _setup_routes(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/setups")
    setups = provider.setups

    @routes.post("")
    async def open_setup(request: Request) -> Response:
        def act(body: SetupBody) -> Answer:
            payer_id = _payer(provider, body.payer)
            order = NewSetup(
                our_ref=body.our_ref,
                payer_id=payer_id,
                kinds=tuple(body.kinds),
                currency=body.currency,
                return_url=str(body.return_url),
                cancel_url=str(body.cancel_url),
            )
            return Answer(status=200, body=setups.shown(setups.open(order)))

        return await gate.write(request, "setup", SetupBody, act)

    @routes.get("")
    async def find_setups(request: Request, our_ref: str) -> Response:
        def act() -> Answer:
            rows = _searchable(provider, "setups", our_ref)
            return Answer(status=200, body={"setups": [setups.shown(row) for row in rows]})

        return await gate.read(request, "setup_find", act, our_ref=our_ref)

    @routes.get("/{setup_id}")
    async def get_setup(request: Request, setup_id: str) -> Response:
        return await gate.read(request, "setup_find", lambda: Answer(status=200, body=setups.shown(setups.get(setup_id))))

    @routes.post("/{setup_id}/cancel")
    async def cancel_setup(request: Request, setup_id: str) -> Response:
        def act(_body: EmptyBody) -> Answer:
            setups.move(setup_id, "canceled")
            return Answer(status=200, body=setups.shown(setups.get(setup_id)))

        return await gate.write(request, "setup_cancel", EmptyBody, act)

    return routes


def _charge_routes(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter()
    charges = provider.charges

    @routes.post("/charges")
    async def charge(request: Request) -> Response:
        def act(body: ChargeBody) -> Answer:
            made = charges.charge_saved(_order(body, body.payer), method_id=body.method)
            answer = charges.shown(made)
            if made["status"] != "failed":
                return Answer(status=200, body=answer)
            error = {"code": made["failure_code"], "message": "The payment was declined."}
            return Answer(status=402, body={"error": {**error}, "charge": answer})

        return await gate.write(request, "charge", ChargeBody, act)

    @routes.post("/payment_pages")
    async def open_page(request: Request) -> Response:
        def act(body: PageBody) -> Answer:
            # Without a wish to save there is no reason to know who pays.
            payer_id = _payer(provider, body.payer) if body.save_method or body.payer.id else None
            # The caller lives in real time: its 'in half an hour' is half an hour of this clock, wherever tests moved it.
            expires_ms = from_iso(body.expires_at.isoformat()) - wall_ms() + provider.clock.now_ms()
            made = charges.open_page(_order(body, payer_id), save_method=body.save_method, expires_ms=expires_ms)
            return Answer(status=200, body=charges.shown(made))

        return await gate.write(request, "page", PageBody, act)

    @routes.get("/charges")
    async def find_charges(request: Request, our_ref: str) -> Response:
        def act() -> Answer:
            rows = _searchable(provider, "charges", our_ref)
            # What moved money comes first, then the newest.
            rows.sort(key=lambda row: (row["status"] not in MOVES_MONEY, -row["created_wall_ms"]))
            return Answer(status=200, body={"charges": [charges.shown(row) for row in rows]})

        return await gate.read(request, "charge_find", act, our_ref=our_ref)

    @routes.get("/charges/{charge_id}")
    async def get_charge(request: Request, charge_id: str) -> Response:
        return await gate.read(
            request, "charge_find", lambda: Answer(status=200, body=charges.shown(charges.get(charge_id)))
        )

    @routes.post("/charges/{charge_id}/cancel")
    async def cancel_charge(request: Request, charge_id: str) -> Response:
        def act(_body: EmptyBody) -> Answer:
            # Only what waits for the customer can be cancelled; otherwise the answer says how it stands.
            charges.move(charge_id, "canceled")
            return Answer(status=200, body=charges.shown(charges.get(charge_id)))

        return await gate.write(request, "charge_cancel", EmptyBody, act)

    return routes


def _refund_routes(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/refunds")
    refunds = provider.refunds

    @routes.post("")
    async def refund(request: Request) -> Response:
        def act(body: RefundBody) -> Answer:
            made = refunds.make(
                our_ref=body.our_ref, charge_id=body.charge, minor=body.amount.minor, currency=body.amount.currency
            )
            return Answer(status=200, body=refunds.shown(made))

        return await gate.write(request, "refund", RefundBody, act)

    @routes.get("")
    async def find_refunds(request: Request, our_ref: str) -> Response:
        def act() -> Answer:
            rows = _searchable(provider, "refunds", our_ref)
            return Answer(status=200, body={"refunds": [refunds.shown(row) for row in rows]})

        return await gate.read(request, "refund_find", act, our_ref=our_ref)

    @routes.get("/{refund_id}")
    async def get_refund(request: Request, refund_id: str) -> Response:
        return await gate.read(
            request, "refund_find", lambda: Answer(status=200, body=refunds.shown(refunds.get(refund_id)))
        )

    return routes


def _method_routes(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter()

    @routes.get("/payers/{payer_id}/methods")
    async def list_methods(request: Request, payer_id: str) -> Response:
        def act() -> Answer:
            return Answer(status=200, body={"methods": [shown(row) for row in provider.methods.of_payer(payer_id)]})

        return await gate.read(request, "methods_list", act)

    @routes.post("/methods/{method_id}/detach")
    async def detach(request: Request, method_id: str) -> Response:
        def act(_body: EmptyBody) -> Answer:
            provider.methods.detach(method_id)
            return Answer(status=200, body={"id": method_id, "status": "detached"})

        return await gate.write(request, "detach", EmptyBody, act)

    return routes


def _payout_routes(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/payouts")
    payouts = provider.payouts

    @routes.get("")
    async def list_payouts(request: Request, after: str | None = None, limit: int = 100) -> Response:
        def act() -> Answer:
            return Answer(status=200, body={"payouts": payouts.listed(after=after, limit=max(1, min(limit, 1000)))})

        return await gate.read(request, "payouts", act)

    @routes.get("/{payout_id}")
    async def get_payout(request: Request, payout_id: str) -> Response:
        return await gate.read(request, "payouts", lambda: Answer(status=200, body=payouts.shown(payouts.get(payout_id))))

    @routes.get("/{payout_id}/items")
    async def items(request: Request, payout_id: str, after: str | None = None, limit: int = 100) -> Response:
        def act() -> Answer:
            told = payouts.items(payout_id, after=after, limit=max(1, min(limit, 1000)))
            return Answer(status=200, body={"items": told})

        return await gate.read(request, "payout_items", act)

    return routes


def _payer(provider: Provider, body: PayerBody) -> str:
    return provider.methods.payer(payer_id=body.id, customer_id=body.customer_id, name=body.name, email=body.email)


def _order(body: ChargeBody | PageBody, payer_id: str | None) -> NewCharge:
    return NewCharge(
        our_ref=body.our_ref,
        payer_id=payer_id,
        kinds=tuple(body.kinds) if isinstance(body, PageBody) else (),
        amount_minor=body.amount.minor,
        currency=body.amount.currency,
        description=body.description,
        return_url=str(body.return_url),
        cancel_url=str(body.cancel_url if isinstance(body, PageBody) else body.return_url),
    )


def _searchable(provider: Provider, table: str, our_ref: str) -> list[Row]:
    """Rows by our reference, newest first, as far as the search sees by now."""
    newest_ms = wall_ms() - 1000 * provider.knobs.search_lag_seconds
    return list(
        provider.storage.all(
            f"SELECT * FROM {table} WHERE our_ref = ? AND created_wall_ms <= ? ORDER BY rowid DESC",
            our_ref,
            newest_ms,
        )
    )
