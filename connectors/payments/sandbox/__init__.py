"""The sandbox provider's connector: for demonstrations and tests, over HTTP like any other."""

from connectors.payments.sandbox.client import SandboxConfig
from connectors.payments.sandbox.connector import connector
from connectors.payments.sandbox.provider import SandboxProvider, build

__all__ = ["SandboxConfig", "SandboxProvider", "build", "connector"]
