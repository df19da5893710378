"""This Adyen over HTTP: key, faults, idempotency, deliveries, pages; and a laboratory for the tests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from simulators.adyen import pages
from simulators.adyen.api import act
from simulators.adyen.world import DAY, Object, Refused, World
from simulators.played import Played, tell
from simulators.sandbox_provider.connections import cut

KEYS_LIVE: Final = 31 * DAY
_FAULTS_BEFORE: Final = {
    "throttled": (429, "429", "Too many requests"),
    "under_way": (422, "704", "request already processed or in progress"),
    "key_refused": (401, "000", "HTTP Status Response - Unauthorized"),
    "refused": (422, "14_999", "As a test ordered"),
}
_INVENTED: Final = "QuantumSuperposition"
_SIGNED: Final = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")


class Front:
    """The door of the API, in the order that Adyen applies its rules."""

    def __init__(self, world: World, api_key: str) -> None:
        self.world = world
        self.api_key = api_key
        self.reset()

    def reset(self) -> None:
        """Nothing was asked, nothing goes wrong."""
        self.kept: dict[str, tuple[int, int, bytes]] = {}
        self.fault: tuple[str, str] | None = None
        self.lost: set[str] = set()
        self.requests: list[dict[str, Any]] = []

    async def serve(self, request: Request) -> Response:
        """One call."""
        raw = await request.body()
        path, method = request.scope["raw_path"].decode().partition("?")[0], request.method
        given = json.loads(raw) if raw else dict(request.query_params)
        noted = {"method": method, "path": path, "given": given, "key": request.headers.get("idempotency-key")}
        self.requests.append(noted)
        if request.headers.get("x-api-key") != self.api_key:
            return _error(401, "000", "HTTP Status Response - Unauthorized")
        self.world.run_due()
        fault = self._fault_of(method, path, given)
        if fault in _FAULTS_BEFORE:
            return _error(*_FAULTS_BEFORE[fault])
        if fault == "request_lost":
            await cut(request.scope)
            return Response(status_code=500)
        status, body = self._once(method, path, given, noted["key"], fault)
        noted["status"], noted["answer"] = status, json.loads(body or b"{}")
        if fault == "no_answer":
            await asyncio.sleep(2)
        if fault in {"answer_lost", "no_answer"}:
            await cut(request.scope)
            return Response(status_code=500)
        if fault == "unreadable":
            body = body[: len(body) // 2]
        if fault == "unknown_status":
            body = json.dumps(_invented(json.loads(body))).encode()
        return Response(body, status_code=status, media_type="application/json")

    def _once(self, method: str, path: str, given: Object, key: str | None, fault: str | None) -> tuple[int, bytes]:
        """Do it, or answer what the key kept, whatever the body is now: 500 too, for a month."""
        mark, now = f"{path} {key}", self.world.now()
        if key is not None and mark in self.kept and self.kept[mark][0] > now:
            return self.kept[mark][1:]
        try:
            status, told = act(self.world, method, path, given)
        except Refused as refused:
            status, told = refused.status, refused.body
        if fault == "broken_after":
            status, told = 500, {"status": 500, "errorCode": "905", "message": "Internal error", "errorType": "internal"}
        body = b"" if status == 204 else json.dumps(told).encode()
        if key is not None:
            self.kept[mark] = (now + KEYS_LIVE, status, body)
        return status, body

    def _fault_of(self, method: str, path: str, given: Object) -> str | None:
        found = next((each for each in self.lost if _bears(given.get("reference", ""), each)), None)
        if found is not None and _operation(method, path) == "charge":
            self.lost.discard(found)
            return "answer_lost"
        if self.fault is None or self.fault[0] != _operation(method, path):
            return None
        fault, self.fault = self.fault[1], None
        return fault


def _operation(method: str, path: str) -> str:
    """What a call is in the words of the tests."""
    named = {("POST", "/v72/payments"): "charge", ("POST", "/v72/sessions"): "setup", ("POST", "/v72/paymentLinks"): "page"}
    if (method, path) in named:
        return named[method, path]
    if path.endswith("/refunds"):
        return "refund"
    return "detach" if method == "DELETE" else "charge_find" if method == "GET" and "/paymentLinks/" in path else ""


def _invented(body: Object) -> Object:
    return {name: _INVENTED if name in {"resultCode", "status"} else value for name, value in body.items()}


def _error(status: int, code: str, message: str) -> Response:
    body = {"status": status, "errorCode": code, "message": message, "errorType": "validation"}
    headers = {"Retry-After": "2"} if status == 429 else {"transient-error": "true"} if code == "704" else {}
    return Response(json.dumps(body), status_code=status, headers=headers, media_type="application/json")


def signed(item: Object, key: bytes) -> Object:
    """The item with its signature, by the rule of Adyen's documentation."""
    fields = [str(item.get(name, "")) for name in _SIGNED]
    fields += [str(item["amount"]["value"]), item["amount"]["currency"], item["eventCode"], item["success"]]
    mark = hmac.new(key, ":".join(fields).encode(), hashlib.sha256).digest()
    return {**item, "additionalData": {**item["additionalData"], "hmacSignature": base64.b64encode(mark).decode()}}


