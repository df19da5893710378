"""What a package of a payment connector declares: its name, what staff must give it, and how a connection is built of that.

The entry point of a package (group `duly.payments`) names one `PaymentConnector`. Its settings become the form on which
staff connect it; secrets are stored sealed, and `build` gets them opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.declaring import ConnectorSetting, Given
from connectors.payments.ports import PaymentProvider
from domain.methods import MethodKind

__all__ = ["ConnectionSettings", "ConnectorSetting", "PaymentConnector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings(Given):
    """What one connection was given, and the kinds of methods it is to take."""

    kinds: frozenset[MethodKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentConnector:
    """A connector that can be connected.

    `build` raises Misconfigured with a sentence for staff: a short webhook secret, a test key on a live connection.
    `kinds` is the most that it can take, `countries` where the customer must be for it: by kind and currency, as ISO 3166
    codes; a kind that is not named is taken from everywhere. `calls_per_second` is how often the vendor lets one account
    call; None where it does not say. `events` are those that must be switched on over there, in the vendor's words.
    `only_tests` is set where no real money can ever move. `page` is its page of the documentation.
    """

    name: str
    title: str
    settings: tuple[ConnectorSetting, ...]
    build: Callable[[ConnectionSettings], PaymentProvider]
    kinds: tuple[MethodKind, ...]
    countries: Mapping[MethodKind, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    calls_per_second: int | None = None
    only_tests: bool = False
    events: tuple[str, ...] = ()
    page: str | None = None
