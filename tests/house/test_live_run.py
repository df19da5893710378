"""Real accounts are asked when a person says so, by test keys only, and never by a machine."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from connectors.errors import Misconfigured
from tests.live.accounts import ACCOUNTS, missing
from tests.live.adyen_account import AdyenAccount
from tests.live.gocardless_account import GoCardlessAccount
from tests.live.stripe_account import StripeAccount

ROOT: Final = Path(__file__).parents[2]


def test_neither_ci_nor_make_test_asks_a_real_account() -> None:
    assert "live" not in (ROOT / ".ci" / "run").read_text()
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "live" in options["norecursedirs"]
    for name in ACCOUNTS:
        assert missing(name, {name: "a key", "CI": "true"}) == "Real accounts are never asked in CI."


def test_without_a_key_it_is_said_which_one_and_where_to_read_of_it() -> None:
    for name, (what, page) in ACCOUNTS.items():
        assert missing(name, {}) == f"{name} is not set: it takes {what} (docs/how-to/{page})."
        assert missing(name, {name: "a key"}) is None


def test_the_how_to_pages_name_the_keys_and_no_others() -> None:
    for page in (ROOT / "docs" / "how-to").glob("*.md"):
        told = set(re.findall(r"DULY_LIVE_[A-Z_]+", page.read_text()))
        assert told == {name for name, wanted in ACCOUNTS.items() if wanted.page == page.name}, page.name


@pytest.mark.parametrize(("account", "key"), [(StripeAccount, "sk_live_x"), (GoCardlessAccount, "live_x")])
def test_the_key_of_a_live_account_is_refused(account: type, key: str) -> None:
    with pytest.raises(Misconfigured):
        account(key)


def test_where_a_key_does_not_tell_only_the_vendor_s_test_address_is_asked() -> None:
    """Adyen's keys look alike; one of a live account is refused there."""
    account = AdyenAccount("any key", "AnyMerchant")
    assert account.config.url == "https://checkout-test.adyen.com"
    assert not account.config.is_live
