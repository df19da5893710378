"""Adyen's official description as a judge: what was sent, and what the far side answered, held against its schemas.

The description lies beside the repository where tests are run for good (never in it: it is Adyen's). One thing is patched in
it: a stored SEPA debit needs no IBAN, as Adyen's own guide shows.
"""

import copy
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

SPECS: Final = Path(os.environ.get("DULY_TEST_SPECS") or Path(__file__).parents[4] / "shared" / "specs")
DESCRIPTION: Final = SPECS / "CheckoutService-v72.sepa-patched.yaml"
MUST_BE_THERE: Final = bool(os.environ.get("CI"))
LONGEST_KEY: Final = 64
WITH_KEY: Final = frozenset({"/payments", "/sessions", "/paymentLinks", "/payments/{paymentPspReference}/refunds"})
_NEEDED: Final = {"/storedPaymentMethods": {"shopperReference", "merchantAccount"}}
"""Queries without which an answer would be of nobody, though the description leaves them out."""

Schema = dict[str, Any]


def is_there() -> bool:
    """Whether requests can be judged here; in CI they must be."""
    return DESCRIPTION.exists() or MUST_BE_THERE


@lru_cache(maxsize=1)
def description() -> Mapping[str, Any]:
    """The official description."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: Mapping[str, Any] = yaml.load(DESCRIPTION.read_text(), Loader=loader)
    return read


def operation_of(request: Mapping[str, Any]) -> str:
    """Method and path of an operation, with the description's own names for ids."""
    return f"{request['method']} {_operation(request['method'], request['path'])[0]}"


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty when the official description allows it."""
    method, given = request["method"], request["given"]
    template, operation = _operation(method, request["path"])
    if operation is None:
        return [f"{method} {request['path']} is no operation of Adyen's"]
    told = f"{method} {template}"
    found = []
    if method == "POST" and template in WITH_KEY and not request["key"]:
        found.append(f"{told}: what makes something has an Idempotency-Key")
    if request["key"] and len(request["key"]) > LONGEST_KEY:
        found.append(f"{told}: the Idempotency-Key is too long")
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return [*found, *(f"{told} {wrong}" for wrong in _errors(schema, given))]
    queries = {each["name"]: each for each in operation.get("parameters", ()) if each.get("in") == "query"}
    needed = {name for name, each in queries.items() if each.get("required")} | _NEEDED.get(template, set())
    found += [f"{told}: asks for {name}" for name in given if name not in queries]
    return [*found, *(f"{told}: does not say {name}" for name in sorted(needed - given.keys()))]


def strange(request: Mapping[str, Any]) -> list[str]:
    """What is in the far side's answer that Adyen's could not hold: an invented name, value or shape."""
    template, operation = _operation(request["method"], request["path"])
    if operation is None or "answer" not in request or request["status"] in {204, 404}:
        return []
    answers = operation["responses"]
    told = answers.get(str(request["status"]))
    if told is None:  # Adyen describes its errors once, not for each operation
        told = _operation("POST", "/v72/payments")[1]["responses"].get(str(request["status"]), {})
    schema = told.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return [f"{request['method']} {template} answers {request['status']}"]
    return [f"{request['method']} {template} {wrong}" for wrong in _errors(schema, request["answer"])]


def _errors(schema: Schema, value: Any) -> list[str]:
    judge = Draft202012Validator({**schema, "components": _components()})
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message[:200]}" for each in judge.iter_errors(value)]


@lru_cache(maxsize=1)
def _components() -> Schema:
    """The schemas, each closed to names that it does not know. A choice is left open here: its choices are closed."""
    made: Schema = copy.deepcopy(description()["components"])
    for schema in made["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return made


def _operation(method: str, path: str) -> tuple[str, Any]:
    asked = path.removeprefix("/v72")
    for template, operations in sorted(description()["paths"].items(), key=lambda pair: pair[0].count("{")):
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))
        if path.startswith("/v72/") and re.fullmatch(pattern, asked) and method.lower() in operations:
            return template, operations[method.lower()]
    return asked, None
