"""The ways in which a payment can be made: saved methods, new ones, and for each that cannot, the rule that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from api import pages
from domain.business import BusinessSettings
from domain.methods import MethodKind
from domain.money import Money
from domain.payments import refuse_card
from domain.refusals import Refusal
from store.access import PaymentOffer, PortalSession, page_offer_for
from store.methods import Method

KIND_WORDS: Final = {
    MethodKind.CARD: ("A card", "charged at once"),
    MethodKind.US_BANK_ACCOUNT: ("A US bank account", "arrives in 3 to 5 working days"),
    MethodKind.SEPA_DEBIT: ("A bank account by SEPA debit", "arrives in 3 to 6 working days"),
    MethodKind.BACS_DEBIT: ("A bank account by Bacs debit", "arrives in 3 to 5 working days"),
    MethodKind.INSTANT_BANK: ("At your bank", "approved there, and confirmed within minutes"),
}
_PICTURES: Final = {"amex": "americanexpress", "american_express": "americanexpress", "diners": "dinersclub"}
_EXPIRES_SOON_MONTHS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One choice. `value` names it in the form: a method's id, or 'new/{connection}/{kind}'.

    `refusal` says why it cannot be chosen. `may_save` offers to keep a new method; `must_save` when paying once is off.
    """

    value: str
    title: str
    detail: str
    kind: MethodKind
    connection_id: str
    picture: str | None = None
    initials: str = "+"
    method_id: str | None = None
    is_default: bool = False
    may_save: bool = False
    must_save: bool = False
    refusal: Refusal | None = None


def consent_wording(business_name: str, kind: MethodKind) -> str:
    """What a customer agrees to when a method is kept; stored with the time and the customer (B6)."""
    what = "card" if kind.is_card else "bank account"
    return (
        f"Save this {what} for future payments. {business_name} may charge it when I ask for a payment here, "
        "and I can delete it at any time."
    )


def picture_of(brand: str) -> str | None:
    """The address of a brand's picture, where Tabler has one."""
    name = _PICTURES.get(brand, brand)
    path = f"vendor/img/payments/{name}.svg"
    if not name.replace("-", "").isalnum() or not (pages.FOLDER / "static" / path).exists():
        return None
    return pages.static(path)


def expiry(method: Method, *, today: date) -> tuple[str, bool]:
    """'Expires 04/28', and whether that calls for attention; '' for what does not expire."""
    if method.exp_month is None or method.exp_year is None:
        return "", False
    months = (method.exp_year - today.year) * 12 + method.exp_month - today.month
    words = f"{method.exp_month:02}/{method.exp_year % 100:02}"
    if months < 0:
        return f"Expired {words}", True
    if months <= _EXPIRES_SOON_MONTHS:
        return f"Expires soon, {words}", True
    return f"Expires {words}", False


def ways(
    session: PortalSession, methods: Sequence[Method], amount: Money, *, today: date
) -> tuple[Sequence[Way], Sequence[Refusal]]:
    """What can be chosen for this amount (refused ones included), and the rules that close whole kinds of ways."""
    settings = session.settings
    saved = [_saved(method, session.offers, amount, settings, today=today) for method in methods]
    new = _new_ways(session, amount)
    rules = []
    if not settings.charge_on_file and methods:
        rules.append(Refusal(rule="saved_methods_off"))
        saved = []
    if not saved and not new:
        rules.append(Refusal(rule="no_provider" if settings.may_pay else "paying_off"))
    return [*saved, *new], rules


def _saved(method: Method, offers: Sequence[PaymentOffer], amount: Money, settings: BusinessSettings, *, today: date) -> Way:
    words, _ = expiry(method, today=today)
    detail = " · ".join(part for part in (words, "charged at once" if method.kind.is_card else "bank debit") if part)
    offer = next((each for each in offers if each.connection_id == method.connection_id), None)
    refusal = refuse_card(amount, method.kind, settings)
    if offer is None or not offer.serves(method.kind, amount.currency):
        refusal = Refusal(rule="method_kind_not_offered", facts={"currency": amount.currency})
    elif method.state != "active":
        reason = "your bank has not confirmed it yet" if method.state == "verifying" else "it is being removed"
        refusal = Refusal(rule="method_not_usable", facts={"label": method.label, "reason": reason})
    return Way(
        value=method.id,
        title=method.label,
        detail=detail[:1].upper() + detail[1:],
        kind=method.kind,
        connection_id=method.connection_id,
        picture=picture_of(method.brand) if method.kind.is_card else None,
        initials=method.brand[:2].upper(),
        method_id=method.id,
        is_default=method.is_default,
        refusal=refusal,
    )


def by_bank(session: PortalSession, currency: str) -> PaymentOffer | None:
    """The connection over which this customer may pay by bank, where the business has said to which account (B9)."""
    if not session.settings.may_pay_by_bank:
        return None
    return page_offer_for(session.offers, MethodKind.INSTANT_BANK, currency, session.customer.country)


def _new_ways(session: PortalSession, amount: Money) -> list[Way]:
    """One for each kind that a connected provider can take: once, or keeping it."""
    found, settings = [], session.settings
    for kind in MethodKind:
        offer = page_offer_for(session.offers, kind, amount.currency, session.customer.country)
        is_closed = kind is MethodKind.INSTANT_BANK and not settings.may_pay_by_bank
        if offer is None or not settings.may_pay or is_closed:
            continue
        title, speed = KIND_WORDS[kind]
        found.append(
            Way(
                value=f"new/{offer.connection_id}/{kind.value}",
                title=title.replace("A ", "A new ", 1),
                detail=f"{speed[:1].upper()}{speed[1:]} · entered on the provider's page",
                kind=kind,
                connection_id=offer.connection_id,
                may_save=settings.charge_on_file and offer.serves(kind, amount.currency),
                must_save=not settings.one_time_payment,
                refusal=refuse_card(amount, kind, settings),
            )
        )
    return found
