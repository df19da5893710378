"""GoCardless's own examples as a judge: it publishes no description, so field by field against what it answers itself.

The examples lie beside the repository where tests are run for good (never in it: they are GoCardless's). They cannot say
what is required, which values are allowed, nor which queries are: the queries are written down here.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from connectors.payments.gocardless.client import VERSION

SPECS: Final = Path(os.environ.get("DULY_TEST_SPECS") or Path(__file__).parents[4] / "shared" / "specs")
EXAMPLES: Final = SPECS / "gocardless-fixtures"
MUST_BE_THERE: Final = bool(os.environ.get("CI"))
_WRITE_ONLY: Final = {"refunds": {"total_amount_confirmation": 1}}
_QUERIES: Final = frozenset({"after", "before", "limit", "created_at[gte]", "customer", "payment", "status"})
_WITHOUT_EXAMPLE: Final = "creditors"


def is_there() -> bool:
    """Whether requests can be judged here; in CI they must be."""
    return EXAMPLES.exists() or MUST_BE_THERE


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty when the examples know all of it."""
    room, *rest = request["path"].strip("/").split("/")
    told = f"{request['method']} {request['path']}"
    found = [] if request["version"] == VERSION else [f"{told}: GoCardless-Version is {request['version']!r}"]
    if room == _WITHOUT_EXAMPLE:
        return found
    examples = json.loads((EXAMPLES / f"{room}.json").read_text())
    operation = rest[-1] if rest[1:2] == ["actions"] else ("create" if request["method"] == "POST" else "get")
    operation = "list" if request["method"] == "GET" and not rest else operation
    if operation not in examples or examples[operation]["method"] != request["method"]:
        return [*found, f"{told} is no operation of GoCardless's"]
    found += [f"{told}: asks for {name}" for name in request["query"] if name not in _QUERIES]
    if operation == "create":
        if not request["key"] and room != "billing_request_flows":
            found.append(f"{told}: a write that makes something has an Idempotency-Key")
        example = {**examples["create"]["body"][room], **_WRITE_ONLY.get(room, {})}
        found += [f"{told} {wrong}" for wrong in unlike(request["body"], {room: example})]
    return found


def strange(request: Mapping[str, Any]) -> list[str]:
    """What is in the far side's answer that no example holds."""
    room = request["path"].strip("/").partition("/")[0]
    if room == _WITHOUT_EXAMPLE or "answer" not in request:
        return []
    examples = json.loads((EXAMPLES / f"{room}.json").read_text())
    name = "list" if isinstance(request["answer"].get(room), list) else "create" if "create" in examples else "get"
    return [f"{request['path']} {wrong}" for wrong in unlike(request["answer"], examples[name]["body"])]


def unlike(value: Any, example: Any, at: str = "") -> list[str]:
    """Where a value has a field that the example has not, or one of another type. Metadata is free."""
    if value is None:
        return []
    if type(value) is not type(example):
        return [f"{at}: {type(value).__name__} where the example has {type(example).__name__}"]
    if isinstance(value, list):
        return [wrong for each in value for wrong in unlike(each, example[0], f"{at}[]")]
    if not isinstance(value, dict) or at.endswith("metadata"):
        return []
    found = [f"{at}.{name}: unknown" for name in value if name not in example]
    known = [name for name in value if name in example]
    return [*found, *(wrong for name in known for wrong in unlike(value[name], example[name], f"{at}.{name}"))]
