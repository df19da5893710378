"""`python -m simulators.netsuite --port N`; port 0 picks a free one."""

from __future__ import annotations

import argparse

from simulators import serving
from simulators.netsuite.app import application
from simulators.sandbox_provider.connections import CuttableProtocol


def main() -> int:
    """Serve until a signal; prints one line that ends with its address when it listens."""
    parser = argparse.ArgumentParser(prog="simulated-netsuite", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    listener = serving.listen("127.0.0.1", parser.parse_args().port)
    serving.serve(application(), listener, name="Simulated NetSuite", http=CuttableProtocol)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
