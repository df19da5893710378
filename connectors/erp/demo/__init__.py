"""The demo ERP, over its HTTP API. `connector` is what the entry point names."""

from connectors.erp.demo.client import DemoErpConfig
from connectors.erp.demo.connector import DemoErp
from connectors.erp.demo.declared import connector


def build(config: DemoErpConfig) -> DemoErp:
    """A connector over a configuration; opens nothing until its first call."""
    return DemoErp(config)


__all__ = ["DemoErp", "DemoErpConfig", "build", "connector"]
