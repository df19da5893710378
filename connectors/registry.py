"""Which connectors are installed: ours and those of other packages, by entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from connectors.payments.declaring import PaymentConnector

PAYMENTS: Final = "duly.payments"
ERP: Final = "duly.erp"


def payment_connectors() -> Mapping[str, PaymentConnector]:
    """Payment connectors by name. Raises TypeError for an entry point that names anything else, which is a packaging bug."""
    found = {}
    for each in entry_points(group=PAYMENTS):
        connector = each.load()
        if not isinstance(connector, PaymentConnector) or connector.name != each.name:
            raise TypeError(f"the entry point {each.name} of {PAYMENTS} must name a PaymentConnector of that name")
        found[each.name] = connector
    return found


def erp_builders() -> Mapping[str, Callable[..., Any]]:
    """Build functions of ERPs by connector name. Each takes its own configuration and answers a connector."""
    return {each.name: each.load() for each in entry_points(group=ERP)}
