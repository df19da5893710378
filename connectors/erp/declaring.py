"""What a package of an ERP connector declares: its name, what staff must give it, and how a connection is built of that.

The entry point of a package (group `duly.erp`) names one `ErpConnector`. Its settings become the form on which staff connect
it; secrets are stored sealed, and `build` gets them opened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.declaring import ConnectorSetting, Given, TokenPair
from connectors.erp.ports import LedgerErp


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """What a person's consent led to. `learnt` are settings that the vendor told (which organisation it is), with their
    choices: a single one is kept, of several staff choose.
    """

    tokens: TokenPair
    learnt: tuple[ConnectorSetting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """How a person's consent at the vendor is asked for, where nobody can type in a key.

    `address` makes the vendor's page from what was given, a state and where to come back to. `exchange` trades the code
    that came back, and the same way back, for tokens: it raises Misconfigured for a code that the vendor does not take,
    Unavailable where it did not answer. `learns` are the settings that are learnt there instead of typed in.
    """

    address: Callable[[Given, str, str], str]
    exchange: Callable[[Given, str, str], Awaitable[Consented]]
    learns: tuple[ConnectorSetting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpConnector:
    """A connector that can be connected. One with a `consent` is given `tokens` when it is used.

    `build` raises Misconfigured with a sentence for staff. `only_tests` is set where no real books are kept. `ran_against`
    says in one sentence what the connector was run against, for staff who decide whether to trust it. `page` is its page of
    the documentation. A vendor's limit of calls is kept inside the connector: one step of Duly's makes many calls.
    """

    name: str
    title: str
    settings: tuple[ConnectorSetting, ...]
    build: Callable[[Given], LedgerErp]
    ran_against: str
    only_tests: bool = False
    page: str | None = None
    consent: Consent | None = None
