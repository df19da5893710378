"""The description of the JSON API (OpenAPI 3.1): what FastAPI knows of it, and what it cannot know: scopes and problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from api import problems
from api.v1.answers import Pending, Problem
from api.v1.door import scope_of
from api.v1.examples import EXAMPLES
from domain.refusals import RULES, Refusal
from store.api_keys import Scope as KeyScope

ABOUT: Final = """Customers, invoices, payments, refunds, credits, payment methods, portal links and settings, for programs.

Amounts are whole numbers of the currency's minor unit. Lists go from the newest to the oldest, `next_cursor` leads on.
What makes something carries an `Idempotency-Key`: the same key and body are answered the same, and done once; another
body is refused. Whatever says no is a problem (RFC 9457) with the rule's name. An answer that did not come in time is 202:
neither yes nor no, and it can be asked for."""
EVERYWHERE: Final[Mapping[int, tuple[str, ...]]] = {
    400: ("host_unknown",),
    401: ("api_key_needed", "api_key_unknown"),
    403: ("scope_needed",),
    429: ("too_many_requests",),
    503: ("temporarily_unavailable",),
}
WITH_BODY: Final[Mapping[int, tuple[str, ...]]] = {
    400: ("request_unreadable",),
    413: ("body_too_large",),
    415: ("content_type_unsupported",),
}
WITH_INPUT: Final[Mapping[int, tuple[str, ...]]] = {422: ("request_invalid",)}
MAKING: Final[Mapping[int, tuple[str, ...]]] = {400: ("idempotency_key_needed",), 422: ("idempotency_key_reused",)}
_PAYING: Final = tuple(
    rule
    for rule in RULES
    if rule.startswith(("amount_", "invoice_", "currency_")) and rule not in {"amount_unreadable", "amount_empty"}
)
_APPLYING: Final = ("credit_not_found", "credit_used_up", "credit_currency", *_PAYING)
_BY_OPERATION: Final[Mapping[str, tuple[str, ...]]] = {
    "list_customers": ("cursor_unknown",),
    "get_customer": ("customer_not_found",),
    "get_statement": ("customer_not_found", "statement_ahead", "statement_backwards"),
    "list_invoices": ("cursor_unknown",),
    "get_invoice": ("id_unknown",),
    "list_payments": ("cursor_unknown",),
    "get_payment": ("id_unknown",),
    "create_payment": (
        "customer_not_found", "too_many_invoices", "method_not_found", "method_not_usable", "method_kind_not_offered",
        "consent_needed", "no_provider", "parent_not_payable", "partial_not_allowed", "below_minimum", "card_above_limit",
        "one_time_off", "saved_methods_off", "paying_off", *_PAYING,
    ),
    "list_refunds": ("payment_not_found",),
    "get_refund": ("refund_not_found",),
    "create_refund": (
        "payment_not_found", "refund_not_possible", "refund_above_captured", "refund_line_above", "refund_unapplied_above",
        "refund_lines_exceed", "refund_reason_needed", "invoice_not_found", "invoice_listed_twice", "currency_mismatch",
        "amount_not_positive",
    ),
    "list_credits": ("cursor_unknown",),
    "get_credit": ("credit_not_found",),
    "list_apply_requests": ("cursor_unknown",),
    "get_apply_request": ("request_not_found",),
    "create_apply_request": (
        "customer_not_found", "too_many_invoices", "credits_not_requested", "parent_not_payable", *_APPLYING
    ),
    "withdraw_apply_request": ("request_not_found", "request_moved_on"),
    "approve_apply_request": (
        "request_not_found", "request_moved_on", "facts_moved", "lines_differ", "second_person_needed", "approver_needed",
        "parent_not_payable", *_APPLYING,
    ),
    "reject_apply_request": ("request_not_found", "request_moved_on", "reason_needed"),
    "ask_about_apply_request": ("request_not_found", "request_moved_on", "question_needed"),
    "answer_about_apply_request": ("request_not_found", "request_moved_on", "answer_needed"),
    "undo_apply_request": ("request_not_found", "request_moved_on", "reason_needed"),
    "list_payment_methods": ("cursor_unknown",),
    "get_payment_method": ("method_not_found",),
    "make_default": ("method_not_found", "method_not_usable"),
    "remove_payment_method": ("method_not_found", "method_in_use", "method_kept", "new_default_needed"),
    "list_method_setups": ("cursor_unknown",),
    "get_method_setup": ("id_unknown",),
    "create_method_setup": ("customer_not_found", "saved_methods_off", "no_provider", "method_kind_not_offered"),
    "list_links": ("cursor_unknown",),
    "create_link": ("customer_not_found", "not_found", "invoice_not_found"),
    "revoke_links": ("customer_not_found",),
    "list_settings": (),
    "get_setting": ("not_found", "setting_unknown"),
    "change_setting": ("not_found", "setting_unknown", "setting_invalid"),
}  # fmt: skip
"""The rules of its own that each operation can answer with."""
PENDING: Final = frozenset(
    {
        "create_payment",
        "get_payment",
        "create_refund",
        "get_refund",
        "create_method_setup",
        "get_method_setup",
        "make_default",
        "remove_payment_method",
        "create_apply_request",
        "get_apply_request",
        "withdraw_apply_request",
        "approve_apply_request",
        "reject_apply_request",
        "ask_about_apply_request",
        "answer_about_apply_request",
        "undo_apply_request",
    }
)
SCHEME: Final = "apiKey"
_RETRY_AFTER: Final = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds until it is worth asking."}}


def check(routes: Sequence[APIRoute]) -> None:
    """Raises LookupError for a route that needs no scope, and for one that does not say which rules it answers with."""
    for route in routes:
        if scope_of(route) is None:
            raise LookupError(f"{route.path} needs no scope: everybody with a key could use it")
    if {route.name for route in routes} != set(_BY_OPERATION):
        raise LookupError("each operation names the rules of its own that it can answer with")


def rules_of(route: APIRoute) -> dict[int, list[str]]:
    """Every rule that an operation can answer with, by status."""
    found: dict[int, list[str]] = {}
    has_body = route.body_field is not None
    makes = any(each.alias == "Idempotency-Key" for each in route.dependant.header_params)
    takes = has_body or makes or bool(route.dependant.path_params or route.dependant.query_params)
    shared = [EVERYWHERE, *([WITH_BODY] if has_body else []), *([WITH_INPUT] if takes else []), *([MAKING] if makes else [])]
    for each in shared:
        for status, rules in each.items():
            found.setdefault(status, []).extend(rules)
    for rule in _BY_OPERATION[route.name]:
        found.setdefault(RULES[rule][0], []).append(rule)
    return dict(sorted(found.items()))


def describe(routes: Sequence[APIRoute]) -> dict[str, Any]:
    """The whole description."""
    told = get_openapi(
        title="Duly", version="1", summary="Invoices, paid and booked.", description=ABOUT, routes=routes,
        servers=[{"url": problems.PREFIX}],
    )  # fmt: skip
    components = told["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    _, schemas = models_json_schema(
        [(Problem, "serialization"), (Pending, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components.update(schemas["$defs"])
    told["components"]["securitySchemes"] = {
        SCHEME: {"type": "http", "scheme": "bearer", "description": "A key that `duly apikey create` made."}
    }
    for route in routes:
        for method in route.methods or ():
            _describe(told["paths"][route.path_format][method.lower()], route)
    return told


def _example_facts(rule: str, scope: KeyScope) -> Mapping[str, str | int]:
    return {"scope": scope.value} if rule == "scope_needed" else {"seconds": 2} if rule == "too_many_requests" else {}


def _describe(operation: dict[str, Any], route: APIRoute) -> None:
    scope = scope_of(route)
    assert scope is not None
    operation["operationId"] = route.name
    operation["security"] = [{SCHEME: []}]
    operation["x-scope"] = scope.value
    operation["description"] += f"\n\nNeeds the scope `{scope.value}`."
    responses = operation["responses"]
    responses.pop("422", None)
    for answer in responses.values():
        for content in answer.get("content", {}).values():
            content["example"] = EXAMPLES[content["schema"]["$ref"].rpartition("/")[2]]
    if route.name in PENDING:
        responses["202"] = {
            "description": "Nobody answered in time: it may be done. Ask for `url`, or repeat this very request.",
            "headers": _RETRY_AFTER,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Pending"}, "example": EXAMPLES["Pending"]}
            },
        }
    for status, rules in rules_of(route).items():
        named = ", ".join(f"`{rule}`" for rule in rules)
        facts = _example_facts(rules[0], scope)
        example = problems.told(Refusal(rule=rules[0], facts=facts), instance=f"{problems.PREFIX}{route.path_format}")
        responses[str(status)] = {
            "description": f"A problem: {named}.",
            "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
            **({"headers": _RETRY_AFTER} if status == 429 else {}),
        }
