"""Xero's official specification as a judge: what was sent, and what the far side answered, held against its schemas.

The specification lies beside the repository where tests are run for good (never in it: it is Xero's).
"""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

SPECS: Final = Path(os.environ.get("DULY_TEST_SPECS") or Path(__file__).parents[4] / "shared" / "specs")
SPECIFICATION: Final = SPECS / "xero_accounting.yaml"
MUST_BE_THERE: Final = bool(os.environ.get("CI"))
_CLOSED: Final = frozenset({"required", "nullable", "example", "description", "externalDocs", "xml"})

Schema = dict[str, Any]


def is_there() -> bool:
    """Whether requests can be judged here; in CI they must be."""
    return SPECIFICATION.exists() or MUST_BE_THERE


@lru_cache(maxsize=1)
def specification() -> Mapping[str, Any]:
    """The official specification."""
    read: Mapping[str, Any] = yaml.load(SPECIFICATION.read_text(), Loader=yaml.CSafeLoader)
    return read


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty when the specification allows it."""
    template, operation = _operation(request["method"], request["path"])
    if operation is None:
        return [f"{request['method']} {request['path']} is no operation of Xero's"]
    parameters = [_resolved(each) for each in operation.get("parameters", [])]
    queries = {each["name"] for each in parameters if each["in"] == "query"}
    headers = {each["name"].lower() for each in parameters if each["in"] == "header"}
    found = [f"{template} has no query {each}" for each in request["query"] if each not in queries]
    if request["since"] is not None and "if-modified-since" not in headers:
        found.append(f"{template} knows no If-Modified-Since")
    if bool(request["key"]) is not ("idempotency-key" in headers):
        found.append(f"{template}: a key goes where one is taken, and nowhere else")
    if request["key"] and len(request["key"]) > 128:
        found.append(f"{template}: the key is too long")
    return [*found, *(f"{request['method']} {template} {each}" for each in wrong_body(request))]


def wrong_body(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with a request's body."""
    _, operation = _operation(request["method"], request["path"])
    content = _resolved(operation.get("requestBody", {})).get("content", {})
    if not content:
        return [] if request["body"] is None else ["a body that nobody asks for"]
    return _wrong(content["application/json"]["schema"], request["body"], required=True)


def strange(path: str, answer: object) -> list[str]:
    """What is in an answer to a read that Xero's could not hold: an invented name, value or shape."""
    _, operation = _operation("GET", path)
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return _wrong(schema, answer, required=False)


def operation_of(request: Mapping[str, Any]) -> str:
    """Method and path of an operation, with the specification's own names for ids."""
    return f"{request['method']} {_operation(request['method'], request['path'])[0]}"


def _wrong(schema: Schema, value: object, *, required: bool) -> list[str]:
    judge = Draft4Validator({**schema, "components": {"schemas": _schemas(required)}})
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message[:200]}" for each in judge.iter_errors(value)]


def _operation(method: str, path: str) -> tuple[str, Any]:
    for pattern, template, operations in _paths():
        if method.lower() in operations and pattern.fullmatch(path):
            own = operations[method.lower()]
            return template, {**own, "parameters": [*operations.get("parameters", []), *own.get("parameters", [])]}
    return path, None


@lru_cache(maxsize=1)
def _paths() -> list[tuple[re.Pattern[str], str, Mapping[str, Any]]]:
    templates = sorted(specification()["paths"].items(), key=lambda pair: pair[0].count("{"))
    return [(re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(each))), each, found) for each, found in templates]


def _resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        found: Any = specification()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


@lru_cache(maxsize=2)
def _schemas(required: bool) -> Schema:
    """Every object closed; of answers nothing is required, for a far side need not tell everything."""
    return {name: _closed(each, required) for name, each in specification()["components"]["schemas"].items()}


def _closed(schema: Any, required: bool) -> Any:
    if isinstance(schema, list):
        return [_closed(each, required) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: {inner: _closed(each, required) for inner, each in value.items()}
        if name == "properties"
        else _closed(value, required)
        for name, value in schema.items()
        if name not in _CLOSED or (name == "required" and required and isinstance(value, list))
    }
    if isinstance(schema.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made
