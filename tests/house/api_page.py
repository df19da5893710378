"""docs/reference/api.md, from the description that the JSON API gives of itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.v1 import ROUTES
from api.v1.description import ABOUT, describe, rules_of
from store.api_keys import Scope

_SCHEMAS: Final = "#/components/schemas/"
_KINDS: Final = {
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def api_page() -> str:
    """The whole page."""
    told = describe(ROUTES)
    parts = [
        "# The JSON API",
        "",
        ABOUT,
        "",
        "`/v1/openapi.json` says the same to programs (OpenAPI 3.1). [How to use it](../how-to/use-the-api.md), and",
        "[why something is refused](rules.md). This page is made from `api/v1/` by `make docs`; a test compares them.",
        "",
        "## Scopes",
        "",
        "A key has any number of these: `duly apikey create --scope … --label …`.",
        "",
        *(f"- `{scope.value}`" for scope in Scope),
        "",
    ]
    heading = ""
    for route in ROUTES:
        for method in route.methods or ():
            operation = told["paths"][route.path_format][method.lower()]
            if operation["tags"][0] != heading:
                heading = operation["tags"][0]
                parts += [f"## {heading.capitalize()}", ""]
            parts += _operation(method, f"/v1{route.path_format}", operation, told["components"]["schemas"])
            rules = [f"{status} {', '.join(f'`{rule}`' for rule in named)}" for status, named in rules_of(route).items()]
            parts += ["Says no with " + "; ".join(rules) + ".", ""]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    parts = [f"### `{method} {path}`", "", operation["description"], ""]
    rows = list(_parameters(operation)) + list(_body(operation, schemas))
    if rows:
        parts += ["| field | where | what |", "|---|---|---|", *rows, ""]
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if int(status) < 300 and content is not None and status != "202":
            example = json.dumps(content["example"], indent=2)
            parts += [f"Answers {status}:", "", "```json", example, "```", ""]
        elif int(status) < 300:
            said = "no content" if content is None else answer["description"]
            parts += [f"Answers {status}: {said}" + ("" if said.endswith(".") else "."), ""]
    return parts


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for each in operation.get("parameters", ()):
        yield _row(each["name"], each["in"], each["schema"], is_needed=each["required"], words=each.get("description", ""))


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        yield from _fields(content["schema"]["$ref"].removeprefix(_SCHEMAS), "", schemas)


def _fields(name: str, before: str, schemas: Mapping[str, Any]) -> Iterator[str]:
    """Each field of a body, and those of what is inside it."""
    shape = schemas[name]
    for field, told in shape["properties"].items():
        is_needed = field in shape.get("required", ())
        yield _row(f"{before}{field}", "body", told, is_needed=is_needed, words=told.get("description", ""))
        for choice in [told, told.get("items", {}), *told.get("anyOf", ())]:
            if "$ref" in choice:
                mark = "[]." if "items" in told else "."
                yield from _fields(choice["$ref"].removeprefix(_SCHEMAS), f"{before}{field}{mark}", schemas)


def _row(name: str, where: str, schema: Mapping[str, Any], *, is_needed: bool, words: str) -> str:
    words = words[:1].lower() + words[1:].rstrip(".") if not words.startswith("ISO") else words.rstrip(".")
    said = "; ".join(part for part in (_kind(schema), "needed" if is_needed else "", words) if part)
    return f"| `{name}` | {where} | {said} |"


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value is, in words."""
    if "anyOf" in schema:
        return " or ".join(filter(None, (_kind(each) for each in schema["anyOf"] if each.get("type") != "null")))
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "$ref" in schema:
        return "an object"
    if schema.get("examples"):
        return f"such as `{schema['examples'][0]}`"
    kinds = {
        "integer": "a whole number",
        "string": "text",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
    }
    return kinds.get(schema.get("type", ""), "")
