"""Asking a provider or an ERP whether a connection would work: its answer in sentences, also when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from activities.connecting import Connected
from connectors.erp.ports import LedgerErp
from connectors.errors import ConnectorError, Misconfigured

_WITHIN_SECONDS: Final = 12


async def problems_of(connected: Connected, connection_id: str) -> Sequence[Mapping[str, Any]]:
    """What is wrong with a connection: code, sentence, and whether it cannot work at all. Empty when all is well."""
    provider = connected.by_connection.get(connection_id)
    if (erp := connected.erps.get(connection_id)) is not None:
        return await _problems_of_erp(erp)
    if provider is None:
        return [_problem("does_not_start", connected.problems.get(connection_id, "It does not start."), is_fatal=True)]
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            found = await provider.check_configuration()
    except (ConnectorError, TimeoutError):
        # Nobody answered: that says nothing about the keys, and it can be asked again.
        return [_problem("no_answer", "The provider did not answer. Check again in a minute.", is_fatal=True)]
    return [_problem(each.code, each.sentence, is_fatal=each.is_fatal) for each in found]


async def _problems_of_erp(erp: LedgerErp) -> Sequence[Mapping[str, Any]]:
    """Whether it answers, and accepts what it was given."""
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            await erp.ping()
    except Misconfigured as error:
        return [_problem("not_accepted", str(error), is_fatal=True)]
    except (ConnectorError, TimeoutError):
        return [_problem("no_answer", "The ERP did not answer. Check again in a minute.", is_fatal=True)]
    return []


def _problem(code: str, sentence: str, *, is_fatal: bool) -> Mapping[str, Any]:
    return {"code": code, "sentence": sentence, "is_fatal": is_fatal}
