"""A request that makes something is answered once, however often it comes: an Idempotency-Key names the wish.

The key's first use decides what is made (its id is stored before anything happens), so a repetition after a crash, after a
time-out, or at the same moment makes the same thing, and gets the answer that was stored. An answer that nobody gave in
time (202) is not an answer: the next repetition asks again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Header, Request
from pydantic import BaseModel
from pydantic_core import from_json, to_json
from starlette.responses import Response
from temporalio.service import RPCError

from api import problems
from api.processes import Sight
from api.security.refusing import headers_of
from api.security.sessions import address_of, agent_of
from api.services import Services
from api.v1 import answers
from domain.refusals import Refusal, Refused
from store import access_log, idempotency
from store.access_log import Act
from store.api_keys import KeyHolder
from store.idempotency import Asked
from store.identity import fresh_id

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this wish: a new one for each. Repeat a request with the same key and body, and it is done once.",
        examples=["order-4711-payment"],
    ),
]
_PENDING: Final = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a request came to: its status and JSON. A refusal is a problem; 202 is kept by nobody."""

    status: int
    body: bytes

    @classmethod
    def of(cls, status: int, body: Any) -> Told:
        """From a model, or from what is JSON already."""
        return cls(status=status, body=body.model_dump_json().encode() if isinstance(body, BaseModel) else to_json(body))

    @classmethod
    def no(cls, refusal: Refusal, *, instance: str) -> Told:
        """From a refusal."""
        return cls.of(refusal.status, problems.told(refusal, instance=instance))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request that makes something: which operation, with what, and the kind of id that it makes ('pay', 'set' …).

    `act` is written to the access log, once, where `do` does not write it itself. `place` is the beginning of the made
    thing's address, `process` names the durable process that makes it.
    """

    operation: str
    asked: Any
    prefix: str
    act: str | None = None
    customer_id: str | None
    place: str | None = None
    process: Callable[[str], str] | None = None

    @property
    def request_hash(self) -> str:
        """The same for the same wish, however its JSON was written."""
        told = [self.operation, self.asked.model_dump(mode="json") if isinstance(self.asked, BaseModel) else self.asked]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


async def answer_once(
    request: Request,
    given: Services,
    holder: KeyHolder,
    wish: Wish,
    idempotency_key: str,
    do: Callable[[Asked], Awaitable[Told]],
    *,
    finish: Callable[[Told, str], Told] = lambda told, _: told,
) -> Response:
    """The kept answer, or what `do` comes to, kept. `do` is told the id and must be safe to run again and beside itself.

    `finish` adds what must not be kept (a link's address) to the answer of an object's id.
    """
    async with given.staff.begin("api.claim") as tx:
        asked = await idempotency.claim(
            tx,
            api_key_id=holder.id,
            idempotency_key=idempotency_key,
            operation=wish.operation,
            request_hash=wish.request_hash,
            object_id=fresh_id(wish.prefix),
            at=given.clock(),
        )
        if asked.is_new and wish.act is not None:
            act = act_of(request, holder, wish.act, wish.customer_id, asked.object_id)
            await access_log.note(tx, act, at=given.clock())
    if asked.request_hash != wish.request_hash:
        raise Refused("idempotency_key_reused")
    if asked.status is None:
        try:
            told = await do(asked)
        except Refused as refused:
            told = Told.no(refused.refusal, instance=problems.instance_of(request))
            # What an earlier try has started is not refused any more, whatever changed since.
            if not asked.is_new and wish.process and await sight(given, wish.process(asked.object_id)) == "starting":
                told = pending(wish.place or "", asked.object_id, "starting")
        if told.status == _PENDING:
            return _response(told, wish, asked)
        async with given.staff.begin("api.answer") as tx:
            asked = await idempotency.answer(tx, asked, status=told.status, body=told.body.decode(), at=given.clock())
    assert asked.status is not None
    assert asked.answer is not None
    return _response(finish(Told(status=asked.status, body=asked.answer.encode()), asked.object_id), wish, asked)


def pending(place: str, object_id: str, state: str) -> Told:
    """Nobody said in time what became of it: where to ask."""
    url = f"{problems.PREFIX}{place}/{object_id}"
    return Told.of(_PENDING, answers.Pending(id=object_id, state=state, url=url))


async def sight(given: Services, workflow_id: str) -> str:
    """'starting', or 'not_started' where no process of that name is known. A Temporal that is away knows nothing."""
    try:
        return "not_started" if await given.processes.describe(workflow_id) is Sight.MISSING else "starting"
    except (RPCError, RuntimeError, OSError):
        return "starting"


def act_of(request: Request, holder: KeyHolder, action: str, customer_id: str | None, object_id: str | None) -> Act:
    """What a program did, for the access log."""
    return Act(
        actor=holder.id,
        action=action,
        customer_id=customer_id,
        object_id=object_id,
        address=address_of(request),
        agent=agent_of(request),
        facts={"key": holder.label},
    )


def _response(told: Told, wish: Wish, asked: Asked) -> Response:
    if told.status >= 400:
        problem = from_json(told.body)
        headers = headers_of(Refusal(rule=problem["rule"], facts=problem["facts"]))
        return Response(told.body, told.status, headers, media_type=problems.MEDIA_TYPE)
    headers = {} if wish.place is None else {"Location": f"{problems.PREFIX}{wish.place}/{asked.object_id}"}
    if told.status == _PENDING:
        headers["Retry-After"] = "1"
    return Response(told.body, told.status, headers, media_type="application/json")
