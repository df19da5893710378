"""`duly link`, `duly settings`, `duly staff` and `duly apikey`, on a real database."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.security import passwords
from cli import application
from tests import machine
from tests.api.accounts import Accounts


@pytest.fixture
def accounts(database: machine.Database, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    monkeypatch.setenv("DULY_STAFF_DATABASE_URL", database.staff_url)
    monkeypatch.setenv("DULY_BASE_URL", "https://pay.example/")
    return Accounts(database.plain_admin_url)


@pytest.fixture
def duly(tmp_path: Path) -> "Duly":
    return Duly(tmp_path)


class Duly:
    """The command, in a folder where nothing was ever started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(application(), [*words, "--data-dir", str(self._folder)], input=typed)


def test_a_link_is_printed_for_a_number_or_an_id_and_written_down(duly: Duly, accounts: Accounts) -> None:
    customer = accounts.customer()
    for who in ("C0001", customer):
        printed = duly("link", who)
        assert printed.exit_code == 0, printed.output
        assert re.fullmatch(r"https://pay\.example/l/[\w-]{43}\n", printed.stdout)
    assert (
        accounts.rows("SELECT actor, action, customer_id FROM access_log") == [("duly link", "link_created", customer)] * 2
    )


def test_a_link_is_refused_for_nobody_and_for_a_number_that_several_have(duly: Duly, accounts: Accounts) -> None:
    first, second = accounts.customer("One"), accounts.customer("Two")
    accounts.run("UPDATE customers SET number = 'SAME'")
    for who, why in (("C9", "there is no customer"), ("SAME", "several customers")):
        refused = duly("link", who)
        assert refused.exit_code == 1
        assert why in refused.stderr
    assert duly("link", first).exit_code == duly("link", second).exit_code == 0
    assert duly("link", first, "--invoice", "inv_unknown").exit_code == 1


def test_a_setting_is_changed_shown_and_its_history_kept(duly: Duly, accounts: Accounts) -> None:
    assert duly("settings", "set", "card_limit", '{"USD": 1000000}').exit_code == 0
    assert duly("settings", "set", "business_name", "Brightwater & Sons").exit_code == 0
    assert duly("settings", "set", "link_days", "30").exit_code == 0
    assert "version 2" in duly("settings", "set", "link_days", "60").stdout
    shown = duly("settings", "get", "link_days")
    assert shown.stdout.strip() == "60"
    assert "version 1: 30, by duly settings" in shown.stderr
    every = duly("settings", "get").stdout
    for words in ("Brightwater & Sons", '{"USD": 1000000}', "partial_payment"):
        assert words in every
    assert accounts.rows("SELECT count(*) FROM access_log WHERE action = 'setting_changed'") == [(4,)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["settings", "set", "no_such", "1"], "There is no setting called no_such"),
        (["settings", "get", "no_such"], "There is no setting called no_such"),
        (["settings", "set", "link_days", "91"], "between 1 and 90"),
        (["settings", "set", "partial_payment", "maybe"], "true or false"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_reason(duly: Duly, accounts: Accounts, words: list[str], why: str) -> None:
    refused = duly(*words)
    assert refused.exit_code == 1
    assert why in " ".join(refused.stderr.split())
    assert accounts.rows("SELECT 1 FROM settings") == []


def test_a_member_of_staff_gets_a_password_that_works_and_is_shown_once(duly: Duly, accounts: Accounts) -> None:
    added = duly("staff", "add", "Maya@Duly.example", "--name", "Maya", "--role", "approver")
    assert added.exit_code == 0, added.output
    password = re.findall(r"^password: (\S+)$", added.stdout, re.MULTILINE)[0]
    [(email, role, stored)] = accounts.rows("SELECT email, role, password_hash FROM staff")
    assert (email, role) == ("maya@duly.example", "approver")
    assert stored.startswith("$argon2id$")
    assert asyncio.run(passwords.belongs(password, stored))
    assert not asyncio.run(passwords.belongs(password + "x", stored))
    again = duly("staff", "add", "maya@duly.example", "--name", "Maya")
    assert again.exit_code == 1
    assert "member of staff already" in again.stderr


def test_a_password_may_be_typed_and_a_short_one_is_refused(duly: Duly, accounts: Accounts) -> None:
    typed = "correct horse battery"
    added = duly("staff", "add", "a@duly.example", "--name", "A", "--ask", typed=f"{typed}\n{typed}\n")
    assert added.exit_code == 0, added.output
    assert typed not in added.stdout
    short = duly("staff", "add", "b@duly.example", "--name", "B", "--ask", typed="short\nshort\n")
    assert short.exit_code == 1
    assert "at least 12" in short.stderr
    assert duly("staff", "add", "not an address", "--name", "C").exit_code == 1
    assert duly("staff", "add", "c@duly.example", "--name", "C", "--role", "owner").exit_code == 2
    assert accounts.rows("SELECT email FROM staff") == [("a@duly.example",)]


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(duly: Duly, accounts: Accounts) -> None:
    scopes = ["--scope", "invoices:read", "--scope", "payments:write", "--scope", "invoices:read"]
    made = duly("apikey", "create", "--label", "Web shop", *scopes)
    assert made.exit_code == 0, made.output
    assert re.fullmatch(r"duly_[a-z0-9]{12}_[\w-]{43}\n", made.stdout), "the key alone, so that a script can take it"
    assert "not shown again" in made.stderr
    prefix, secret = made.stdout[5:17], made.stdout.strip()[18:]
    [(key_id, kept, labelled)] = accounts.rows("SELECT id, scopes, label FROM api_keys")
    assert (kept, labelled) == (["invoices:read", "payments:write"], "Web shop")
    listed = duly("apikey", "list").stdout
    assert prefix in listed
    assert secret not in listed + str(accounts.rows("SELECT * FROM api_keys")) + str(
        accounts.rows("SELECT * FROM access_log")
    )
    assert duly("apikey", "revoke", prefix).stdout == f"{key_id} is revoked\n"
    assert duly("apikey", "revoke", key_id).exit_code == 1
    assert accounts.rows("SELECT revoked_at IS NOT NULL FROM api_keys") == [(True,)]
    acts = accounts.rows("SELECT action, object_id FROM access_log ORDER BY seq")
    assert acts == [("api_key_created", key_id), ("api_key_revoked", key_id)]


def test_a_key_needs_a_label_and_scopes_that_exist(duly: Duly, accounts: Accounts) -> None:
    for words, status in (
        (["--label", "Shop"], 2), (["--label", "Shop", "--scope", "everything"], 2), (["--scope", "invoices:read"], 2),
        (["--label", " ", "--scope", "invoices:read"], 1), (["--label", "a\nb", "--scope", "invoices:read"], 1),
        (["--label", "x" * 61, "--scope", "invoices:read"], 1),
    ):  # fmt: skip
        assert duly("apikey", "create", *words).exit_code == status, words
    assert accounts.rows("SELECT 1 FROM api_keys") == []


def test_without_a_database_the_commands_say_what_is_missing(duly: Duly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DULY_STAFF_DATABASE_URL", raising=False)
    for words in (
        ["link", "C1"], ["settings", "get"], ["staff", "add", "a@b.example", "--name", "A"], ["apikey", "list"],
        ["apikey", "create", "--label", "A", "--scope", "invoices:read"], ["apikey", "revoke", "key_x"],
    ):  # fmt: skip
        refused = duly(*words)
        assert refused.exit_code == 1
        assert "DULY_STAFF_DATABASE_URL is not set" in " ".join(refused.stderr.split())
