"""QuickBooks Online (v3), over its REST interface. `connector` is what the entry point names."""

from connectors.erp.quickbooks.client import QuickBooksConfig
from connectors.erp.quickbooks.connector import QuickBooks
from connectors.erp.quickbooks.declared import connector

__all__ = ["QuickBooks", "QuickBooksConfig", "connector"]
