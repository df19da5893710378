"""What `make test-live` says before it begins: which accounts it asks, and which it has no key for."""

from tests.live.accounts import ACCOUNTS, missing


def pytest_report_header() -> list[str]:
    """One line for each vendor."""
    return [missing(name) or f"{name}: a test account is asked" for name in ACCOUNTS]
