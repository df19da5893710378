"""ERPNext (15 and 16), over Frappe's REST interface. `connector` is what the entry point names."""

from connectors.erp.erpnext.client import ErpNextConfig
from connectors.erp.erpnext.connector import ErpNext
from connectors.erp.erpnext.declared import connector


def build(config: ErpNextConfig) -> ErpNext:
    """A connector over a configuration; opens nothing until its first call."""
    return ErpNext(config)


__all__ = ["ErpNext", "ErpNextConfig", "build", "connector"]
