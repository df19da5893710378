"""Which connectors are installed: ours and those of other packages, by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final, TypeVar

from connectors.erp.declaring import ErpConnector
from connectors.payments.declaring import PaymentConnector

PAYMENTS: Final = "duly.payments"
ERP: Final = "duly.erp"
T = TypeVar("T", PaymentConnector, ErpConnector)


def payment_connectors() -> Mapping[str, PaymentConnector]:
    """Payment connectors by name. Raises TypeError for an entry point that names anything else, which is a packaging bug."""
    return _named(PAYMENTS, PaymentConnector)


def erp_connectors() -> Mapping[str, ErpConnector]:
    """ERP connectors by name. Raises TypeError for an entry point that names anything else, which is a packaging bug."""
    return _named(ERP, ErpConnector)


def _named(group: str, kind: type[T]) -> dict[str, T]:
    found = {}
    for each in entry_points(group=group):
        connector = each.load()
        if not isinstance(connector, kind) or connector.name != each.name:
            raise TypeError(f"the entry point {each.name} of {group} must name a {kind.__name__} of that name")
        found[each.name] = connector
    return found
