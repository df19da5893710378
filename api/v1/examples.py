"""One example of each answer, as the description shows it. A test reads each of them by its model."""

from collections.abc import Mapping
from typing import Any, Final

_CUSTOMER: Final = "cus_01kb8g3h5m7n9p1q3r5s7t9v1w"
_INVOICE: Final = "inv_01kb8g3h5m7n9p1q3r5s7t9v1w"
_PAYMENT: Final = "pay_01kb8g3h5m7n9p1q3r5s7t9v1w"
_METHOD: Final = "pm_01kb8g3h5m7n9p1q3r5s7t9v1w"
_SETUP: Final = "set_01kb8g3h5m7n9p1q3r5s7t9v1w"
_MORE: Final = "q1bqJRk0m9x3oW7hZc2dKVsiMjAyNi0xMS0yMiIsICJpbnZfMDEi"
_AT: Final = "2026-11-22T12:00:00Z"

_customer: Final = {
    "id": _CUSTOMER, "number": "C0042", "name": "Brightwater Facilities Ltd", "email": "accounts@brightwater.example",
    "currency": "GBP", "country": "GB", "time_zone": "Europe/London", "paused": False, "parent_id": None,
}  # fmt: skip
_invoice: Final = {
    "id": _INVOICE, "customer_id": _CUSTOMER, "number": "INV-2041", "site": "Leeds", "po_number": "PO-88", "currency": "GBP",
    "issued_on": "2026-10-22", "due_on": "2026-11-21", "paid_on": None, "status": "partially_paid", "is_overdue": True,
    "is_parent": False, "parent_id": None, "total": 20000, "open": 12500, "held": 0, "available": 12500,
}  # fmt: skip
_payment_line: Final = {
    "id": _PAYMENT, "customer_id": _CUSTOMER, "currency": "GBP", "amount": 12500, "state": "captured", "method_kind": "card",
    "method_label": "Visa ending 4242", "captured": 12500, "returned": 0, "channel": "api", "started_by": "Web shop",
    "opened_at": _AT, "changed_at": _AT,
}  # fmt: skip
_payment: Final = {
    "id": _PAYMENT, "customer_id": _CUSTOMER, "currency": "GBP", "amount": 12500, "state": "captured", "refusal": None,
    "method_kind": "card", "method_label": "Visa ending 4242", "page_url": None, "failure_code": None, "expected_on": None,
    "captured": 12500, "returned": 0, "refunding": 0, "refunded": 0, "unapplied": 0, "is_posted": False,
    "postings": [{"reference": f"{_PAYMENT}-captured", "kind": "payment", "connection_id": "demo", "state": "queued",
                  "ignored": False, "amount": 12500, "erp_id": None, "erp_number": None, "attempts": 0, "error": None,
                  "next_look_at": None, "confirmed_at": None}],
    "invoices": [{"invoice_id": _INVOICE, "number": "INV-2041", "asked": 12500, "covers": 12500}],
    "started_by": "Web shop", "opened_at": _AT, "changed_at": _AT, "unknown_since": None, "next_check_at": None,
    "timeline": [{"kind": "opened", "at": _AT}, {"kind": "captured", "at": _AT}],
}  # fmt: skip
_refund: Final = {
    "id": "rfd_01kb8g3h5m7n9p1q3r5s7t9v1w", "payment_id": _PAYMENT, "customer_id": _CUSTOMER, "amount": 2500,
    "currency": "GBP", "state": "refunded", "refusal": None, "reason": "Goods sent back", "note": "", "needs_second": False,
    "invoices": [{"invoice_id": _INVOICE, "amount": 2500}], "requested_by": "Web shop", "second_by": None,
    "failure_code": None, "requested_at": _AT, "changed_at": _AT, "unknown_since": None, "next_check_at": None,
}  # fmt: skip
_credit: Final = {
    "id": "crd_01kb8g3h5m7n9p1q3r5s7t9v1w", "customer_id": _CUSTOMER, "number": "CN-104", "kind": "credit_note",
    "currency": "GBP", "issued_on": "2026-10-01", "origin": "INV-1990", "total": 6000, "unapplied": 4000, "held": 2500,
    "available": 1500,
}  # fmt: skip
_request_line: Final = {
    "id": "req_01kb8g3h5m7n9p1q3r5s7t9v1w", "customer_id": _CUSTOMER, "credit_id": _credit["id"], "credit_number": "CN-104",
    "currency": "GBP", "amount": 2500, "state": "submitted", "version": 1, "channel": "api", "requested_by": "Web shop",
    "opened_at": _AT, "changed_at": _AT, "expires_at": "2026-12-22T12:00:00Z",
}  # fmt: skip
_request: Final = {
    **{name: value for name, value in _request_line.items() if name not in {"channel", "changed_at"}},
    "refusal": None, "needs_second": False, "first_by": None, "second_by": None, "ended_by": None, "reason": None,
    "question": None, "answer": None, "erp_words": None, "fingerprint": "9f2c" * 16,
    "invoices": [{"invoice_id": _INVOICE, "number": "INV-2041", "asked": 2500, "approved": None}],
    "timeline": [{"kind": "submitted", "at": _AT}],
}  # fmt: skip
_method: Final = {
    "id": _METHOD, "customer_id": _CUSTOMER, "kind": "card", "brand": "visa", "last4": "4242", "exp_month": 4,
    "exp_year": 2029, "state": "active", "is_default": True, "added_at": _AT,
}  # fmt: skip
_setup: Final = {
    "id": _SETUP, "customer_id": _CUSTOMER, "kind": "card", "currency": "GBP", "state": "redirected", "refusal": None,
    "page_url": "https://provider.example/pages/setup/7", "method_id": None, "failure_code": None, "opened_at": _AT,
    "changed_at": _AT,
}  # fmt: skip
_link: Final = {
    "id": "lnk_01kb8g3h5m7n9p1q3r5s7t9v1w", "customer_id": _CUSTOMER, "invoice_id": None, "contact_id": None,
    "created_by": "Web shop", "created_at": _AT, "expires_at": "2026-12-22T12:00:00Z", "revoked_at": None,
    "last_used_at": None,
}  # fmt: skip
_setting: Final = {"name": "link_days", "value": 30, "default": 90}

