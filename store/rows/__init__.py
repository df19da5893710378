"""The tables. Only `store` sees them; migrations are compared with them in the tests."""

from store.rows import (
    access,
    integration,
    invoices,
    ledger,
    methods,
    operations,
    payments,
    payouts,
    reconciliation,
    refunds,
    requests,
    streams,
)
from store.rows.base import metadata

__all__ = [
    "access",
    "integration",
    "invoices",
    "ledger",
    "metadata",
    "methods",
    "operations",
    "payments",
    "payouts",
    "reconciliation",
    "refunds",
    "requests",
    "streams",
]
