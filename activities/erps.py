"""Which ERP a connection is, at this moment: what staff change is built anew while processes run."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.erp.ports import LedgerErp
from connectors.errors import Misconfigured


def erp_of(erps: Mapping[str, LedgerErp], connection_id: str) -> LedgerErp:
    """The connector as it is now. Raises Misconfigured where it cannot be built, which staff are told on its page."""
    if connection_id not in erps:
        raise Misconfigured("The connection to the ERP does not start: see its page.")
    return erps[connection_id]
