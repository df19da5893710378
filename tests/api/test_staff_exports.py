"""Administrators see the files of what was paid on imported invoices and take them along; each is in the access log."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.erp.csv import Days
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house
from tests.connectors.csv.harness import DAY
from tests.connectors.csv.killed import REFERENCES, entry_of

PAGE = "/staff/exports"


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        yield opened


def with_folder(house: House, folder: Path) -> Days:
    """The same house, with a folder of days' files."""
    days = Days(folder, lambda: DAY)
    house.app.state.services = dataclasses.replace(house.services, days=days)
    return days


async def test_the_files_are_listed_and_downloaded_whole_and_that_is_written_down(house: House, tmp_path: Path) -> None:
    days = with_folder(house, tmp_path)
    days.write(entry_of(REFERENCES[0]), lambda: None)
    (path,) = days.files()
    full = path.read_bytes()
    path.write_bytes(full + b"half of a doc")
    staff = await house.staff_browser(Role.ADMIN)
    assert f'href="{PAGE}/{path.name}"' in (await staff.get(PAGE)).text
    answer = await staff.get(f"{PAGE}/{path.name}")
    assert (answer.content, answer.headers["content-disposition"]) == (full, f'attachment; filename="{path.name}"')
    assert ("export_downloaded",) in house.accounts.rows("SELECT action FROM access_log")


@pytest.mark.parametrize("name", ["payments-2026-03-17.csv", ".lock", "..%2Fexport", "payments-2026-03-16.csv.bak"])
async def test_no_other_file_is_given_out(house: House, tmp_path: Path, name: str) -> None:
    with_folder(house, tmp_path).write(entry_of(REFERENCES[0]), lambda: None)
    staff = await house.staff_browser(Role.ADMIN)
    assert (await staff.get(f"{PAGE}/{name}")).status_code == 404


async def test_without_a_folder_the_page_says_so(house: House) -> None:
    staff = await house.staff_browser(Role.ADMIN)
    assert "No folder is set" in (await staff.get(PAGE)).text
    assert (await staff.get(f"{PAGE}/payments-2026-03-16.csv")).status_code == 404
