"""Xero: overpayments for money, allocations for what they settle; each organisation needs a person's consent."""

from connectors.erp.xero.client import XeroConfig
from connectors.erp.xero.connector import Xero
from connectors.erp.xero.consent import Keys
from connectors.erp.xero.declared import connector

__all__ = ["Keys", "Xero", "XeroConfig", "build", "connector"]


def build(config: XeroConfig) -> Xero:
    """A connector for one organisation; it makes no call yet."""
    return Xero(config)
