"""People and the access log: what administrators change, that an administrator is always left, and who did what."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from api.staff import words
from store import access_log
from store.access_log import Act
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, submit, token_on

PEOPLE = "/staff/people"


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        yield opened


def id_of(house: House, role: Role) -> str:
    return str(house.accounts.rows("SELECT id FROM staff WHERE email = %s", [f"{role.word}@duly.example"])[0][0])


async def test_an_invitation_is_mailed_and_written_down(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    answer = await submit(admin, PEOPLE, PEOPLE, email="Ann@Duly.example", name="Ann", role="approver")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PEOPLE}?done=invited")
    assert house.accounts.rows("SELECT template, to_address FROM outbox") == [("staff_invited", "ann@duly.example")]
    page = (await admin.get(PEOPLE)).text
    assert "Invited" in page
    assert "ann@duly.example · Approver" in page
    assert house.accounts.rows("SELECT facts ->> 'role' FROM access_log WHERE action = 'staff_added'") == [("approver",)]
    [(ann,)] = house.accounts.rows("SELECT id FROM staff WHERE name = 'Ann'")
    await submit(admin, PEOPLE, f"{PEOPLE}/{ann}/invite")
    assert len(house.accounts.rows("SELECT 1 FROM outbox")) == 2


@pytest.mark.parametrize(
    ("fields", "rule", "status"),
    [
        ({"email": "admin@duly.example", "name": "A", "role": "agent"}, "already", 409),
        ({"email": "no address", "name": "A", "role": "agent"}, "not an e-mail address", 422),
        ({"email": "a@b.example\nBcc: c@d.example", "name": "A", "role": "agent"}, "not an e-mail address", 422),
        ({"email": "a@b.example", "name": " ", "role": "agent"}, "colleagues know", 422),
        ({"email": "a@b.example", "name": "A", "role": "owner"}, "no such role", 422),
    ],
)
async def test_what_cannot_be_added_is_said_and_stays_typed(
    house: House, fields: dict[str, Any], rule: str, status: int
) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    answer = await submit(admin, PEOPLE, PEOPLE, **fields)
    assert (answer.status_code, rule in answer.text) == (status, True)
    assert f'value="{fields["name"].strip()}"' in answer.text
    assert house.accounts.rows("SELECT 1 FROM outbox") == []


async def test_a_role_counts_from_the_next_request_on(house: House) -> None:
    admin, agent = await house.staff_browser(Role.ADMIN), await house.staff_browser(Role.AGENT)
    assert (await agent.get("/staff/log")).status_code == 403
    await submit(admin, PEOPLE, f"{PEOPLE}/{id_of(house, Role.AGENT)}/role", role="approver")
    assert (await agent.get("/staff/log")).status_code == 200
    noted = house.accounts.rows("SELECT object_id, facts ->> 'role' FROM access_log WHERE action = 'staff_role_changed'")
    assert noted == [(id_of(house, Role.AGENT), "approver")]


async def test_who_is_deactivated_is_out_at_once_and_may_be_let_in_again(house: House) -> None:
    admin, agent = await house.staff_browser(Role.ADMIN), await house.staff_browser(Role.AGENT)
    person = id_of(house, Role.AGENT)
    await submit(admin, PEOPLE, f"{PEOPLE}/{person}/deactivate")
    assert (await agent.get("/staff/customers")).status_code == 303
    await submit(admin, PEOPLE, f"{PEOPLE}/{person}/reactivate")
    assert (await agent.get("/staff/customers")).status_code == 303, "an ended session is not revived"
    assert (await (await house.staff_browser(Role.AGENT)).get("/staff/customers")).status_code == 200
    noted = house.accounts.rows("SELECT action FROM access_log WHERE object_id = %s ORDER BY seq", [person])
    assert noted == [("staff_deactivated",), ("staff_reactivated",)]


@pytest.mark.parametrize(("act", "fields"), [("role", {"role": "approver"}), ("deactivate", {})])
async def test_the_last_administrator_stays_one(house: House, act: str, fields: dict[str, Any]) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    await house.staff_browser(Role.APPROVER)
    me = id_of(house, Role.ADMIN)
    answer = await submit(admin, PEOPLE, f"{PEOPLE}/{me}/{act}", **fields)
    assert (answer.status_code, "last administrator" in answer.text) == (409, True)
    await submit(admin, PEOPLE, f"{PEOPLE}/{me}/role", role="admin")
    await submit(admin, PEOPLE, f"{PEOPLE}/{id_of(house, Role.APPROVER)}/role", role="admin")
    assert (await submit(admin, PEOPLE, f"{PEOPLE}/{me}/{act}", **fields)).status_code == 303


async def test_two_administrators_who_remove_each_other_at_once_leave_one(house: House) -> None:
    one = await house.staff_browser(Role.ADMIN)
    two = await house.staff_browser(Role.ADMIN, email="second@duly.example")
    [(second,)] = house.accounts.rows("SELECT id FROM staff WHERE email = 'second@duly.example'")
    tokens = [await token_on(each, PEOPLE) for each in (one, two)]
    await asyncio.gather(
        one.post(f"{PEOPLE}/{second}/deactivate", data={"csrf": tokens[0]}),
        two.post(f"{PEOPLE}/{id_of(house, Role.ADMIN)}/role", data={"csrf": tokens[1], "role": "viewer"}),
    )
    assert len(house.accounts.rows("SELECT 1 FROM staff WHERE role = 'admin' AND active")) == 1


# ---------------------------------------------------------------- the access log


async def note(house: House, actor: str, action: str, **more: object) -> None:
    async with house.services.staff.begin("test") as tx:
        await access_log.note(tx, Act(actor=actor, action=action, **more), at=house.clock())  # type: ignore[arg-type]


async def test_the_log_is_filtered_by_person_customer_and_act(house: House) -> None:
    customer = house.accounts.customer("Brookside Ltd")
    [(number,)] = house.accounts.rows("SELECT number FROM customers")
    approver = await house.staff_browser(Role.APPROVER)
    me = id_of(house, Role.APPROVER)
    await note(house, me, "link_created", customer_id=customer, address="192.0.2.44", agent="Firefox", object_id="lnk_mine")
    await note(house, "portal/lnk_1", "session_opened", customer_id=customer, facts={"request_id": "req-77"})
    everything = (await approver.get("/staff/log")).text
    for told in ("Created a portal link", "Brookside Ltd", "192.0.2.44", "Firefox", "lnk_mine", "request req-77"):
        assert told in everything, told
    for query, is_link, is_session in (
        (f"person={me}", True, False), (f"customer={number}", True, True), (f"customer={customer}", True, True),
        ("action=session_opened", False, True), (f"person={me}&action=session_opened", False, False),
        ("customer=unknown", False, False),
    ):  # fmt: skip
        page = (await approver.get(f"/staff/log?{query}")).text.partition("Acts, the newest first")[2]
        assert ("lnk_mine" in page, "req-77" in page) == (is_link, is_session), query


async def test_the_log_goes_on_where_it_ended_the_newest_first(house: House) -> None:
    approver = await house.staff_browser(Role.APPROVER)
    house.accounts.run(
        """INSERT INTO access_log (at, actor, action, object_id)
           SELECT %s, 'test', 'tried', 'obj_' || lpad(n::text, 3, '0') FROM generate_series(0, 119) n ORDER BY n""",
        [house.clock()],
    )
    address, seen = "/staff/log?person=test", []
    while address:
        page = (await approver.get(address)).text
        seen += re.findall(r"obj_\d{3}", page)
        await note(house, "test", "tried", object_id="obj_999")  # what happens meanwhile moves nothing
        following = re.search(r'href="(/staff/log\?[^"]+)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"obj_{number:03}" for number in reversed(range(120))]
    assert (await approver.get("/staff/log?person=test&after=made-up")).status_code == 422


async def test_the_export_is_the_filter_and_starts_no_formula(house: House) -> None:
    approver = await house.staff_browser(Role.APPROVER)
    house.accounts.run(
        """INSERT INTO access_log (at, actor, action, object_id, agent)
           SELECT %s, 'test', 'tried', 'obj_' || n, CASE WHEN n = 7 THEN '=HYPERLINK(1)' END
           FROM generate_series(0, 1049) n ORDER BY n""",
        [house.clock()],
    )
    answer = await approver.get("/staff/log.csv?person=test")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(answer.text.splitlines()))
    assert [each["object"] for each in lines] == [f"obj_{n}" for n in reversed(range(1_050))]
    assert {each["agent"] for each in lines} == {"", "'=HYPERLINK(1)"}
    assert ("log_exported",) in house.accounts.rows("SELECT action FROM access_log")


async def test_every_act_that_is_written_here_has_words(house: House) -> None:
    noted = (
        "signed_in sign_in_failed code_refused password_link_asked password_set password_changed sessions_ended "
        "second_factor_on second_factor_off second_factor_reset recovery_codes_renewed staff_added staff_invited_again "
        "staff_role_changed staff_deactivated staff_reactivated view_began view_ended log_viewed log_exported"
    )
    for each in noted.split():
        assert words.act(each) != each.replace("_", " "), each