EXAMPLES: Final[Mapping[str, dict[str, Any]]] = {
    "Customers": {"customers": [_customer], "next_cursor": _MORE},
    "Statement": {
        "customer_id": _CUSTOMER,
        "kind": "transactions",
        "as_of": _AT,
        "day": "2026-11-22",
        "is_now": True,
        "from_on": "2026-09-01",
        "sections": [
            {
                "currency": "GBP",
                "balance": 12500,
                "unapplied": 0,
                "net": 12500,
                "opening_balance": 0,
                "opening_unapplied": 0,
                "lines": [
                    {
                        "on": "2026-10-22",
                        "act": "invoice",
                        "document": "INV-2041",
                        "about": ["Leeds"],
                        "owed": 20000,
                        "unapplied": 0,
                        "balance": 20000,
                        "left": 0,
                    },
                    {
                        "on": "2026-11-20",
                        "act": "captured",
                        "document": "PAY-7S9T1V",
                        "about": ["INV-2041"],
                        "owed": -7500,
                        "unapplied": 0,
                        "balance": 12500,
                        "left": 0,
                    },
                ],
            }
        ],
    },
    "CustomerWithBalances": {
        **_customer,
        "balances": [{"currency": "GBP", "open": 12500, "overdue": 12500, "invoices": 1}],
    },
    "Invoices": {"invoices": [_invoice], "next_cursor": _MORE},
    "InvoiceWithLines": {
        **_invoice,
        "terms": "30 days",
        "discount": None,
        "lines": [
            {
                "description": "Cleaning, October",
                "quantity": "1",
                "unit_price": 20000,
                "amount": 20000,
                "tax_rate": "0%",
                "tax": 0,
            }
        ],
        "settlements": [
            {"kind": "payment", "document": "P-1017", "amount": 7500, "on": "2026-11-02", "payment_id": None},
        ],
        "sites": [],
    },
    "Payments": {"payments": [_payment_line], "next_cursor": None},
    "Payment": _payment,
    "Refunds": {"refunds": [_refund]},
    "Refund": _refund,
    "Credits": {"credits": [_credit], "next_cursor": None},
    "CreditWithUses": {
        **_credit,
        "applications": [{"number": "INV-2002", "amount": 2000, "on": "2026-11-02"}],
        "requests": [{"id": _request_line["id"], "state": "submitted", "amount": 2500, "opened_at": _AT}],
    },
    "ApplyRequests": {"apply_requests": [_request_line], "next_cursor": None},
    "ApplyRequest": _request,
    "PaymentMethods": {"payment_methods": [_method], "next_cursor": None},
    "PaymentMethod": _method,
    "MethodSetups": {"method_setups": [_setup], "next_cursor": None},
    "MethodSetup": _setup,
    "PortalLinks": {"links": [_link], "next_cursor": None},
    "OpenLink": {**_link, "url": "https://pay.example/l/BSYWFg0Bs4KTfE6G2VPn0j3elLhRIeDbLcvJv2b_mN4"},
    "Revoked": {"revoked": 2},
    "Settings": {"settings": [_setting]},
    "SettingWithHistory": {
        **_setting,
        "history": [
            {"version": 1, "value": 30, "changed_by": "Web shop (key_01kb8g3h5m7n9p1q3r5s7t9v1w)", "changed_at": _AT}
        ],
    },
    "Pending": {"id": _PAYMENT, "state": "starting", "url": f"/v1/payments/{_PAYMENT}"},
}
