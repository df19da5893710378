"""Stripe's official description as a judge of requests: what was sent is read back and held against its schemas.

The description lies beside the repository where tests are run for good (never in it: it is Stripe's).
"""

import copy
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from connectors.payments.stripe.client import VERSION
from simulators.stripe.forms import read_form

SPECS: Final = Path(os.environ.get("DULY_TEST_SPECS") or Path(__file__).parents[4] / "shared" / "specs")
DESCRIPTION: Final = SPECS / "stripe-2026-05-27-subset.json"
FIXTURES: Final = SPECS / "stripe-fixtures3-2026-08.json"
MUST_BE_THERE: Final = bool(os.environ.get("CI"))
FORM: Final = "application/x-www-form-urlencoded"

Schema = dict[str, Any]


def is_there() -> bool:
    """Whether requests can be judged here; in CI they must be."""
    return DESCRIPTION.exists() or MUST_BE_THERE


@lru_cache(maxsize=1)
def description() -> Mapping[str, Any]:
    """The official description, cut to what payments need."""
    read: Mapping[str, Any] = json.loads(DESCRIPTION.read_text())
    return read


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty when the official description allows it."""
    template, operation = _operation(request["method"], request["path"])
    if operation is None:
        return [f"{request['method']} {request['path']} is no operation of Stripe's"]
    found = []
    if request["version"] != VERSION:
        found.append(f"{template}: Stripe-Version is {request['version']!r}")
    if (request["method"] == "POST") is not bool(request["key"]):
        found.append(f"{template}: a write has an Idempotency-Key, and only a write")
    if request["key"] and len(request["key"]) > 255:
        found.append(f"{template}: the Idempotency-Key is too long")
    schema = _schema(template, request["method"].lower())
    value = _coerced(read_form(request["encoded"]), schema)
    return [
        *found,
        *(
            f"{request['method']} {template} {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in Draft202012Validator(schema).iter_errors(value)
        ),
    ]


def strange(request: Mapping[str, Any]) -> list[str]:
    """What is in the far side's answer that Stripe's could not hold: an invented name, value or shape."""
    template, operation = _operation(request["method"], request["path"])
    if operation is None or "answer" not in request:
        return []
    told = "200" if request["status"] == 200 else "default"
    schema = operation["responses"][told]["content"]["application/json"]["schema"]
    judge = Draft202012Validator({**_open(schema), "components": _answers()})
    return [
        f"{request['method']} {template} {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in judge.iter_errors(request["answer"])
    ]


def schema_of(name: str) -> Schema:
    """One of Stripe's objects as described."""
    found: Schema = description()["components"]["schemas"][name]
    return found


def fixture(name: str) -> Schema:
    """One of Stripe's own examples."""
    found: Schema = json.loads(FIXTURES.read_text())["resources"][name]
    return found


@lru_cache(maxsize=1)
def _answers() -> Schema:
    return {"schemas": {name: _open(each) for name, each in description()["components"]["schemas"].items()}}


def _open(schema: Any) -> Any:
    """As JSON Schema: nothing is required (a far side need not tell everything), and nothing may be invented."""
    if isinstance(schema, list):
        return [_open(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _open(each) for name, each in schema.items() if name not in {"required", "nullable"}}
    if isinstance(schema.get("required"), dict):  # a property that is called so
        made["required"] = _open(schema["required"])
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made


def operation_of(request: Mapping[str, Any]) -> str:
    """Method and path of an operation, with the description's own names for ids."""
    return f"{request['method']} {_operation(request['method'], request['path'])[0]}"


def _operation(method: str, path: str) -> tuple[str, Any]:
    for template, operations in sorted(description()["paths"].items(), key=lambda pair: pair[0].count("{")):
        if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)), path) and method.lower() in operations:
            return template, operations[method.lower()]
    return path, None


@lru_cache(maxsize=64)
def _schema(template: str, method: str) -> Schema:
    operation = description()["paths"][template][method]
    if method == "post":
        content = operation.get("requestBody", {}).get("content", {})
        schema: Schema = copy.deepcopy(content.get(FORM, {}).get("schema", {"type": "object", "properties": {}}))
    else:
        queries = [each for each in operation.get("parameters", []) if each["in"] == "query"]
        schema = {
            "type": "object",
            "properties": {each["name"]: copy.deepcopy(each["schema"]) for each in queries},
            "required": [each["name"] for each in queries if each.get("required")],
        }
    for part in _objects(schema):
        part.setdefault("additionalProperties", False)
    return schema


def _objects(schema: Any) -> Iterator[Schema]:
    """Every object inside: the description closes only the outermost, so that a slip inside one would go unseen."""
    if isinstance(schema, list):
        for each in schema:
            yield from _objects(each)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for each in schema.values():
            yield from _objects(each)


def _coerced(value: Any, schema: Schema) -> Any:
    """A form holds text only: read as what the schema wants where it can be; what cannot stays, and is refused."""
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            tried = _coerced(value, option)
            if Draft202012Validator(option).is_valid(tried):
                return tried
        return value
    kind = schema.get("type")
    if isinstance(value, dict):
        inside = schema.get("properties", {})
        other = schema.get("additionalProperties")
        rest: Schema = other if isinstance(other, dict) else {}
        return {name: _coerced(each, inside.get(name, rest)) for name, each in value.items()}
    if isinstance(value, list):
        return [_coerced(each, schema.get("items", {})) for each in value]
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value
