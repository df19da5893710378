"""Tryton (8.2), over its JSON-RPC. `connector` is what the entry point names."""

from connectors.erp.tryton.client import TrytonConfig
from connectors.erp.tryton.connector import Tryton
from connectors.erp.tryton.declared import connector


def build(config: TrytonConfig) -> Tryton:
    """A connector over a configuration; opens nothing until its first call."""
    return Tryton(config)


__all__ = ["Tryton", "TrytonConfig", "build", "connector"]
