"""One way in for every API call: key, count, fault, idempotency, transaction, answer."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from typing import Final, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from simulators.sandbox_provider.connections import cut
from simulators.sandbox_provider.faults import Fault, FaultKind
from simulators.sandbox_provider.idempotency import Answer, fingerprint_of
from simulators.sandbox_provider.provider import Provider
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.storage import Json

BodyModel = TypeVar("BodyModel", bound=BaseModel)

_LARGEST_BODY: Final = 64 * 1024
_INVENTED_STATUS: Final = "quantum_superposition"
_CUT_BEFORE: Final = frozenset({FaultKind.DROP_BEFORE, FaultKind.HANG_BEFORE})
_CUT_AFTER: Final = frozenset({FaultKind.DROP_AFTER, FaultKind.HANG_AFTER})
_HANGS: Final = frozenset({FaultKind.HANG_BEFORE, FaultKind.SLOW})
_REFUSALS: Final = {
    FaultKind.STATUS_500_BEFORE: (500, "internal_error", "Something broke before your request was executed."),
    FaultKind.STATUS_429: (429, "too_many_requests", "Slow down."),
    FaultKind.STATUS_409: (409, "idempotency_key_in_use", "A request with this key is under way."),
    FaultKind.STATUS_401: (401, "key_invalid", "This API key is not valid."),
    FaultKind.STATUS_403: (403, "key_not_allowed", "This API key may not do that."),
    FaultKind.REFUSE: (400, "refused", "This was refused, as a test ordered."),
}
_BROKEN: Final = Answer(
    status=500, body={"error": {"code": "internal_error", "message": "Something broke after your request was executed."}}
)


class Gate:
    """Lets requests in, with the provider's rules in the order a real one applies them."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def authorise(self, request: Request) -> None:
        """Raises Refusal(401)."""
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + self._provider.settings.api_key.encode()):
            raise Refusal(401, "key_invalid", "This API key is not valid.")

    async def read(self, request: Request, op: str, act: Callable[[], Answer], *, our_ref: str | None = None) -> Response:
        """A request that changes nothing."""

        def answered(fault: Fault | None) -> Answer:
            return _BROKEN if fault is not None and fault.kind is FaultKind.STATUS_500_AFTER else act()

        return await self._guarded(request, op, our_ref, answered)

    async def write(self, request: Request, op: str, model: type[BodyModel], act: Callable[[BodyModel], Answer]) -> Response:
        """A request that changes something: once for each Idempotency-Key."""
        try:
            self.authorise(request)
            raw = await _body_of(request)
            body = _validated(model, raw)
        except Refusal as refusal:
            return refusal_response(refusal)
        key = request.headers.get("idempotency-key")
        fingerprint = fingerprint_of(request.method, request.url.path, raw)
        amount = getattr(body, "amount", None)

        def once(fault: Fault | None) -> Answer:
            assert key is not None
            with self._provider.storage.transaction():
                answer = act(body)
                if fault is not None and fault.kind is FaultKind.STATUS_500_AFTER:
                    answer = _BROKEN
                self._provider.idempotency.keep(key, fingerprint, answer)
            return answer

        return await self._guarded(
            request,
            op,
            getattr(body, "our_ref", None),
            once,
            amount_minor=0 if amount is None else amount.minor,
            key=key,
            fingerprint=fingerprint,
        )

    async def set(self, request: Request, op: str, model: type[BodyModel], act: Callable[[BodyModel], Answer]) -> Response:
        """A request that sets something to a value: no key, no faults; sending it again changes nothing."""
        try:
            self.authorise(request)
            body = _validated(model, await _body_of(request))
            self._provider.storage.count_request(op)
            with self._provider.storage.transaction():
                answer = act(body)
        except Refusal as refusal:
            return refusal_response(refusal)
        return Response(json.dumps(answer.body), status_code=answer.status, media_type="application/json")

    async def _guarded(
        self,
        request: Request,
        op: str,
        our_ref: str | None,
        act: Callable[[Fault | None], Answer],
        *,
        amount_minor: int = 0,
        key: str | None = None,
        fingerprint: str | None = None,
    ) -> Response:
        provider = self._provider
        claimed = False
        try:
            self.authorise(request)
            provider.storage.count_request(op)
            provider.schedule.run_due()
            replayed: Answer | None = None
            if fingerprint is not None:
                replayed = provider.idempotency.begin(key, fingerprint)
                claimed = replayed is None
            fault = provider.faults.take(op, our_ref)
            if fault is None and amount_minor:
                fault = provider.faults.magic(amount_minor=amount_minor, key=key)
            early = await self._before(request, fault)
            if early is not None:
                return early
            answer = act(fault) if replayed is None else replayed
            if claimed and key is not None:
                provider.idempotency.end(key)
            return await self._after(request, fault, answer)
        except Refusal as refusal:
            return refusal_response(refusal)
        finally:
            if claimed and key is not None:
                provider.idempotency.end(key)

    async def _before(self, request: Request, fault: Fault | None) -> Response | None:
        """What goes wrong before anything is executed; None: go on. Raises Refusal."""
        if fault is None:
            return None
        if fault.kind in _HANGS:
            await asyncio.sleep(fault.seconds)
        if fault.kind in _CUT_BEFORE:
            await cut(request.scope)
            return Response(status_code=500)
        if fault.kind in _REFUSALS:
            status, code, sentence = _REFUSALS[fault.kind]
            raise Refusal(status, code, sentence, retry_after_seconds=2 if status == 429 else None)
        return None

    async def _after(self, request: Request, fault: Fault | None, answer: Answer) -> Response:
        """What goes wrong after it was executed and stored."""
        if fault is not None:
            if fault.kind in {FaultKind.HANG_AFTER, FaultKind.EVENT_FIRST}:
                await asyncio.sleep(fault.seconds)
            if fault.kind in _CUT_AFTER:
                await cut(request.scope)
                return Response(status_code=500)
            if fault.kind is FaultKind.MALFORMED_AFTER:
                whole = json.dumps(answer.body)
                return Response(whole[: len(whole) // 2], media_type="application/json")
            if fault.kind is FaultKind.UNKNOWN_STATUS:
                answer = Answer(status=answer.status, body=_with_invented_status(answer.body))
        return Response(json.dumps(answer.body), status_code=answer.status, media_type="application/json")


def refusal_response(refusal: Refusal) -> Response:
    """A refusal over HTTP."""
    headers = {}
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_after_seconds)
    body = {"error": {"code": refusal.code, "message": refusal.sentence}}
    return Response(json.dumps(body), status_code=refusal.status, headers=headers, media_type="application/json")


def _validated(model: type[BodyModel], raw: bytes) -> BodyModel:
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(400, "invalid_request", f"{where}: {first['msg']}") from invalid


def _with_invented_status(body: dict[str, Json]) -> dict[str, Json]:
    if "status" in body:
        return {**body, "status": _INVENTED_STATUS}
    return {
        name: [_with_invented_status(part) if isinstance(part, dict) else part for part in value]
        if isinstance(value, list)
        else _with_invented_status(value)
        if isinstance(value, dict)
        else value
        for name, value in body.items()
    }


async def _body_of(request: Request) -> bytes:
    """The raw body, cut off where no request of ours can be that large."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_BODY:
            return b"\x00"
    return raw
