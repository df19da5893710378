"""The product's own API as a program, told what `duly up` tells it, on a bench's ground."""

import base64
import contextlib
from collections.abc import Iterator
from typing import Final

from bench.ground import Ground, Server, free_port

WEBHOOK_SECRET: Final = "a secret of the sandbox for the bench"
MASTER_KEY: Final = ("bench", bytes(range(32, 64)))
FORM_KEY: Final = "a key of thirty-two characters, or so."


def settings_of(under: Ground, *, base_url: str) -> dict[str, str]:
    """What a process of the product is told. Temporal and the provider are not there."""
    return {
        "DULY_DATA_DIR": str(under.folder),
        "DULY_BASE_URL": base_url,
        "DULY_PORTAL_DATABASE_URL": under.url("duly_portal"),
        "DULY_STAFF_DATABASE_URL": under.url("duly_staff"),
        "DULY_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "DULY_TEMPORAL_CODEC_KEYS": f"bench:{base64.b64encode(bytes(range(32))).decode()}",
        "DULY_MASTER_KEYS": f"{MASTER_KEY[0]}:{base64.b64encode(MASTER_KEY[1]).decode()}",
        "DULY_FORM_KEY": FORM_KEY,
        "DULY_API_REQUESTS_PER_MINUTE": "1000000000",  # one key asks for a whole crowd
        "DULY_PROVIDER_URL": "http://127.0.0.1:9",
        "DULY_PROVIDER_API_KEY": "a key that opens nothing",
        "DULY_PROVIDER_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    }


@contextlib.contextmanager
def product(under: Ground) -> Iterator[Server]:
    """The API; nothing that is measured asks Temporal or the provider."""
    port = free_port()
    settings = settings_of(under, base_url=f"http://127.0.0.1:{port}")
    with under.serving("api.app:create_app", name="api", port=port, environment=settings) as server:
        yield server
