"""Stripe: cards, US bank accounts, SEPA debits, over hosted Checkout pages and saved methods."""

from connectors.payments.stripe.client import StripeConfig
from connectors.payments.stripe.connector import connector
from connectors.payments.stripe.provider import StripeProvider, build

__all__ = ["StripeConfig", "StripeProvider", "build", "connector"]
