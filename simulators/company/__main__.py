"""`python -m simulators.company --erp URL --today 2026-03-16`; the ERP's key comes from DEMO_ERP_API_KEY."""

from __future__ import annotations

import argparse
import os
import sys
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
    arguments = parser.parse_args()
    headers = {"Authorization": f"Bearer {os.environ.get('DEMO_ERP_API_KEY', '')}"}
    try:
        with httpx.Client(base_url=arguments.erp, headers=headers, trust_env=False, timeout=60) as erp:
            if _has_customers(erp):
                _say("The demo ERP has its customers already; nothing was written.")
                return 0
            _write(erp, generate(arguments.today))
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


def _write(erp: httpx.Client, ledger: Ledger) -> None:
    """All in one request, one transaction over there: a company is written whole, or not at all."""
    kinds = {"customers": ledger.customers, "invoices": ledger.invoices, "documents": ledger.documents}
    counted = ", ".join(f"{len(rows):,} {kind}" for kind, rows in kinds.items())
    _say(f"Writing Northwind Services to the demo ERP: {counted} …")
    body = {kind: [_as_json(row) for row in rows] for kind, rows in kinds.items()}
    erp.post("/bulk", json=body).raise_for_status()
    _say("Written. To look at:")
    for number, shown in SHOWCASE.items():
        _say(f"  {number}  {shown}")


def _as_json(row: Row) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
