"""The demo company: what `duly up --demo` adds to a machine, and what it tells people to look at.

Every step finds what an earlier start made and leaves it: the company, the settings, the member of staff. Only the
portal links are made anew at each start, because nobody can be shown an old one (they are stored hashed).
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, TypeVar

from rich.console import Console

from api.security import passwords
from launch.machine import DATABASE, Machine
from launch.program import ProgramFailed
from store import access, access_log, business, staff_accounts, streams
from store.access_log import Act
from store.database import Database, Transaction
from store.staff_accounts import Role

ACTOR: Final = "duly up --demo"
ERP_CONNECTION: Final = "demo"
STAFF_EMAIL: Final = "robin@northwind.example"
STAFF_NAME: Final = "Robin Ferris"
SECOND_EMAIL: Final = "sam@northwind.example"
SECOND_NAME: Final = "Sam Okafor"
SETTINGS: Final = {
    "business_name": "Northwind Services",
    "accent_colour": "#0f5a4a",
    "contact_email": "accounts@northwind.example",
    "time_zone": "Europe/London",
    "approval_limit": {"GBP": 500_000, "EUR": 500_000, "USD": 500_000, "JPY": 750_000},
}
# A bank takes days; nobody watches that long. Paid after 20 s, settled after a minute, returned after two.
DEBIT_SECONDS: Final = (20, 60, 120)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What the demo ERP has: customers and invoices together, and whom to look at (number → name and why)."""

    rows: int
    showcase: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCustomer:
    """One customer of the demo with a fresh portal link."""

    name: str
    shows: str
    url: str


def load_company(machine: Machine) -> Company:
    """Write the company to the demo ERP where it has none. Raises ProgramFailed with what the loader said."""
    today = date.today().isoformat()  # noqa: DTZ011  (due dates are counted from the day on the reader's wall)
    command = [sys.executable, "-m", "simulators.company", "--erp", machine.addresses()["erp"], "--today", today, "--json"]
    loaded = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={**machine.environment(), "DEMO_ERP_API_KEY": machine.secrets.erp_api_key},
    )
    if loaded.returncode != 0:
        raise ProgramFailed(f"the demo company was not loaded\n{loaded.stderr}")
    return Company(**json.loads(loaded.stdout))


def furnish(machine: Machine) -> None:
    """Give the business its name and colour, and two members of staff, unless somebody already did."""
    password = machine.folder.demo_password()
    at = datetime.now(UTC)

    async def write(tx: Transaction) -> None:
        for name, value in SETTINGS.items():
            if not await business.history(tx, name):
                await business.change(tx, name, value, by=ACTOR, at=at)
        people = ((STAFF_EMAIL, STAFF_NAME, Role.ADMIN), (SECOND_EMAIL, SECOND_NAME, Role.APPROVER))
        for email, name, role in people:
            if await staff_accounts.by_email(tx, email) is None:
                hashed = passwords.hashed(password)
                await staff_accounts.add(tx, email=email, name=name, role=role, password_hash=hashed, at=at)

    _as_staff(machine, write)


def rows_read(machine: Machine) -> int:
    """How far the worker has read the ERP, in rows."""
    return _as_staff(machine, lambda tx: streams.rows_read(tx, ERP_CONNECTION))


def fresh_links(machine: Machine, company: Company) -> list[ShownCustomer]:
    """A portal link for each customer to look at, as far as they have been read."""
    at = datetime.now(UTC)

    async def make(tx: Transaction) -> list[ShownCustomer]:
        shown = []
        days = (await business.load(tx)).link_days
        for number, description in company.showcase.items():
            customer_id = await access.customer_for(tx, number)
            if customer_id is None:
                continue
            link = await access.create_link(tx, customer_id, by=ACTOR, at=at, days=days)
            act = Act(actor=ACTOR, action="link_created", customer_id=customer_id, object_id=link.id)
            await access_log.note(tx, act, at=at)
            name, _, shows = description.partition(": ")
            shown.append(ShownCustomer(name=name, shows=shows, url=f"{machine.addresses()['portal']}/l/{link.token}"))
        return shown

    return _as_staff(machine, make)


def tell(machine: Machine, customers: list[ShownCustomer], console: Console) -> None:
    """Say what there is to look at. Addresses stand alone on their lines, so that a terminal can open them."""
    addresses = machine.addresses()

    def line(text: str = "") -> None:
        console.print(text, soft_wrap=True)

    line(f"\n[bold]{SETTINGS['business_name']}[/] is open. Its customers, each with a link to the whole account:\n")
    for customer in customers:
        line(f"  [bold]{customer.name}[/]  {customer.shows}")
        line(f"    {customer.url}")
    line("\n[bold]Staff[/] sign in with")
    line(f"    {STAFF_EMAIL}   {machine.folder.demo_password()}")
    line(f"    {SECOND_EMAIL}     the same password: the second person, above 5,000.00")
    for shown, name in (("staff", "staff"), ("mail", "mail"), ("the ERP", "erp"), ("Temporal", "temporal_ui")):
        line(f"    {addresses[name]:<32} {shown}")
    paid, settled, returned = DEBIT_SECONDS
    line("\nNo real money moves. Cards and banks are made up: the payment pages list the test numbers. A bank debit is")
    line(f"paid after {paid} s here, settles after {settled} s and, where it comes back, comes back after {returned} s.")
    line(f"Everything is kept in {machine.folder.path} for the next start; `make demo-reset` forgets it.")


def _as_staff(machine: Machine, act: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
    """One transaction as the staff's role, on a connection of its own."""

    async def run() -> Answer:
        password = machine.secrets.staff_password
        url = machine.cluster.url(role="duly_staff", password=password, database=DATABASE)
        database = Database(url, pool_size=1)
        try:
            async with database.begin("demo") as tx:
                return await act(tx)
        finally:
            await database.close()

    return asyncio.run(run())
