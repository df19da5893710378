"""Stripe's form encoding read: `a[b][0]=c` is {"a": {"b": ["c"]}}. Every value stays text."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

_PART = re.compile(r"\[([^\]]*)\]")


def read_form(encoded: str) -> dict[str, Any]:
    """The nested values of a form or query."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        head = name.partition("[")[0]
        parts = [head, *_PART.findall(name)]
        at = tree
        for part in parts[:-1]:
            at = at.setdefault(part, {})
        at[parts[-1] or str(len(at))] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        return [_lists(each) for _, each in sorted(value.items(), key=lambda pair: int(pair[0]))]
    return {name: _lists(each) for name, each in value.items()}
