"""A Riverbank that runs in a test: HTTP, its clock, its money, what goes wrong on order; no code of the connector."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

API_KEY = "key-of-riverbank"
SECRETS = ("newest-secret-of-riverbank", "older-secret-of-riverbank")

Thing = dict[str, Any]
_BEFORE = {
    "throttled": (429, "too_many"),
    "under_way": (409, "under_way"),
    "key_refused": (401, "key"),
    "refused": (422, "as_a_test_ordered"),
}


def sign(raw: bytes, at: datetime, secret: str) -> dict[str, str]:
    """Riverbank's signature of a delivery."""
    moment = str(int(at.timestamp()))
    mark = hmac.new(secret.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    return {"Riverbank-Signature": f"t={moment},v1={mark}"}


class Refused(Exception):
    """An answer that is a refusal."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.body = status, {"code": code, "sentence": code.replace("_", " ")}


class FarSide:
    """One Riverbank, in memory."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """As on the first day."""
        self.offset = timedelta()
        self.numbers = itertools.count(1)
        self.savings: dict[str, Thing] = {}
        self.payments: dict[str, Thing] = {}
        self.cards: dict[str, Thing] = {}
        self.kept: dict[str, tuple[Thing, str]] = {}
        self.fault: tuple[str, str] | None = None
        self.deliveries: list[tuple[str, bytes, dict[str, str]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; the connection is closed after it, and cut before the answer where that was ordered."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            raw = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = await self.answer(method, target, headers, json.loads(raw or b"{}"))
            writer.write(answer)
            await writer.drain()
        finally:
            writer.close()

    async def answer(self, method: str, target: str, headers: dict[str, str], body: Thing) -> bytes:
        """The whole answer; empty where it is lost."""
        path, fault = [unquote(part) for part in urlsplit(target).path.strip("/").split("/")], None
        if self.fault is not None and self.fault[0] == _operation(method, path, body):
            (_, fault), self.fault = self.fault, None
        try:
            if path[0] == "pages":
                return _http(200, self.enter(path[1], body["enter"]))
            if headers.get("authorization") != f"Bearer {API_KEY}":
                raise Refused(401, "key")
            if fault in _BEFORE:
                raise Refused(*_BEFORE[fault])
            if fault == "request_lost":
                return b""
            told = self.once(path, body, headers["idempotency-key"]) if method == "POST" else self.look(path, target)
        except Refused as refused:
            return _http(refused.status, refused.body)
        if fault == "no_answer":
            await asyncio.sleep(1)
        if fault in {"answer_lost", "no_answer"}:
            return b""
        if fault == "unknown_status":
            told = {**told, "state": "quantum"} | {"items": [{**each, "state": "quantum"} for each in told.get("items", ())]}
        whole = _http(500 if fault == "broken_after" else 200, told)
        return whole[:-10] if fault == "unreadable" else whole

    def once(self, path: list[str], body: Thing, key: str) -> Thing:
        """Do it, once for each key."""
        asked = json.dumps([path, body], sort_keys=True)
        if key in self.kept:
            made, before = self.kept[key]
            if before != asked:
                raise Refused(409, "key_reused")
            return self.shown(made)
        made = self.act(path, body)
        self.kept[key] = made, asked
        return self.shown(made)

    def act(self, path: list[str], body: Thing) -> Thing:
        """One write."""
        match path:
            case ["savings"]:
                return self.make(self.savings, "sav", body, customer=body["customer"] or f"cust{next(self.numbers)}")
            case ["payments"] if "card" in body:
                card = self.cards.get(body["card"])
                if card is None or card["customer"] != body["customer"] or body["cents"] < 1:
                    raise Refused(422, "no_such_card")
                return self.pay(self.make(self.payments, "pmt", body), card)
            case ["payments"]:
                return self.make(self.payments, "pmt", body)
            case [("savings" | "payments") as room, thing_id, "cancel"]:
                thing = self.shown(self.room(room, thing_id))
                if thing["state"] == "open":
                    self.room(room, thing_id)["state"] = "canceled"
                return self.room(room, thing_id)
            case ["cards", card_id, "forget"]:
                self.cards.pop(card_id, None)
                return {}
            case _:
                raise Refused(404, "not_found")

    def look(self, path: list[str], target: str) -> Thing:
        """One read."""
        query = dict(parse_qsl(urlsplit(target).query))
        if path == ["me"]:
            return {"name": "A business"}
        if len(path) == 2:
            return self.shown(self.room(path[0], path[1]))
        things = {"savings": self.savings, "payments": self.payments, "cards": self.cards}[path[0]]
        found = [each for each in things.values() if all(each[name] == value for name, value in query.items())]
        return {"items": [self.shown(each) for each in found]}

    def room(self, name: str, thing_id: str) -> Thing:
        """A thing that must exist."""
        found = {"savings": self.savings, "payments": self.payments}.get(name, {}).get(thing_id)
        if found is None:
            raise Refused(404, "not_found")
        return found

    def make(self, room: dict[str, Thing], prefix: str, body: Thing, **rest: Any) -> Thing:
        """A thing with a page that waits, for a day where nothing else was asked."""
        thing_id = f"{prefix}{next(self.numbers)}"
        ends_at = body.get("ends_at") or (self.now() + timedelta(days=1)).isoformat()
        url = f"{self.url}/pages/{thing_id}"
        made = {
            **body,
            "id": thing_id,
            "state": "open",
            "url": url,
            "ends_at": ends_at,
            "reason": None,
            "card": None,
            **rest,
        }
        room[thing_id] = made
        return made

    def pay(self, payment: Thing, card: Thing) -> Thing:
        """A card pays, or its bank says no."""
        payment["card"] = card
        payment["state"], payment["reason"] = ("refused", "no_money") if card["is_poor"] else ("taken", None)
        self.tell("payment", payment)
        return payment

    def enter(self, thing_id: str, what: str) -> Thing:
        """The customer does something with a page; what is not open does not change."""
        thing = self.savings.get(thing_id) or self.payments[thing_id]
        if self.shown(thing)["state"] != "open" or what == "declined":
            return {}
        if what == "leave":
            thing["state"] = "canceled"
            return {}
        card_id = f"card{next(self.numbers)}"
        looks = {"brand": "visa", "ends_with": "4242", "month": 12, "year": 2040}
        card = {"id": card_id, "customer": thing.get("customer"), "is_poor": what == "declined_later", **looks}
        if thing_id in self.payments:
            self.pay(thing, card)
            return {}
        self.cards[card_id] = card
        thing["card"], thing["state"] = card, "saved"
        self.tell("saving", thing)
        return {}

    def shown(self, thing: Thing) -> Thing:
        """A thing as it is told: a page whose time is over has ended."""
        if thing.get("state") == "open" and datetime.fromisoformat(thing["ends_at"]) <= self.now():
            return {**thing, "state": "ended"}
        return dict(thing)

    def tell(self, about: str, thing: Thing) -> None:
        """A delivery, signed with the real time."""
        at = datetime.now(UTC)
        event = {"id": f"evt{next(self.numbers)}", "about": about, "at": at.isoformat()}
        raw = json.dumps({**event, "reference": thing["reference"], "which": thing["id"]}).encode()
        self.deliveries.append((thing["reference"], raw, sign(raw, at, SECRETS[0])))

    def now(self) -> datetime:
        """Riverbank's clock."""
        return datetime.now(UTC) + self.offset


def _operation(method: str, path: list[str], body: Thing) -> str:
    """What a call is in the words of the kit."""
    match method, path:
        case "GET", ["payments", *_]:
            return "charge_find"
        case "POST", ["payments"]:
            return "charge" if "card" in body else "page"
        case "POST", ["savings"]:
            return "setup"
        case "POST", ["cards", _, "forget"]:
            return "detach"
    return ""


def _http(status: int, told: Thing) -> bytes:
    raw = json.dumps(told).encode()
    head = (
        f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + raw
