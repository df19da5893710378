"""What Temporal's core has to say goes where our own logs go. By itself it writes to standard output, among answers."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

LOGGING: Final = LoggingConfig(
    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
    forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
)


@lru_cache(maxsize=1)
def runtime() -> Runtime:
    """The usual runtime of a process, with its logs forwarded."""
    return Runtime(telemetry=TelemetryConfig(logging=LOGGING))
