"""Reading a list that neither says what changed nor when: all of it is read, and compared with what the cursor knows."""

from __future__ import annotations

import json
from collections.abc import Mapping

from connectors.erp.ports import ErpRecurring, Page
from connectors.erp.sweeps import digest_of
from domain.money import Money


def compared(listed: Mapping[str, ErpRecurring], cursor: str, *, limit: int, currency: str) -> Page[ErpRecurring]:
    """Up to so many templates that differ from what the cursor knows, deleted ones included. Raises ValueError for a cursor
    that is none of ours. `currency` is that of an amount that nobody told.
    """
    told: dict[str, list[str]] = json.loads(cursor) if cursor else {}
    found = dict(listed)
    for name, (_, customer) in told.items():
        if name not in found:
            found[name] = _gone(name, customer, currency)
    fresh = [name for name, row in found.items() if told.get(name, [""])[0] != digest_of(row)]
    for name in fresh[:limit]:
        told[name] = [digest_of(found[name]), found[name].customer_erp_id]
    text = json.dumps(told, sort_keys=True) if fresh else cursor
    return Page(rows=tuple(found[name] for name in fresh[:limit]), cursor=text, more=len(fresh) > limit)


def _gone(name: str, customer: str, currency: str) -> ErpRecurring:
    return ErpRecurring(
        erp_id=name,
        customer_erp_id=customer,
        title=name,
        frequency="",
        starts_on=None,
        next_on=None,
        remaining=None,
        amount=Money.zero(currency),
        active=False,
        deleted=True,
    )
