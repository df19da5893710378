"""`python -m simulators.company --erp URL --today 2026-03-16`; the ERP's key comes from DEMO_ERP_API_KEY."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx

from simulators.company.generate import generate
from simulators.company.ledger import Ledger, Row
from simulators.company.showcase import SHOWCASE


def main() -> int:
    """Write the demo company to an ERP; an ERP that has customers already is left as it is."""
    parser = argparse.ArgumentParser(prog="python -m simulators.company", description=__doc__)
    parser.add_argument("--erp", required=True, help="address of the demo ERP")
    parser.add_argument("--today", required=True, type=date.fromisoformat, help="the day that due dates are counted from")
    parser.add_argument("--json", action="store_true", help="for programs: one line about what the ERP has afterwards")
    arguments = parser.parse_args()
    say = _keep_quiet if arguments.json else _say
    headers = {"Authorization": f"Bearer {os.environ.get('DEMO_ERP_API_KEY', '')}"}
    try:
        with httpx.Client(base_url=arguments.erp, headers=headers, trust_env=False, timeout=60) as erp:
            if _has_customers(erp):
                say("The demo ERP has its customers already; nothing was written.")
            else:
                _write(erp, generate(arguments.today), say)
            if arguments.json:
                rows = sum(_count(erp, kind) for kind in ("customers", "invoices"))
                _say(json.dumps({"rows": rows, "showcase": dict(SHOWCASE)}))
    except httpx.HTTPStatusError as refused:
        sys.stderr.write(f"The demo ERP refused: {refused.response.status_code} {refused.response.text}\n")
        return 1
    except httpx.TransportError as absent:
        sys.stderr.write(f"The demo ERP at {arguments.erp} does not answer ({type(absent).__name__}).\n")
        return 1
    return 0


def _has_customers(erp: httpx.Client) -> bool:
    answer = erp.get("/customers", params={"limit": 1}).raise_for_status()
    return bool(answer.json()["rows"])


def _count(erp: httpx.Client, kind: str) -> int:
    """How many rows of a kind the ERP tells to whoever reads it."""
    count, cursor, more = 0, 0, True
    while more:
        page = erp.get(f"/{kind}", params={"since": cursor, "limit": 500}).raise_for_status().json()
        count, cursor, more = count + len(page["rows"]), page["next"], page["more"]
    return count


def _write(erp: httpx.Client, ledger: Ledger, say: Callable[[str], None]) -> None:
    """All in one request, one transaction over there: a company is written whole, or not at all."""
    kinds = {"customers": ledger.customers, "invoices": ledger.invoices, "documents": ledger.documents}
    counted = ", ".join(f"{len(rows):,} {kind}" for kind, rows in kinds.items())
    say(f"Writing Northwind Services to the demo ERP: {counted} …")
    body = {kind: [_as_json(row) for row in rows] for kind, rows in kinds.items()}
    erp.post("/bulk", json=body).raise_for_status()
    say("Written. To look at:")
    for number, shown in SHOWCASE.items():
        say(f"  {number}  {shown}")


def _as_json(row: Row) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _keep_quiet(_line: str) -> None:
    """Nobody reads along."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
