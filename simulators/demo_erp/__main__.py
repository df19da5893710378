"""`python -m simulators.demo_erp --port N --data FILE.sqlite`; the API key comes from DEMO_ERP_API_KEY."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

import uvicorn

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
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((arguments.host, arguments.port))
    listener.listen(512)
    books = Books(arguments.data)
    server = uvicorn.Server(
        uvicorn.Config(
            create(books, api_key=api_key), log_level="warning", access_log=False, timeout_graceful_shutdown=2
        )
    )
    sys.stdout.write(f"Demo ERP listening on http://{arguments.host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listener])
    books.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
