"""GoCardless: bank debits by mandate, and instant bank payments, over its hosted pages."""

from connectors.payments.gocardless.client import GoCardlessConfig
from connectors.payments.gocardless.connector import connector
from connectors.payments.gocardless.provider import GoCardlessProvider, build

__all__ = ["GoCardlessConfig", "GoCardlessProvider", "build", "connector"]
