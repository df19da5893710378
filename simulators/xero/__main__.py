"""`python -m simulators.xero --port N`; port 0 picks a free one. XERO_SIMULATOR_CLIENT, _SECRET."""

from __future__ import annotations

import argparse
import os

from simulators import serving
from simulators.sandbox_provider.connections import CuttableProtocol
from simulators.xero.app import application


def main() -> int:
    """Serve until a signal; prints one line that ends with its address when it listens."""
    parser = argparse.ArgumentParser(prog="simulated-xero", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    listener = serving.listen("127.0.0.1", parser.parse_args().port)
    app = application(
        client_id=os.environ.get("XERO_SIMULATOR_CLIENT", "simulated-client"),
        client_secret=os.environ.get("XERO_SIMULATOR_SECRET", "simulated-secret"),
    )
    serving.serve(app, listener, name="Simulated Xero", http=CuttableProtocol)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
