"""Which connectors are installed: ours and those of other packages, by entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

PAYMENTS: Final = "duly.payments"
ERP: Final = "duly.erp"


def builders(group: str) -> Mapping[str, Callable[..., Any]]:
    """Build functions by connector name. Each takes its own configuration and answers a connector of that group."""
    return {each.name: each.load() for each in entry_points(group=group)}
