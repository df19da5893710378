"""What a package of an ERP connector declares: its name, what staff must give it, and how a connection is built of that.

The entry point of a package (group `duly.erp`) names one `ErpConnector`. Its settings become the form on which staff connect
it; secrets are stored sealed, and `build` gets them opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.ports import LedgerErp


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpConnector:
    """A connector that can be connected.

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
