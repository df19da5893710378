"""Every guard that protects money or an account, taken away one at a time, and the tests that must see it."""

from __future__ import annotations

from typing import Final

from tests.mutants.adyen import ADYEN
from tests.mutants.business_central import BUSINESS_CENTRAL
from tests.mutants.connections import CONNECTIONS
from tests.mutants.daybooks import DAYBOOKS
from tests.mutants.documents import DOCUMENTS
from tests.mutants.doors import DOORS
from tests.mutants.erpnext import ERPNEXT
from tests.mutants.gocardless import GOCARDLESS
from tests.mutants.kit import KIT
from tests.mutants.money import MONEY
from tests.mutants.netsuite import NETSUITE
from tests.mutants.odoo import ODOO
from tests.mutants.payouts import PAYOUTS
from tests.mutants.quickbooks import QUICKBOOKS
from tests.mutants.reconciling import RECONCILING
from tests.mutants.refunds import REFUNDS
from tests.mutants.requests import REQUESTS
from tests.mutants.streams import STREAMS
from tests.mutants.stripe import STRIPE
from tests.mutants.telling import TELLING
from tests.mutants.tryton import TRYTON
from tests.mutants.xero import XERO

MUTANTS: Final = (
    *MONEY,
    *REFUNDS,
    *RECONCILING,
    *PAYOUTS,
    *REQUESTS,
    *DOORS,
    *DOCUMENTS,
    *STRIPE,
    *ADYEN,
    *GOCARDLESS,
    *KIT,
    *CONNECTIONS,
    *TELLING,
    *TRYTON,
    *STREAMS,
    *XERO,
    *QUICKBOOKS,
    *ERPNEXT,
    *BUSINESS_CENTRAL,
    *ODOO,
    *DAYBOOKS,
    *NETSUITE,
)