def application(*, public_url: str, api_key: str, account: str, hmac_key: str, hook_url: str = "") -> FastAPI:
    """The application; it delivers while it runs."""
    world = World(account, public_url)
    front = Front(world, api_key)
    hook = {"url": hook_url}

    async def deliver() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                while world.outbox and hook["url"]:
                    first = world.outbox[0]
                    item = signed(first, bytes.fromhex(hmac_key))
                    body = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
                    if not await _posted(client, hook["url"], body):
                        break  # its queue waits: what comes after waits too
                    if world.outbox and world.outbox[0] is first:  # it may have been reset meanwhile
                        world.outbox.pop(0)
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(deliver())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    app = FastAPI(title="Simulated Adyen", lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_pages(app, world)
    _add_laboratory(app, front, hook)
    given = {"api_key": api_key, "merchant_account": account, "hmac_key": hmac_key}
    tell(app, Played(given=given, kind="card", currency="CHF", use="card_ok"))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "service": "adyen"}

    app.add_route("/v72/{rest:path}", front.serve, methods=["GET", "POST", "DELETE", "PATCH"])
    return app


async def _posted(client: httpx.AsyncClient, url: str, body: Object) -> bool:
    try:
        return (await client.post(url, json=body)).is_success
    except httpx.HTTPError:
        await asyncio.sleep(0.2)
        return False


def _add_pages(app: FastAPI, world: World) -> None:
    @app.get("/pages/{page_id}")
    async def show(page_id: str) -> HTMLResponse:
        world.run_due()
        status, html = pages.shown(world, page_id)
        return HTMLResponse(html, status_code=status)

    @app.post("/pages/{page_id}")
    async def enter(request: Request, page_id: str) -> RedirectResponse:
        world.run_due()
        pages.enter(world, page_id, str((await request.form()).get("use", "")))
        return RedirectResponse(pages.after(world, page_id), status_code=303)

    @app.post("/pages/{page_id}/challenge")
    async def challenge(request: Request, page_id: str) -> RedirectResponse:
        pages.answer_bank(world, page_id, approve=(await request.form()).get("answer") == "approve")
        return RedirectResponse(pages.after(world, page_id), status_code=303)


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
        if "owner" in given:
            token, shopper = given["owner"]
            world.tokens[token].shopper = shopper
        front.fault = tuple(given["fault"]) if "fault" in given else front.fault
        front.lost |= set(given.get("lost", ()))
        hook["url"] = given.get("hook", hook["url"])
        world.run_due()
        return {}

    @app.post("/_test/refunds")
    async def bank_says(request: Request) -> dict[str, int]:
        given = await request.json()
        found = [each for each in world.refunds.values() if each.reference == given["reference"]]
        for each in found:
            world.end_refund(each, succeeded=given["succeeded"])
        return {"moved": len(found)}

    @app.post("/_test/tell")
    async def tell(request: Request) -> dict[str, int]:
        given = await request.json()
        found = [each for each in world.payments.values() if _bears(each.reference, given["reference"])]
        for each in found:
            if given["code"] == "AUTHORISATION":
                world.change_mind(each)
            else:
                world.tell(given["code"], each, psp=world.fresh(), success=given.get("success", True))
        return {"told": len(found)}

    @app.get("/_test/ledger")
    async def ledger(our_ref: str) -> dict[str, int]:
        mine = [each for each in world.payments.values() if _bears(each.reference, our_ref)]
        gone = [each for each in world.refunds.values() if each.reference == our_ref and each.state != "failed"]
        return {
            "moving": sum(each.state == "authorised" for each in mine),
            "kept": sum(_bears(each.origin, our_ref) for each in world.tokens.values()),
            "given_back": sum(each.amount["value"] for each in gone),
            "untold": len(world.outbox),
        }

    @app.get("/_test/requests")
    async def requests() -> list[dict[str, Any]]:
        return front.requests


def _bears(told: str, reference: str) -> bool:
    """Whether a reference is that one, with whatever its merchant has put behind it."""
    return told == reference or told.startswith(f"{reference}.")
