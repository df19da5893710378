"""`python -m simulators.adyen --port N [--hook URL]`; port 0 picks a free one. Its keys come from ADYEN_SIMULATOR_KEY (the
API key) and ADYEN_SIMULATOR_HMAC (hexadecimal), the account's name from ADYEN_SIMULATOR_ACCOUNT; without them it makes its
own up, and tells them at /_test/played.
"""

from __future__ import annotations

import argparse
import os
import secrets

from simulators import serving
from simulators.adyen.app import application
from simulators.sandbox_provider.connections import CuttableProtocol


def main() -> int:
    """Serve until a signal; prints one line that ends with its address when it listens."""
    parser = argparse.ArgumentParser(prog="simulated-adyen", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    parser.add_argument("--hook", default="", help="where its events are delivered")
    given = parser.parse_args()
    listener = serving.listen("127.0.0.1", given.port)
    app = application(
        public_url=f"http://{serving.address_of(listener)}",
        api_key=os.environ.get("ADYEN_SIMULATOR_KEY", f"AQE{secrets.token_hex(16)}"),
        account=os.environ.get("ADYEN_SIMULATOR_ACCOUNT", "SimulatedMerchant"),
        hmac_key=os.environ.get("ADYEN_SIMULATOR_HMAC", secrets.token_hex(32)),
        hook_url=given.hook,
    )
    serving.serve(app, listener, name="Simulated Adyen", http=CuttableProtocol)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
