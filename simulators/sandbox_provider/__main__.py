"""`python -m simulators.sandbox_provider --port N --data FILE.sqlite [--webhook-url URL]`; port 0 picks a free one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from simulators import serving
from simulators.sandbox_provider.app import application
from simulators.sandbox_provider.connections import CuttableProtocol
from simulators.sandbox_provider.provider import Provider
from simulators.sandbox_provider.settings import SettingsError, read_settings


def main() -> int:
    """Serve until a signal; prints one line that ends with its address when it listens."""
    parser = argparse.ArgumentParser(prog="sandbox-provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    parser.add_argument("--data", type=Path, required=True, help="the SQLite file that keeps everything")
    parser.add_argument("--webhook-url", help="where events are delivered")
    parser.add_argument("--public-url", help="how browsers reach this program, when not by host and port")
    arguments = parser.parse_args()
    arguments.data.parent.mkdir(parents=True, exist_ok=True)
    listener = serving.listen(arguments.host, arguments.port)
    public_url = arguments.public_url or f"http://{serving.address_of(listener)}"
    try:
        settings = read_settings(os.environ, public_url=public_url, webhook_url=arguments.webhook_url)
    except SettingsError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    app = application(Provider(settings, arguments.data))
    serving.serve(app, listener, name="Sandbox provider", http=CuttableProtocol)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
