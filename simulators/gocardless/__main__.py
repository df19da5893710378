"""`python -m simulators.gocardless --port N`; port 0 picks a free one. GOCARDLESS_SIMULATOR_TOKEN, _SECRET; without them it
makes its own up, and tells them at /_test/played.
"""

from __future__ import annotations

import argparse
import os
import secrets

from simulators import serving
from simulators.gocardless.app import application
from simulators.sandbox_provider.connections import CuttableProtocol


def main() -> int:
    """Serve until a signal; prints one line that ends with its address when it listens."""
    parser = argparse.ArgumentParser(prog="simulated-gocardless", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    listener = serving.listen("127.0.0.1", parser.parse_args().port)
    app = application(
        public_url=f"http://{serving.address_of(listener)}",
        access_token=os.environ.get("GOCARDLESS_SIMULATOR_TOKEN", f"sandbox_{secrets.token_hex(16)}"),
        webhook_secret=os.environ.get("GOCARDLESS_SIMULATOR_SECRET", secrets.token_hex(20)),
    )
    serving.serve(app, listener, name="Simulated GoCardless", http=CuttableProtocol)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
