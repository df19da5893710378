"""NetSuite, over its REST records and SuiteQL. `connector` is what the entry point names."""

from connectors.erp.netsuite.client import NetSuiteConfig
from connectors.erp.netsuite.connector import NetSuite
from connectors.erp.netsuite.declared import connector

__all__ = ["NetSuite", "NetSuiteConfig", "connector"]
