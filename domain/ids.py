"""Ids: prefixed, time-sortable, opaque. Built from a moment and randomness that the caller brings."""

from __future__ import annotations

import re
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_FORM: Final = re.compile(r"[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{26}")

PREFIXES: Final = {
    "cus": "customer",
    "con": "contact of a customer",
    "inv": "invoice",
    "pay": "payment",
    "pm": "payment method",
    "set": "payment method set-up",
    "rfd": "refund",
    "pst": "posting to an ERP",
    "evt": "event received from a provider",
    "lnk": "portal link",
    "ses": "session",
    "stf": "member of staff",
    "mal": "mail",
    "dif": "difference between Duly and an ERP",
    "chg": "change of a payment method",
    "bat": "batch of portal links",
    "key": "API key",
    "crd": "credit of the ERP's: a credit note, a prepayment, an overpayment",
    "req": "request to apply a credit",
    "sec": "secret of a connection",
    "quo": "quote of an ERP's",
    "rec": "template of an ERP's that invoices are made from",
}


def compose(prefix: str, *, at_ms: int, entropy: bytes) -> str:
    """An id such as 'pay_01jd…': 48 bits of milliseconds, then 80 random bits, in Crockford's base 32.

    Raises ValueError for an unknown prefix, a moment outside 48 bits or other than 10 bytes of entropy.
    """
    if prefix not in PREFIXES:
        raise ValueError(f"{prefix!r} is not a prefix of ours")
    if not 0 <= at_ms < 2**48 or len(entropy) != 10:
        raise ValueError("an id is made of 48 bits of time and 10 bytes of entropy")
    number = (at_ms << 80) | int.from_bytes(entropy, "big")
    return f"{prefix}_{''.join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])}"


def is_id(text: str, prefix: str) -> bool:
    """Whether a text has the form of an id of that kind; says nothing about its existence."""
    return _FORM.fullmatch(text) is not None and text.startswith(f"{prefix}_")


def shown_number(identifier: str) -> str:
    """How a payment is named to people, on every page and in every mail: 'PAY-7Q2M4K'."""
    return f"{identifier.partition('_')[0].upper()}-{identifier[-6:].upper()}"


def attempt_of(payment_id: str, attempt: int) -> str:
    """Duly's reference at the provider: the payment and its attempt."""
    return f"{payment_id}-{attempt}"


def owner_of(reference: str, prefix: str) -> str | None:
    """The id of that kind which a reference of ours begins with, or None for a stranger's text.

    What Duly writes outside is named after its owner: 'pay_…-captured' (a posting), 'pay_…-1' (an attempt).
    """
    head, dash, rest = reference.partition("-")
    return head if is_id(head, prefix) and bool(dash) == bool(rest) else None


def is_our_reference(reference: str | None) -> bool:
    """People type references outside too: only what begins with the id of a payment or of a request, as ours do, is ours."""
    return reference is not None and any(owner_of(reference, kind) is not None for kind in ("pay", "req"))
