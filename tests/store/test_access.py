"""Links, sessions, staff accounts, counters, the access log and settings, on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from domain.business import BusinessSettings
from domain.methods import MethodKind
from domain.refusals import Refused
from store import access, access_log, business, rate_limits, staff_accounts, tokens
from store.access_log import Act
from store.database import Database
from store.staff_accounts import Role
from tests import machine
from tests.api.accounts import Accounts

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def staff(database: machine.Database) -> AsyncIterator[Database]:
    opened = Database(database.staff_url)
    yield opened
    await opened.close()


@pytest.fixture
def accounts(database: machine.Database) -> Accounts:
    return Accounts(database.plain_admin_url)


async def signed_in(staff: Database, customer: str, *, at: datetime = NOON, **more: Any) -> str:
    async with staff.begin("test") as tx:
        link = await access.create_link(tx, customer, by="test", at=at, days=90, **more)
        opened = await access.open_session(tx, link.token, at=at)
    assert opened is not None
    return opened.token


async def test_neither_a_links_token_nor_a_sessions_is_stored(staff: Database, accounts: Accounts) -> None:
    customer = accounts.customer()
    async with staff.begin("test") as tx:
        link = await access.create_link(tx, customer, by="test", at=NOON, days=90)
        opened = await access.open_session(tx, link.token, at=NOON)
    assert opened is not None
    stored = str(accounts.rows("SELECT * FROM portal_links")) + str(accounts.rows("SELECT * FROM sessions"))
    assert tokens.hashed(link.token) in stored
    assert tokens.hashed(opened.token) in stored
    assert link.token not in stored
    assert opened.token not in stored


async def test_a_session_with_family_settings_and_offers_is_loaded_by_one_statement(
    staff: Database, accounts: Accounts
) -> None:
    parent = accounts.customer("Parent")
    children = sorted(accounts.customer(f"Site {number}", parent=parent) for number in range(3))
    accounts.customer("Somebody else")
    accounts.setting("business_name", "Acme")
    accounts.provider({"card": ["GBP"], "a kind from the future": ["GBP"]})
    invoice = accounts.invoice(children[0], 1000)
    token = await signed_in(staff, parent, invoice_id=invoice)
    statements: list[str] = []
    event.listen(staff.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    async with staff.begin("test") as tx:
        session = await access.load_session(tx, token, at=NOON)
    assert len(statements) == 1
    assert session is not None
    assert session.family == (parent, *children)
    assert session.settings.business_name == "Acme"
    assert session.invoice_id == invoice
    assert [offer.connection_id for offer in session.offers] == ["sandbox"]
    assert session.offers[0].serves(MethodKind.CARD, "GBP")
    assert not session.offers[0].serves(MethodKind.CARD, "USD")
    assert session.csrf == tokens.form_token(token)


async def test_revoking_a_customers_links_ends_its_sessions_at_the_next_request(staff: Database, accounts: Accounts) -> None:
    one, other = accounts.customer("One"), accounts.customer("Other")
    mine, theirs = [await signed_in(staff, one), await signed_in(staff, one)], await signed_in(staff, other)
    async with staff.begin("test") as tx:
        assert await access.revoke_links(tx, one, at=NOON) == 2
    async with staff.begin("test") as tx:
        assert [await access.load_session(tx, token, at=NOON) for token in mine] == [None, None]
        assert await access.load_session(tx, theirs, at=NOON) is not None


async def test_a_session_lasts_a_day_and_no_longer(staff: Database, accounts: Accounts) -> None:
    token = await signed_in(staff, accounts.customer())
    async with staff.begin("test") as tx:
        assert await access.load_session(tx, token, at=NOON + timedelta(hours=23, minutes=59)) is not None
        assert await access.load_session(tx, token, at=NOON + timedelta(hours=24)) is None


async def test_session_hours_follow_the_setting(staff: Database, accounts: Accounts) -> None:
    accounts.setting("session_hours", 2)
    token = await signed_in(staff, accounts.customer())
    async with staff.begin("test") as tx:
        assert await access.load_session(tx, token, at=NOON + timedelta(hours=2)) is None


async def test_signing_out_ends_the_session_and_a_deleted_customers_is_over(staff: Database, accounts: Accounts) -> None:
    customer = accounts.customer()
    left, other = await signed_in(staff, customer), await signed_in(staff, customer)
    async with staff.begin("test") as tx:
        await access.end_session(tx, left, at=NOON)
        assert await access.load_session(tx, left, at=NOON) is None
        assert await access.load_session(tx, other, at=NOON) is not None
    accounts.run("UPDATE customers SET deleted = true WHERE id = %s", [customer])
    async with staff.begin("test") as tx:
        assert await access.load_session(tx, other, at=NOON) is None


async def test_a_link_opens_again_and_again_until_it_expires_and_never_later_than_ninety_days(
    staff: Database, accounts: Accounts
) -> None:
    customer = accounts.customer()
    async with staff.begin("test") as tx:
        link = await access.create_link(tx, customer, by="test", at=NOON, days=4000)
        assert link.expires_at == NOON + timedelta(days=90)
        for days in (0, 30, 89):
            assert await access.open_session(tx, link.token, at=NOON + timedelta(days=days)) is not None
        assert await access.open_session(tx, link.token, at=NOON + timedelta(days=90)) is None
        assert not (await access.preview_link(tx, link.token, at=NOON + timedelta(days=90))).opens


async def test_looking_at_a_link_marks_nothing(staff: Database, accounts: Accounts) -> None:
    customer = accounts.customer()
    async with staff.begin("test") as tx:
        link = await access.create_link(tx, customer, by="test", at=NOON, days=1)
    before = accounts.rows("SELECT * FROM portal_links")
    async with staff.begin("test") as tx:
        assert (await access.preview_link(tx, link.token, at=NOON)).opens
    assert accounts.rows("SELECT * FROM portal_links") == before
    assert accounts.rows("SELECT 1 FROM sessions") == []


async def test_a_link_is_refused_for_another_customers_invoice_or_contact(staff: Database, accounts: Accounts) -> None:
    mine, other = accounts.customer("Mine"), accounts.customer("Other")
    foreign, draft = accounts.invoice(other, 100), accounts.invoice(mine, 100, status="draft")
    accounts.run(
        "INSERT INTO contacts (id, customer_id, erp_id, name, email) VALUES ('con_x', %s, '1', 'O', 'o@example.com')",
        [other],
    )
    async with staff.begin("test") as tx:
        for invoice in (foreign, draft, "inv_unknown"):
            with pytest.raises(Refused, match="invoices does not exist"):
                await access.create_link(tx, mine, by="test", at=NOON, days=1, invoice_id=invoice)
        for who, contact in ((mine, "con_x"), ("cus_unknown", None)):
            with pytest.raises(Refused, match="no such page"):
                await access.create_link(tx, who, by="test", at=NOON, days=1, contact_id=contact)
    assert accounts.rows("SELECT 1 FROM portal_links") == []


async def test_a_staff_session_sleeps_after_fifteen_minutes_and_ends_after_eight_hours(staff: Database) -> None:
    async with staff.begin("test") as tx:
        staff_id = await staff_accounts.add(
            tx, email="Maya@Example.com", name="Maya", role=Role.AGENT, password_hash="x", at=NOON
        )
        account = await staff_accounts.by_email(tx, "MAYA@example.com")
        assert account is not None
        assert account.id == staff_id
        awake, idle = [await staff_accounts.open_session(tx, account, at=NOON) for _ in range(2)]
    moment = NOON
    while moment < NOON + timedelta(hours=7, minutes=50):
        moment += timedelta(minutes=14)
        async with staff.begin("test") as tx:
            assert await staff_accounts.load_session(tx, awake, at=moment) is not None
    async with staff.begin("test") as tx:
        assert await staff_accounts.load_session(tx, awake, at=NOON + timedelta(hours=8)) is None
        assert await staff_accounts.load_session(tx, idle, at=NOON + timedelta(minutes=15)) is None


async def test_whoever_left_is_signed_out_and_cannot_come_back(staff: Database, accounts: Accounts) -> None:
    async with staff.begin("test") as tx:
        await staff_accounts.add(tx, email="a@b.example", name="A", role=Role.ADMIN, password_hash="x", at=NOON)
        account = await staff_accounts.by_email(tx, "a@b.example")
        assert account is not None
        token = await staff_accounts.open_session(tx, account, at=NOON)
        again = await staff_accounts.add(tx, email="A@B.example", name="A", role=Role.ADMIN, password_hash="x", at=NOON)
    assert again is None
    accounts.run("UPDATE staff SET active = false")
    async with staff.begin("test") as tx:
        assert await staff_accounts.load_session(tx, token, at=NOON) is None
        assert await staff_accounts.by_email(tx, "a@b.example") is None


async def test_a_portal_session_is_no_staff_session_and_the_other_way_round(staff: Database, accounts: Accounts) -> None:
    portal_token = await signed_in(staff, accounts.customer())
    async with staff.begin("test") as tx:
        await staff_accounts.add(tx, email="a@b.example", name="A", role=Role.ADMIN, password_hash="x", at=NOON)
        account = await staff_accounts.by_email(tx, "a@b.example")
        assert account is not None
        staff_token = await staff_accounts.open_session(tx, account, at=NOON)
        assert await staff_accounts.load_session(tx, portal_token, at=NOON) is None
        assert await access.load_session(tx, staff_token, at=NOON) is None


async def test_hits_at_the_same_moment_are_all_counted(staff: Database) -> None:
    async def hit() -> int | None:
        async with staff.begin("test") as tx:
            return await rate_limits.hit(tx, "subject", limit=5, window=timedelta(minutes=10), at=NOON)

    answers = await asyncio.gather(*(hit() for _ in range(20)))
    assert answers.count(None) == 5
    assert {answer for answer in answers if answer is not None} == {600}


async def test_a_window_that_is_over_begins_anew(staff: Database) -> None:
    window = timedelta(minutes=10)
    async with staff.begin("test") as tx:
        for minutes, expected in ((0, None), (1, None), (2, 480), (9, 60), (10, None), (11, None), (12, 480)):
            answer = await rate_limits.hit(tx, "s", limit=2, window=window, at=NOON + timedelta(minutes=minutes))
            assert answer == expected
        assert await rate_limits.hit(tx, "another", limit=2, window=window, at=NOON) is None


async def test_the_access_log_is_only_ever_added_to(staff: Database, accounts: Accounts) -> None:
    async with staff.begin("test") as tx:
        await access_log.note(tx, Act(actor="stf_x", action="link_created", agent="x" * 5000), at=NOON)
    for statement in ("UPDATE access_log SET actor = 'nobody'", "DELETE FROM access_log"):
        with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
            async with staff.begin("test") as tx:
                await tx.run(statement)
    assert accounts.rows("SELECT actor, length(agent) FROM access_log") == [("stf_x", 200)]


async def test_a_setting_keeps_every_version_and_the_newest_counts(staff: Database) -> None:
    async with staff.begin("test") as tx:
        assert (await business.load(tx)) == BusinessSettings()
        assert await business.change(tx, "card_limit", {"USD": 1_000_000}, by="maya", at=NOON) == 1
        assert await business.change(tx, "card_limit", {"USD": 5}, by="joe", at=NOON) == 2
        assert (await business.load(tx)).card_limit == {"USD": 5}
        assert [(each.version, each.value, each.changed_by) for each in await business.history(tx, "card_limit")] == [
            (2, {"USD": 5}, "joe"),
            (1, {"USD": 1_000_000}, "maya"),
        ]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("no_such_setting", 1, "setting_unknown"),
        ("link_days", 91, "setting_invalid"),
        ("link_days", True, "setting_invalid"),
        ("show_balance", "yes", "setting_invalid"),
        ("accent_colour", "red;}", "setting_invalid"),
        ("minimum_payment", "most", "setting_invalid"),
        ("card_limit", {"USD": -1}, "setting_invalid"),
        ("card_limit", [1], "setting_invalid"),
    ],
)
async def test_a_wrong_setting_is_refused_by_name_and_nothing_is_written(
    staff: Database, accounts: Accounts, name: str, value: object, rule: str
) -> None:
    async with staff.begin("test") as tx:
        with pytest.raises(Refused) as refused:
            await business.change(tx, name, value, by="test", at=NOON)
    assert refused.value.refusal.rule == rule
    assert name in refused.value.refusal.sentence
    assert json.dumps("—") not in refused.value.refusal.sentence
    assert accounts.rows("SELECT 1 FROM settings") == []


async def test_two_people_change_one_setting_at_once_and_both_versions_are_kept(staff: Database) -> None:
    async def change(days: int) -> int:
        async with staff.begin("test") as tx:
            return await business.change(tx, "link_days", days, by="test", at=NOON)

    assert sorted(await asyncio.gather(*(change(days) for days in range(1, 9)))) == list(range(1, 9))
