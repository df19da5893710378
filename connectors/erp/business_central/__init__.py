"""Microsoft Dynamics 365 Business Central, over its API v2.0. `connector` is what the entry point names."""

from connectors.erp.business_central.client import BusinessCentralConfig
from connectors.erp.business_central.connector import BusinessCentral
from connectors.erp.business_central.declared import connector


def build(config: BusinessCentralConfig) -> BusinessCentral:
    """A connector over a configuration; opens nothing until its first call."""
    return BusinessCentral(config)


__all__ = ["BusinessCentral", "BusinessCentralConfig", "build", "connector"]
