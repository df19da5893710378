"""`python -m simulators.demo_erp --port N --data FILE.sqlite`; the API key comes from DEMO_ERP_API_KEY."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from simulators import serving
from simulators.demo_erp import ledger, selling
from simulators.demo_erp.app import create
from simulators.demo_erp.books import Books


def main() -> int:
    """Serve until a signal; prints one line with its address when it listens. Port 0 takes a free one."""
    parser = argparse.ArgumentParser(prog="python -m simulators.demo_erp", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    api_key = os.environ.get("DEMO_ERP_API_KEY", "")
    if not api_key:
        sys.stderr.write("DEMO_ERP_API_KEY is not set: the demo ERP needs the key that it will accept.\n")
        return 2
    listener = serving.listen(arguments.host, arguments.port)
    books = Books(arguments.data, ledger.SCHEMA, selling.SCHEMA)
    try:
        serving.serve(create(books, api_key=api_key), listener, name="Demo ERP")
    finally:
        books.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
