"""What only a test may do: move the clock, order faults, turn webhook knobs, and count what really happened."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from simulators.sandbox_provider.charges import MOVES_MONEY
from simulators.sandbox_provider.clock import iso
from simulators.sandbox_provider.events import deliveries_of
from simulators.sandbox_provider.idempotency import Answer
from simulators.sandbox_provider.methods import shown
from simulators.sandbox_provider.provider import Provider
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.requests import Gate
from simulators.sandbox_provider.schemas import (
    AdvanceBody,
    BalanceBody,
    ChargeMoveBody,
    EmptyBody,
    FaultBody,
    PayoutBody,
    PayoutMoveBody,
    RefundMoveBody,
    ReleaseBody,
    ResendBody,
    SettingsBody,
    WebhookKnobsBody,
)
from simulators.sandbox_provider.storage import Json


def laboratory_routes(provider: Provider) -> APIRouter:
    """Every route under /v1/test."""
    routes = APIRouter(prefix="/v1/test")
    gate = Gate(provider)
    routes.include_router(_clock_and_count(provider, gate))
    routes.include_router(_faults(provider, gate))
    routes.include_router(_webhooks(provider, gate))
    routes.include_router(_banks(provider, gate))
    return routes


def _clock_and_count(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter()

    @routes.post("/clock/advance")
    async def advance(request: Request) -> Response:
        def act(body: AdvanceBody) -> Answer:
            provider.clock.advance(body.seconds)
            provider.schedule.run_due()
            return Answer(status=200, body={"now": iso(provider.clock.now_ms())})

        return await gate.set(request, "test", AdvanceBody, act)

    @routes.get("/clock")
    async def clock(request: Request) -> Response:
        return await gate.read(request, "test", lambda: Answer(status=200, body={"now": iso(provider.clock.now_ms())}))

    @routes.get("/ledger")
    async def ledger(request: Request, our_ref: str | None = None) -> Response:
        return await gate.read(request, "test", lambda: Answer(status=200, body=_ledger(provider, our_ref)))

    @routes.post("/settings")
    async def settings(request: Request) -> Response:
        def act(body: SettingsBody) -> Answer:
            for name, value in body.model_dump(exclude_none=True).items():
                provider.storage.set_knob(name, value)
            return Answer(status=200, body={})

        return await gate.set(request, "test", SettingsBody, act)

    return routes


def _ledger(provider: Provider, our_ref: str | None) -> dict[str, Json]:
    """What the provider itself counts: `moving` is the number of charges that moved or will move money."""
    storage = provider.storage
    where, values = ("WHERE our_ref = ?", (our_ref,)) if our_ref else ("", ())
    charges = storage.all(f"SELECT * FROM charges {where} ORDER BY rowid", *values)
    setups = storage.all(f"SELECT * FROM setups {where} ORDER BY rowid", *values)
    refunds = storage.all(f"SELECT * FROM refunds {where} ORDER BY rowid", *values)
    methods = storage.all(f"SELECT * FROM methods {where.replace('our_ref', 'origin_ref')} ORDER BY rowid", *values)
    counts = storage.all("SELECT op, requests FROM request_counts ORDER BY op")
    return {
        "moving": sum(1 for row in charges if row["status"] in MOVES_MONEY),
        "charges": [{**provider.charges.shown(row), "moves_money": row["status"] in MOVES_MONEY} for row in charges],
        "setups": [provider.setups.shown(row) for row in setups],
        "refunds": [provider.refunds.shown(row) for row in refunds],
        "methods": [{**shown(row), "payer": row["payer_id"], "origin_ref": row["origin_ref"]} for row in methods],
        "requests": {row["op"]: row["requests"] for row in counts},
    }


def _faults(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/faults")

    @routes.post("")
    async def order(request: Request) -> Response:
        def act(body: FaultBody) -> Answer:
            provider.faults.order(
                op=body.op,
                kind=body.kind,
                our_ref=body.our_ref,
                seconds=body.seconds,
                skip=body.skip,
                times=body.times,
            )
            return Answer(status=200, body={"faults": provider.faults.listed()})

        return await gate.set(request, "test", FaultBody, act)

    @routes.get("")
    async def listed(request: Request) -> Response:
        return await gate.read(request, "test", lambda: Answer(status=200, body={"faults": provider.faults.listed()}))

    @routes.delete("")
    async def clear(request: Request) -> Response:
        def act(_body: EmptyBody) -> Answer:
            provider.faults.clear()
            return Answer(status=200, body={"faults": []})

        return await gate.set(request, "test", EmptyBody, act)

    return routes


def _banks(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter()

    @routes.post("/charges/move")
    async def move_charge(request: Request) -> Response:
        def act(body: ChargeMoveBody) -> Answer:
            return Answer(status=200, body={"moved": provider.charges.move_by_reference(body.our_ref, body.status)})

        return await gate.set(request, "test", ChargeMoveBody, act)

    @routes.post("/refunds/move")
    async def move_refund(request: Request) -> Response:
        def act(body: RefundMoveBody) -> Answer:
            moved = provider.refunds.move_by_reference(body.our_ref, body.status)
            return Answer(status=200, body={"moved": moved})

        return await gate.set(request, "test", RefundMoveBody, act)

    @routes.post("/balance")
    async def add_to_balance(request: Request) -> Response:
        def act(body: BalanceBody) -> Answer:
            made = provider.payouts.add(
                body.kind, gross=body.gross, fee=body.fee, currency=body.currency, source=body.source, our_ref=body.our_ref
            )
            return Answer(status=200, body={"id": made})

        return await gate.set(request, "test", BalanceBody, act)

    @routes.post("/payouts")
    async def pay_out(request: Request) -> Response:
        def act(body: PayoutBody) -> Answer:
            made = provider.payouts.pay_out(provider.clock.now_ms(), off_by=body.off_by)
            return Answer(status=200, body={"payouts": made})

        return await gate.set(request, "test", PayoutBody, act)

    @routes.post("/payouts/move")
    async def move_payout(request: Request) -> Response:
        def act(body: PayoutMoveBody) -> Answer:
            return Answer(status=200, body={"moved": provider.payouts.fail(body.payout)})

        return await gate.set(request, "test", PayoutMoveBody, act)

    return routes


def _webhooks(provider: Provider, gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/webhooks")

    @routes.get("")
    async def deliveries(request: Request) -> Response:
        return await gate.read(
            request, "test", lambda: Answer(status=200, body={"deliveries": deliveries_of(provider.storage)})
        )

    @routes.post("")
    async def turn(request: Request) -> Response:
        def act(body: WebhookKnobsBody) -> Answer:
            for name, value in body.model_dump(exclude_none=True).items():
                provider.storage.set_knob(f"webhook_{name}", value)
            return Answer(status=200, body={})

        return await gate.set(request, "test", WebhookKnobsBody, act)

    @routes.post("/release")
    async def release(request: Request) -> Response:
        def act(body: ReleaseBody) -> Answer:
            return Answer(status=200, body={"released": provider.outbox.release(newest_first=body.newest_first)})

        return await gate.set(request, "test", ReleaseBody, act)

    @routes.post("/resend")
    async def resend(request: Request) -> Response:
        def act(body: ResendBody) -> Answer:
            if not provider.outbox.resend(body.event_id, body.times):
                raise Refusal(404, "event_not_found", "There is no such event.")
            return Answer(status=200, body={})

        return await gate.set(request, "test", ResendBody, act)

    return routes
