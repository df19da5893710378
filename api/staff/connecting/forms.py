"""What an administrator typed about a connection, read and held against what its connector can do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import FormData

from activities.connecting import ONCE, SAVED, Workshop, offers_of
from connectors.declaring import ConnectorSetting
from connectors.erp.declaring import ErpConnector
from connectors.errors import Misconfigured
from connectors.payments.declaring import PaymentConnector
from domain.methods import MethodKind
from domain.money import MoneyError, exponent
from domain.refusals import Refusal
from store.managed import Choices, ManagedConnection

AnyConnector = PaymentConnector | ErpConnector
FIELD: Final = "secret."
"""Begins the name of each field that holds one: such fields are never shown again nor carried along."""
_LONGEST: Final = 500
_LONGEST_TITLE: Final = 60
_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,30}")
_MOST_CURRENCIES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The form as it came, to be shown again: no secret is in it."""

    connection_id: str = ""
    title: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    currencies: str = ""
    preferred: frozenset[str] = frozenset()


def typed_of(form: FormData, connector: AnyConnector) -> Typed:
    """What came, cut to what fits."""

    def word(name: str) -> str:
        return str(form.get(name, ""))[:_LONGEST].strip()

    offered = {each.value for each in connector.kinds} if isinstance(connector, PaymentConnector) else set()
    return Typed(
        connection_id=word("id"),
        title=word("title")[:_LONGEST_TITLE],
        given={each.name: word(each.name) for each in connector.settings if not each.is_secret},
        kinds=frozenset(str(each) for each in form.getlist("kind")) & offered,
        currencies=word("currencies").upper(),
        preferred=frozenset(str(each) for each in form.getlist("preferred")) & offered,
    )


def typed_of_connection(row: ManagedConnection) -> Typed:
    """What is stored."""
    return Typed(
        connection_id=row.id,
        title=row.title,
        given=row.given,
        kinds=frozenset(row.kinds),
        currencies=", ".join(row.currencies),
        preferred=frozenset(row.preferred),
    )


def secrets_of(form: FormData, connector: AnyConnector) -> Mapping[str, str]:
    """Secrets that were typed, by name; none of them is logged, shown or kept but sealed."""
    typed = {each.name: str(form.get(f"{FIELD}{each.name}", "")).strip() for each in connector.settings if each.is_secret}
    return {name: secret for name, secret in typed.items() if secret}


def complaint(typed: Typed, connector: AnyConnector, secrets: Mapping[str, str], *, is_new: bool) -> Refusal | None:
    """The first thing that is missing or cannot be, in a sentence."""
    if is_new and not _ID.fullmatch(typed.connection_id):
        return _invalid("the short name has small letters, digits and dashes, such as cards-eu")
    if not typed.title:
        return _invalid("it needs a name that colleagues know it by")
    for each in connector.settings:
        if is_new and each.is_secret and not each.is_optional and each.name not in secrets:
            return _invalid(f"{each.label} is missing")
        if not each.is_secret and not each.is_optional and not each.choices and not typed.given.get(each.name):
            return _invalid(f"{each.label} is missing")
        if each.choices and typed.given.get(each.name) not in {"", *(word for word, _ in each.choices)}:
            return _invalid(f"{each.label} is none of its choices")
    if isinstance(connector, ErpConnector):
        return None
    if not typed.kinds:
        return _invalid("choose at least one kind of payment method")
    return _complaint_about_currencies(currencies_of(typed))


def currencies_of(typed: Typed) -> Sequence[str]:
    """What was typed, apart, each once."""
    return list(dict.fromkeys(each for each in re.split(r"[\s,;]+", typed.currencies) if each))


def choices_of(
    typed: Typed, connector: AnyConnector, workshop: Workshop, given: Mapping[str, tuple[str, ...]]
) -> Choices | Refusal:
    """What is to be stored, with what the connection then serves; or why it cannot work. Builds it, calls nobody."""
    if isinstance(connector, ErpConnector):
        return _choices_of_erp(typed, connector, workshop, given)
    try:
        provider = workshop.build(connector.name, given, typed.kinds)
    except Misconfigured as error:
        return _invalid(str(error).rstrip("."))
    kinds = [each for each in MethodKind if each.value in typed.kinds]
    currencies = currencies_of(typed)
    saved, once = offers_of(provider, kinds, currencies, SAVED), offers_of(provider, kinds, currencies, ONCE)
    for kind in kinds:
        if kind.value not in saved and kind.value not in once:
            return _invalid(f"{connector.title} takes {kind.value.replace('_', ' ')} in none of these currencies")
    served = {currency for offers in (saved, once) for each in offers.values() for currency in each}
    unserved = [each for each in currencies if each not in served]
    if unserved:
        return _invalid(f"{connector.title} takes none of these kinds in {', '.join(unserved)}")
    return Choices(
        title=typed.title,
        given={name: value for name, value in typed.given.items() if value},
        kinds=[each.value for each in kinds],
        currencies=currencies,
        preferred=sorted(typed.preferred & typed.kinds),
        offers=saved,
        once=once,
        countries={kind.value: asked for kind, asked in connector.countries.items() if kind.value in once},
    )


def _choices_of_erp(
    typed: Typed, connector: ErpConnector, workshop: Workshop, given: Mapping[str, tuple[str, ...]]
) -> Choices | Refusal:
    try:
        workshop.build_erp(connector.name, given)
    except Misconfigured as error:
        return _invalid(str(error).rstrip("."))
    kept = {name: value for name, value in typed.given.items() if value}
    return Choices(
        title=typed.title, given=kept, kinds=[], currencies=[], preferred=[], offers={}, once={}, countries={}
    )  # fmt: skip


def shown_settings(connector: AnyConnector, *, secret: bool) -> Sequence[ConnectorSetting]:
    """The settings of one sort, in the connector's order."""
    return [each for each in connector.settings if each.is_secret is secret]


def _complaint_about_currencies(currencies: Sequence[str]) -> Refusal | None:
    if not currencies or len(currencies) > _MOST_CURRENCIES:
        return _invalid("name the currencies that it is to take, such as EUR, GBP")
    for each in currencies:
        try:
            exponent(each)
        except MoneyError as error:
            return _invalid(error.sentence.rstrip("."))
    return None


def _invalid(reason: str) -> Refusal:
    return Refusal(rule="connection_invalid", facts={"reason": reason})
