"""Problems as programs read them (RFC 9457): the rule's name, its sentence, its facts, and where the request was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from pydantic_core import to_json
from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.refusals import Refusal

PREFIX: Final = "/v1"
MEDIA_TYPE: Final = "application/problem+json"
RULES_PAGE: Final = "/docs/reference/rules"
"""The page that explains each rule, by its anchor: a problem's `type` is a name first, and an address second."""


def is_for_programs(request: HTTPConnection) -> bool:
    """Whether a request came to the JSON API, where every answer that says no is a problem."""
    path = request.scope["path"]
    return bool(path == PREFIX or path.startswith(f"{PREFIX}/"))


def told(
    refusal: Refusal, *, instance: str, errors: Sequence[Mapping[str, str]] = (), status: int | None = None
) -> dict[str, Any]:
    """A refusal as a problem. `errors` name places: a JSON pointer into the body, or a parameter."""
    problem: dict[str, Any] = {
        "type": f"{RULES_PAGE}#{refusal.rule}",
        "title": refusal.rule.replace("_", " ").capitalize().replace("Api ", "API "),
        "status": refusal.status if status is None else status,
        "detail": refusal.sentence,
        "instance": instance,
        "rule": refusal.rule,
        "facts": dict(refusal.facts),
    }
    if errors:
        problem["errors"] = [dict(each) for each in errors]
    return problem


def mistake(instance: str) -> dict[str, Any]:
    """Something of ours broke; there is no rule that says so."""
    return {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The mistake is ours. What this request asked for may or may not have been done: read it back.",
        "instance": instance,
    }


def respond(problem: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The answer that carries a problem."""
    return Response(to_json(problem), problem["status"], dict(headers or {}), media_type=MEDIA_TYPE)


def instance_of(request: HTTPConnection) -> str:
    """The path of a request as an address; its query may hold what somebody searched for and is left out."""
    return quote(request.scope["path"].encode("utf-8", "replace"), safe="/:@-._~!$&'()*+,;=")
