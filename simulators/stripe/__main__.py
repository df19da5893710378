"""`python -m simulators.stripe --port N`; port 0 picks a free one. Keys come from STRIPE_SIMULATOR_KEY and _SECRET; without
them it makes its own up, and tells them at /_test/played.
"""

from __future__ import annotations

import argparse
import os
import secrets

from simulators import serving
from simulators.sandbox_provider.connections import CuttableProtocol
from simulators.stripe.app import application


def main() -> int:
    """Serve until a signal; prints one line that ends with its address when it listens."""
    parser = argparse.ArgumentParser(prog="simulated-stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    listener = serving.listen("127.0.0.1", parser.parse_args().port)
    app = application(
        public_url=f"http://{serving.address_of(listener)}",
        api_key=os.environ.get("STRIPE_SIMULATOR_KEY", f"sk_test_{secrets.token_hex(16)}"),
        webhook_secret=os.environ.get("STRIPE_SIMULATOR_SECRET", f"whsec_{secrets.token_hex(16)}"),
    )
    serving.serve(app, listener, name="Simulated Stripe", http=CuttableProtocol)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
