"""This Stripe over HTTP: key, version, faults, idempotency, deliveries; and a laboratory for the tests."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx
from fastapi import FastAPI, Request, Response

from simulators.played import Played, tell
from simulators.sandbox_provider.connections import cut
from simulators.stripe import pages
from simulators.stripe.api import act
from simulators.stripe.forms import read_form
from simulators.stripe.payouts import pay_out
from simulators.stripe.world import DAY, Refused, World

_FAULTS_BEFORE: Final = {
    "throttled": (429, "rate_limit", "invalid_request_error"),
    "under_way": (409, "idempotency_key_in_use", "idempotency_error"),
    "key_refused": (401, "", "invalid_request_error"),
    "refused": (400, "parameter_invalid", "invalid_request_error"),
}
_INVENTED: Final = "quantum_superposition"


class Front:
    """The door of the API, in the order that Stripe applies its rules."""

    def __init__(self, world: World, api_key: str) -> None:
        self.world = world
        self.api_key = api_key
        self.reset()

    def reset(self) -> None:
        """Nothing was asked, nothing goes wrong."""
        self.kept: dict[str, tuple[int, str, int, bytes]] = {}
        self.fault: tuple[str, str] | None = None
        self.lost: set[str] = set()
        self.requests: list[dict[str, Any]] = []

    async def serve(self, request: Request) -> Response:
        """One call."""
        raw = (await request.body()).decode()
        path, method = request.scope["raw_path"].decode().partition("?")[0], request.method
        encoded = raw if method == "POST" else request.url.query
        given = read_form(encoded)
        noted = {"method": method, "path": path, "encoded": encoded, "version": request.headers.get("stripe-version")}
        noted["key"] = request.headers.get("idempotency-key")
        self.requests.append(noted)
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return _error(401, "", "Invalid API Key provided.", "invalid_request_error")
        self.world.run_due()
        fault = self._fault_of(method, path, given)
        if fault in _FAULTS_BEFORE:
            status, code, kind = _FAULTS_BEFORE[fault]
            return _error(status, code, "As a test ordered.", kind)
        if fault == "request_lost":
            await cut(request.scope)
            return Response(status_code=500)
        status, body, is_replayed = self._once(method, path, encoded, given, noted["key"], fault)
        noted["status"], noted["answer"] = status, json.loads(body)
        if fault == "no_answer":
            await asyncio.sleep(2)
        if fault in {"answer_lost", "no_answer"}:
            await cut(request.scope)
            return Response(status_code=500)
        if fault == "unreadable":
            body = body[: len(body) // 2]
        if fault == "unknown_status":
            body = json.dumps(_invented(json.loads(body))).encode()
        headers = {"Idempotent-Replayed": "true"} if is_replayed else {}
        return Response(body, status_code=status, headers=headers, media_type="application/json")

    def _once(
        self, method: str, path: str, encoded: str, given: dict[str, Any], key: str | None, fault: str | None
    ) -> tuple[int, bytes, bool]:
        """Do it, or answer what the key kept: 500 and 402 too, for a day. What was never begun is not kept."""
        mark, now = hashlib.sha256(f"{path}\n{encoded}".encode()).hexdigest(), self.world.now()
        if method == "POST" and key in self.kept and self.kept[key][0] > now:
            _, known, status, body = self.kept[key]
            if known != mark:
                told = {
                    "error": {"type": "idempotency_error", "message": "Keys for idempotent requests can only be used once."}
                }
                return 400, json.dumps(told).encode(), False
            return status, body, True
        try:
            status, told = 200, act(self.world, method, path, given)
        except Refused as refused:
            status, told = refused.status, refused.body
        if fault == "broken_after":
            status, told = 500, {"error": {"type": "api_error", "message": "Something broke."}}
        body = json.dumps(told).encode()
        if method == "POST" and key is not None and status in {200, 402, 500}:
            self.kept[key] = (now + DAY, mark, status, body)
        return status, body, False

    def _fault_of(self, method: str, path: str, given: dict[str, Any]) -> str | None:
        our_ref = given.get("metadata", {}).get("our_ref")
        if our_ref in self.lost and _operation(method, path, given) == "charge":
            self.lost.discard(our_ref)
            return "answer_lost"
        if self.fault is None or self.fault[0] != _operation(method, path, given):
            return None
        fault, self.fault = self.fault[1], None
        return fault


def _operation(method: str, path: str, given: dict[str, Any]) -> str:
    """What a call is in the words of the tests."""
    if path == "/v1/checkout/sessions" and method == "POST":
        return "setup" if given.get("mode") == "setup" else "page"
    if path == "/v1/payment_intents" and method == "POST":
        return "charge"
    if path.endswith(("/detach", "/confirm")):
        return path.rpartition("/")[2]
    if path.startswith("/v1/refunds"):
        return "refund" if method == "POST" else "refund_find"
    return "charge_find" if method == "GET" and path.startswith(("/v1/payment_intents", "/v1/checkout")) else ""


def _invented(body: Any) -> Any:
    if isinstance(body, list):
        return [_invented(each) for each in body]
    if not isinstance(body, dict):
        return body
    named = body.get("object") in {"payment_intent", "checkout.session", "refund"}
    return {name: _INVENTED if named and name == "status" else _invented(value) for name, value in body.items()}


def _error(status: int, code: str, message: str, kind: str) -> Response:
    body = {"error": {"type": kind, "code": code, "message": message}}
    headers = {"Retry-After": "2"} if status == 429 else {}
    return Response(json.dumps(body), status_code=status, headers=headers, media_type="application/json")


def application(*, public_url: str, api_key: str, webhook_secret: str) -> FastAPI:
    """The application; it delivers while it runs."""
    world = World(public_url)
    front = Front(world, api_key)
    hook = {"url": ""}

    async def deliver() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                while world.outbox and hook["url"]:
                    raw = json.dumps(world.outbox.pop(0)).encode()
                    moment = str(int(time.time()))
                    mark = hmac.new(webhook_secret.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
                    with suppress(httpx.HTTPError):
                        await client.post(hook["url"], content=raw, headers={"Stripe-Signature": f"t={moment},v1={mark}"})
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(deliver())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    app = FastAPI(title="Simulated Stripe", lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_pages(app, world)
    _add_laboratory(app, front, hook)
    given = {"api_key": api_key, "webhook_secret": webhook_secret}
    tell(app, Played(given=given, kind="card", currency="CAD", use="card_ok"))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "stripe"}

    app.add_route("/v1/{rest:path}", front.serve, methods=["GET", "POST", "DELETE"])

    return app


def _add_pages(app: FastAPI, world: World) -> None:
    @app.get("/pages/{known_id}")
    @app.get("/bank/{known_id}")
    async def show(known_id: str) -> Response:
        world.run_due()
        return pages.shown(world, known_id)

    @app.post("/pages/{session_id}")
    async def enter(request: Request, session_id: str) -> Response:
        world.run_due()
        pages.enter(world, session_id, read_form((await request.body()).decode()).get("use", ""))
        return pages.shown(world, session_id)

    @app.post("/pages/{known_id}/challenge")
    @app.post("/bank/{known_id}/challenge")
    async def challenge(request: Request, known_id: str) -> Response:
        said = read_form((await request.body()).decode()).get("answer")
        pages.answer_bank(world, known_id, approve=said == "approve")
        return pages.shown(world, known_id)

    @app.post("/pages/{session_id}/deposits")
    async def deposits(session_id: str) -> dict[str, str]:
        pages.confirm_deposits(world, session_id)
        return {}


def _add_laboratory(app: FastAPI, front: Front, hook: dict[str, str]) -> None:
    world = front.world

    @app.post("/_test/set")
    async def knobs(request: Request) -> dict[str, str]:
        given = await request.json()
        if given.get("reset"):
            world.reset()
            front.reset()
        world.offset += given.get("advance", 0)
        world.refund_path = given.get("refund_path", world.refund_path)
        front.fault = tuple(given["fault"]) if "fault" in given else front.fault
        front.lost |= set(given.get("lost", ()))
        hook["url"] = given.get("hook", hook["url"])
        world.run_due()
        return {}

    @app.post("/_test/refunds")
    async def bank_says(request: Request) -> dict[str, int]:
        given = await request.json()
        found = [each for each in world.all("re") if each["metadata"].get("our_ref") == given["our_ref"]]
        for each in found:
            each["status"] = given["status"]
            each.pop("failure_reason", None)
            if given["status"] == "failed":
                each["failure_reason"] = "lost_or_stolen_card"
            world.tell("refund.failed" if given["status"] == "failed" else "refund.updated", each)
        return {"moved": len(found)}

    @app.post("/_test/payouts")
    async def pays_out(request: Request) -> dict[str, list[str]]:
        made = pay_out(world)
        if (await request.json()).get("by_hand"):
            world.objects[made[0]]["automatic"] = False
        return {"payouts": made}

    @app.post("/_test/disputes")
    async def bank_asks(request: Request) -> dict[str, int]:
        """Open a dispute of a reference's payment, or move the one that is open."""
        given = await request.json()
        intents = [each for each in world.all("pi") if each["metadata"].get("our_ref") == given["our_ref"]]
        for intent in intents:
            there = [each for each in world.all("dp") if each["payment_intent"] == intent["id"]]
            opened = next((each for each in there if each["status"] not in {"won", "lost"}), None)
            if opened is None:
                world.dispute(intent, given.get("reason", "fraudulent"), given["status"], given.get("amount"))
            else:
                world.decide(opened, given["status"])
        return {"moved": len(intents)}

    @app.get("/_test/ledger")
    async def ledger(our_ref: str) -> dict[str, int]:
        def mine(prefix: str) -> list[dict[str, Any]]:
            return [each for each in world.all(prefix) if each["metadata"].get("our_ref") == our_ref]

        return {
            "moving": sum(each["status"] in {"succeeded", "processing"} for each in mine("pi")),
            "kept": sum(
                each["customer"] is not None and world.origins.get(each["id"]) == our_ref for each in world.all("pm")
            ),
            "given_back": sum(each["amount"] for each in mine("re") if each["status"] not in {"failed", "canceled"}),
        }

    @app.get("/_test/requests")
    async def requests() -> list[dict[str, Any]]:
        return front.requests
