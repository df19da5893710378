"""This GoCardless over HTTP: token, version, faults, keys, deliveries; and a laboratory for the tests."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
from fastapi import FastAPI, Request, Response

from simulators.gocardless import pages
from simulators.gocardless.api import act
from simulators.gocardless.world import ROOMS, Refused, World
from simulators.played import Played, tell
from simulators.sandbox_provider.connections import cut

_VERSION: Final = "2015-07-06"
_FAULTS_BEFORE: Final = {
    "throttled": (429, "rate_limit_exceeded", "invalid_api_usage"),
    "under_way": (409, "idempotent_creation_conflict", "invalid_state"),
    "key_refused": (401, "unauthorized", "invalid_api_usage"),
    "refused": (422, "as_a_test_ordered", "invalid_state"),
}
_OPERATIONS: Final = {"payments": "charge", "refunds": "refund"}


class Front:
    """The door of the API, in the order that GoCardless applies its rules."""

    def __init__(self, world: World, access_token: str) -> None:
        self.world = world
        self.access_token = access_token
        self.reset()

    def reset(self) -> None:
        """Nothing was asked, nothing goes wrong."""
        self.kept: dict[tuple[str, str], str] = {}
        self.fault: tuple[str, str] | None = None
        self.lost: set[str] = set()
        self.requests: list[dict[str, Any]] = []

    async def serve(self, request: Request) -> Response:
        """One call."""
        raw, path, method = await request.body(), request.url.path, request.method
        body = json.loads(raw) if raw else None
        key = request.headers.get("idempotency-key")
        version = request.headers.get("gocardless-version")
        query = dict(request.query_params)
        noted = {"method": method, "path": path, "query": query, "body": body, "version": version, "key": key}
        self.requests.append(noted)
        if request.headers.get("authorization") != f"Bearer {self.access_token}":
            return _error(Refused(401, "unauthorized", "invalid_api_usage"))
        if version != _VERSION:
            return _error(Refused(400, "version_not_found", "invalid_api_usage"))
        self.world.run_due()
        fault = self._fault_of(method, path, body)
        if fault in _FAULTS_BEFORE:
            return _error(Refused(*_FAULTS_BEFORE[fault]))
        if fault == "request_lost":
            await cut(request.scope)
            return Response(status_code=500)
        try:
            told, status = self._once(method, path, query, body, key), 201 if method == "POST" else 200
        except Refused as refused:
            return _error(refused)
        noted["answer"] = copy.deepcopy(told)
        if fault == "no_answer":
            await asyncio.sleep(2)
        if fault in {"answer_lost", "no_answer"}:
            await cut(request.scope)
            return Response(status_code=500)
        if fault == "broken_after":
            told = {"error": {"type": "gocardless", "code": 500, "message": "Uh-oh!", "errors": []}}
            return Response(json.dumps(told), status_code=500, media_type="application/json")
        if fault == "proxy_after":
            return Response("<html>502 Bad Gateway</html>", status_code=502, media_type="text/html")
        text = json.dumps(_invented(told) if fault == "unknown_status" else told)
        return Response(
            text[: len(text) // 2] if fault == "unreadable" else text, status_code=status, media_type="application/json"
        )

    def _once(self, method: str, path: str, query: dict[str, str], body: Any, key: str | None) -> dict[str, Any]:
        """Do it; a key that has made something is refused with its id, whatever the body says now."""
        if key is not None and (path, key) in self.kept:
            raise Refused(409, "idempotent_creation_conflict", conflicting_resource_id=self.kept[path, key])
        told = act(self.world, method, path, query, body)
        if key is not None:
            self.kept[path, key] = told[path.strip("/")]["id"]
        return told

    def _fault_of(self, method: str, path: str, body: Any) -> str | None:
        if _operation(method, path, body) == "charge" and (our_ref := body["payments"]["metadata"]["our_ref"]) in self.lost:
            self.lost.discard(our_ref)
            return "answer_lost"
        if self.fault is None or self.fault[0] != _operation(method, path, body):
            return None
        fault, self.fault = self.fault[1], None
        return fault


def _operation(method: str, path: str, body: Any) -> str:
    """What a call is in the words of the tests."""
    room, *rest = path.strip("/").split("/")
    if room == "billing_requests" and method == "POST" and not rest:
        return "page" if "payment_request" in body[room] else "setup"
    if room == "mandates" and rest[1:] == ["actions", "cancel"]:
        return "detach"
    if room not in _OPERATIONS:
        return ""
    return _OPERATIONS[room] if method == "POST" and not rest else f"{_OPERATIONS[room]}_find" if method == "GET" else ""


def _invented(told: dict[str, Any]) -> dict[str, Any]:
    for room, found in told.items():
        for each in found if isinstance(found, list) else [found]:
            if room in ROOMS:
                each["status"] = "quantum_superposition"
    return told


def _error(refused: Refused) -> Response:
    headers = {"Retry-After": "2"} if refused.status == 429 else {}
    return Response(json.dumps(refused.body), status_code=refused.status, headers=headers, media_type="application/json")


def application(*, public_url: str, access_token: str, webhook_secret: str) -> FastAPI:
    """The application; it delivers while it runs."""
    world = World(public_url)
    front = Front(world, access_token)
    hook = {"url": ""}

    async def deliver() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                while world.outbox and hook["url"]:
                    raw = json.dumps({"events": [world.outbox.pop(0)]}).encode()
                    mark = hmac.new(webhook_secret.encode(), raw, hashlib.sha256).hexdigest()
                    with suppress(httpx.HTTPError):
                        await client.post(hook["url"], content=raw, headers={"Webhook-Signature": mark})
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(deliver())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    app = FastAPI(title="Simulated GoCardless", lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_laboratory(app, front, hook)
    given = {"access_token": access_token, "webhook_secret": webhook_secret}
    tell(app, Played(given=given, kind="bacs_debit", currency="GBP", use="ok", settles_in_days=6))

    @app.get("/flow/{request_id}")
    async def show(request_id: str, flow: str = "") -> Response:
        return pages.shown(world, request_id, flow)

    @app.post("/flow/{request_id}")
    async def enter(request: Request, request_id: str, flow: str = "") -> Response:
        world.enter(request_id, parse_qs((await request.body()).decode()).get("use", [""])[0])
        return pages.shown(world, request_id, flow)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "gocardless"}

    app.add_route("/{rest:path}", front.serve, methods=["GET", "POST"])
    return app


def _add_laboratory(app: FastAPI, front: Front, hook: dict[str, str]) -> None:
    world = front.world

    @app.post("/_test/set")
    async def knobs(request: Request) -> dict[str, str]:
        given = await request.json()
        if given.get("reset"):
            world.reset()
            front.reset()
        world.offset += timedelta(seconds=given.get("advance", 0))
        world.refund_path = given.get("refund_path", world.refund_path)
        front.fault = tuple(given["fault"]) if "fault" in given else front.fault
        front.lost |= set(given.get("lost", ()))
        hook["url"] = given.get("hook", hook["url"])
        world.run_due()
        return {}

    @app.post("/_test/refunds")
    async def bank_says(request: Request) -> dict[str, int]:
        given = await request.json()
        found = [each for each in world.all("refunds") if each["metadata"].get("our_ref") == given["our_ref"]]
        for each in found:
            world.move("refunds", each["id"], given["status"])
            if given["status"] == "bounced":
                world.things["payments"][each["links"]["payment"]]["amount_refunded"] -= each["amount"]
        return {"moved": len(found)}

    @app.post("/_test/approve")
    async def approve(request: Request) -> dict[str, str]:
        asked = world.get("billing_requests", (await request.json())["billing_request"])
        world.move("mandates", asked["links"]["mandate_request_mandate"], "active")
        return {}

    @app.get("/_test/ledger")
    async def ledger(our_ref: str) -> dict[str, int]:
        def mine(room: str) -> list[dict[str, Any]]:
            return [each for each in world.all(room) if each["metadata"].get("our_ref") == our_ref]

        usable = {"pending_customer_approval", "pending_submission", "submitted", "active"}
        lost = {"failed", "cancelled", "charged_back"}
        return {
            "moving": sum(each["status"] not in lost for each in mine("payments")),
            "kept": sum(each["status"] in usable for each in mine("mandates")),
            "given_back": sum(each["amount"] for each in mine("refunds") if each["status"] not in {"bounced", "cancelled"}),
        }

    @app.get("/_test/requests")
    async def requests() -> list[dict[str, Any]]:
        return front.requests
