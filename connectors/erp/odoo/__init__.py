"""Odoo (14 to 19), over JSON-2 or JSON-RPC. `connector` is what the entry point names."""

from connectors.erp.odoo.client import OdooConfig
from connectors.erp.odoo.connector import Odoo
from connectors.erp.odoo.declared import connector


def build(config: OdooConfig) -> Odoo:
    """A connector over a configuration; opens nothing until its first call."""
    return Odoo(config)


__all__ = ["Odoo", "OdooConfig", "build", "connector"]
