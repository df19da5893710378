"""Adyen: cards, US bank accounts, SEPA debits, over its hosted pages and saved methods."""

from connectors.payments.adyen.client import AdyenConfig
from connectors.payments.adyen.connector import connector
from connectors.payments.adyen.provider import AdyenProvider, build

__all__ = ["AdyenConfig", "AdyenProvider", "build", "connector"]
