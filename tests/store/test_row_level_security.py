"""Customers are apart in the database itself, and the start-up assertion names each hole when it is planted."""

from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from store import safety
from store.database import Database
from tests import machine
from tests.api.accounts import Accounts


@pytest_asyncio.fixture
async def portal(database: machine.Database) -> AsyncIterator[Database]:
    """One connection, so that every borrower gets the same."""
    opened = Database(database.portal_url, pool_size=1)
    yield opened
    await opened.close()


async def test_an_unguarded_select_shows_only_the_customers_own_rows(portal: Database, database: machine.Database) -> None:
    accounts = Accounts(database.plain_admin_url)
    mine, other = accounts.customer("Mine"), accounts.customer("Other")
    site = accounts.customer("Site of mine", parent=mine)
    own = {accounts.invoice(mine, 100), accounts.invoice(mine, 200), accounts.invoice(site, 300)}
    hidden = {accounts.invoice(other, 400), accounts.invoice(mine, 500, status="draft")}
    paused = accounts.invoice(mine, 600, paused=True)
    async with portal.read_as([mine, site], hide_paused=True) as tx:
        seen = {row.id for row in await tx.rows("SELECT * FROM invoices")}
        summed = {row.id for row in await tx.rows("SELECT * FROM balances")}
        names = {row.name for row in await tx.rows("SELECT * FROM customers")}
    assert seen == summed == own
    assert names == {"Mine", "Site of mine"}
    assert not seen & hidden
    async with portal.read_as([mine, site], hide_paused=False) as tx:
        assert {row.id for row in await tx.rows("SELECT * FROM invoices")} == own | {paused}


async def test_a_pooled_connection_forgets_the_customer_before_it(portal: Database, database: machine.Database) -> None:
    accounts = Accounts(database.plain_admin_url)
    one, two = accounts.customer("One"), accounts.customer("Two")
    invoices = {one: accounts.invoice(one, 100), two: accounts.invoice(two, 200)}
    connections = set()
    for who in (one, two, one):
        async with portal.read_as([who], hide_paused=False) as tx:
            rows = await tx.rows("SELECT id, pg_backend_pid() AS connection FROM invoices")
        assert [row.id for row in rows] == [invoices[who]]
        connections |= {row.connection for row in rows}
        async with portal.begin("nobody") as tx:
            assert await tx.rows("SELECT 1 FROM invoices") == []
        with pytest.raises(DBAPIError):
            async with portal.read_as([who], hide_paused=False) as tx:
                await tx.rows("SELECT 1 / 0 FROM invoices")
    assert len(connections) == 1


async def test_the_portals_role_writes_nothing_and_reads_no_secrets(portal: Database, database: machine.Database) -> None:
    mine = Accounts(database.plain_admin_url).customer("Mine")
    for statement in (
        "UPDATE customers SET name = 'x'",
        "DELETE FROM invoices",
        "INSERT INTO timeline (id, process_id, customer_id, kind, at) VALUES ('a', 'b', 'c', 'd', now())",
        "SELECT * FROM sessions",
        "SELECT * FROM portal_links",
        "SELECT * FROM staff",
        "SELECT * FROM journal_lines",
        "CREATE TABLE mine (id int)",
    ):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with portal.read_as([mine], hide_paused=False) as tx:
                await tx.run(statement)


async def test_the_house_as_it_is_built_has_no_hole(portal: Database) -> None:
    assert await safety.holes(portal) == []
    await safety.assert_safe(portal)


HOLES = [
    ("ALTER ROLE duly_portal SUPERUSER", "ALTER ROLE duly_portal NOSUPERUSER", "role bypasses row-level security"),
    ("ALTER ROLE duly_portal BYPASSRLS", "ALTER ROLE duly_portal NOBYPASSRLS", "role bypasses row-level security"),
    ("GRANT duly_worker TO duly_portal", "REVOKE duly_worker FROM duly_portal", "can become another role: duly_worker"),
    ("GRANT duly_owner TO duly_portal", "REVOKE duly_owner FROM duly_portal", "can become another role: duly_owner"),
    ("ALTER TABLE invoices OWNER TO duly_portal", None, "owns: invoices"),
    ("ALTER TABLE invoices NO FORCE ROW LEVEL SECURITY", None, "not forced: invoices"),
    ("ALTER TABLE payments DISABLE ROW LEVEL SECURITY", None, "not forced: payments"),
    ("CREATE TABLE later (id int); GRANT SELECT ON later TO duly_portal", None, "not forced: later"),
    ("ALTER TABLE journal_lines NO FORCE ROW LEVEL SECURITY", None, "not forced: journal_lines"),  # read by columns
    ("CREATE POLICY open ON invoices TO duly_portal USING (true)", None, "policy lets everything through: invoices.open"),
    ("CREATE POLICY all_in ON holds USING (true)", None, "policy lets everything through: holds.all_in"),
    ("ALTER VIEW balances RESET (security_invoker)", None, "view as its owner: balances"),
    (
        "CREATE MATERIALIZED VIEW sums AS SELECT sum(total) FROM invoices; GRANT SELECT ON sums TO duly_portal",
        None,
        "materialised view: sums",
    ),
    (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM invoices'",
        None,
        "function runs as its owner: peek",
    ),
    ("GRANT INSERT ON payments TO duly_portal", None, "may write: payments"),
    ("GRANT UPDATE (name) ON customers TO duly_portal", None, "may write: customers"),
]


@pytest.mark.parametrize(("plant", "uproot", "named"), HOLES, ids=[named for _, _, named in HOLES])
async def test_each_planted_hole_is_named(
    portal: Database, database: machine.Database, plant: str, uproot: str | None, named: str
) -> None:
    with psycopg.connect(database.plain_admin_url, autocommit=True) as administrator:
        administrator.execute(plant.encode())
        try:
            found = await safety.holes(portal)
            with pytest.raises(safety.Unsafe, match="could see one another"):
                await safety.assert_safe(portal)
        finally:
            # Roles belong to the server, not to this test's database.
            if uproot is not None:
                administrator.execute(uproot.encode())
    assert any(hole.startswith(named) for hole in found), found


@pytest.mark.parametrize(
    ("role", "named"),
    [("duly_worker", "policy lets everything through: invoices"), ("duly_staff", "may write: sessions")],
)
async def test_another_roles_pool_is_never_taken_for_the_portals(database: machine.Database, role: str, named: str) -> None:
    mistaken = Database(database.url_of(role))
    try:
        assert any(hole.startswith(named) for hole in await safety.holes(mistaken))
    finally:
        await mistaken.close()


async def test_the_administrators_pool_is_never_taken_for_the_portals(database: machine.Database) -> None:
    mistaken = Database(database.admin_url)
    try:
        found = await safety.holes(mistaken)
    finally:
        await mistaken.close()
    assert any("bypasses" in hole for hole in found)
    assert any(hole.startswith("can become another role") for hole in found)
