"""The second factor: set up, asked for, each code once, taken away only with a code or by an administrator."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pyotp
import pytest
import pytest_asyncio

from api.security import one_time_codes
from api.security.sealing import Sealer, Unsealable
from store import business, second_factors
from store.staff_accounts import Role
from tests import machine
from tests.api.house import PASSWORD, House, open_house, submit, token_on

PAGE = "/staff/account/second-factor"
EMAIL = "agent@duly.example"


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


def code_at(house: House, secret: str, *, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(house.clock(), counter_offset=steps)


async def begin(visitor: httpx.AsyncClient) -> tuple[str, httpx.Response]:
    answer = await submit(visitor, PAGE, f"{PAGE}/begin")
    found = re.search(r"data-secret>([A-Z2-7 ]+)<", answer.text)
    assert found is not None
    return found[1].replace(" ", ""), answer


async def set_up(house: House, visitor: httpx.AsyncClient) -> tuple[str, list[str]]:
    """The secret and the recovery codes of a second factor that is switched on; a step later, so that codes are fresh."""
    secret, _ = await begin(visitor)
    answer = await submit(visitor, PAGE, f"{PAGE}/confirm", code=code_at(house, secret))
    assert answer.status_code == 200, answer.text
    house.clock.move(seconds=30)
    return secret, re.findall(r"<li>((?:[a-z0-9]{4}-){3}[a-z0-9]{4})</li>", answer.text)


async def give_password(house: House, *, email: str = EMAIL) -> httpx.AsyncClient:
    visitor = house.browser()
    answer = await submit(visitor, "/staff/sign-in", "/staff/sign-in", email=email, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert "Your code" in answer.text
    visitor.headers["X-CSRF-Token"] = answer.text.split('name="csrf" value="')[1][:64]
    return visitor


async def give_code(visitor: httpx.AsyncClient, code: str) -> httpx.Response:
    return await visitor.post("/staff/sign-in/code", data={"code": code})


async def test_it_is_switched_on_by_a_first_code_and_asked_for_from_then_on(house: House) -> None:
    visitor = await house.staff_browser(Role.AGENT)
    secret, shown = await begin(visitor)
    assert 'class="segno"' in shown.text
    wrong = await submit(visitor, PAGE, f"{PAGE}/confirm", code="000000")
    assert (wrong.status_code, "is not right" in wrong.text) == (401, True)
    assert (
        await submit(house.browser(), "/staff/sign-in", "/staff/sign-in", email=EMAIL, password=PASSWORD)
    ).status_code == 303
    on = await submit(visitor, PAGE, f"{PAGE}/confirm", code=code_at(house, secret))
    assert len(re.findall(r"<li>(?:[a-z0-9]{4}-){3}[a-z0-9]{4}</li>", on.text)) == 8
    later = (await visitor.get(PAGE)).text
    assert secret not in later.replace(" ", "")
    assert "segno" not in later
    assert "8 of 8 recovery codes are left" in later
    house.clock.move(seconds=30)
    half = await give_password(house)
    assert (await half.get("/staff/customers")).headers["location"].startswith("/staff/sign-in")
    done = await give_code(half, code_at(house, secret))
    assert (done.status_code, done.headers["location"]) == (303, "/staff")
    assert (await half.get("/staff/customers")).status_code == 200
    assert ("second_factor_on",) in house.accounts.rows("SELECT action FROM access_log")


async def test_a_code_is_accepted_once_even_by_two_browsers_at_once(house: House) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    code = code_at(house, secret)
    halves = [await give_password(house) for _ in range(2)]
    answers = await asyncio.gather(*(give_code(each, code) for each in halves))
    assert sorted(each.status_code for each in answers) == [303, 401]
    again = await give_password(house)
    assert (await give_code(again, code)).status_code == 401
    assert (await give_code(again, code_at(house, secret, steps=-1))).status_code == 401, "an older one neither"


async def test_the_code_that_switched_it_on_opens_nothing_any_more(house: House) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    assert (await give_code(await give_password(house), code_at(house, secret, steps=-1))).status_code == 401


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 303), (0, 303), (1, 303), (2, 401)])
async def test_a_telephones_clock_may_be_one_step_off_and_no_more(house: House, steps: int, status: int) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    house.clock.move(minutes=5)
    assert (await give_code(await give_password(house), code_at(house, secret, steps=steps))).status_code == status


async def test_a_recovery_code_opens_once_however_it_is_typed(house: House) -> None:
    _, codes = await set_up(house, await house.staff_browser(Role.AGENT))
    typed = f" {codes[0].replace('-', ' ').upper()} "
    assert (await give_code(await give_password(house), typed)).status_code == 303
    assert (await give_code(await give_password(house), codes[0])).status_code == 401
    assert (await give_code(await give_password(house), codes[1])).status_code == 303
    stored = str(house.accounts.rows("SELECT * FROM recovery_codes"))
    assert all(code not in stored for code in codes)


async def test_guessing_codes_is_stopped_whatever_the_browser(house: House) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    house.clock.move(minutes=11)
    halves = [await give_password(house) for _ in range(2)]
    statuses = [(await give_code(halves[n % 2], "000000")).status_code for n in range(5)]
    assert statuses == [401] * 5
    assert (await give_code(halves[0], code_at(house, secret))).status_code == 429


async def test_the_right_password_alone_is_over_after_five_minutes_and_opens_no_page(house: House) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    half = await give_password(house)
    for path in ("/staff/customers", "/staff/account", PAGE):
        assert (await half.get(path)).status_code == 303, path
    house.clock.move(minutes=5)
    assert (await give_code(half, code_at(house, secret))).status_code == 401


async def test_a_session_is_fresh_after_the_code(house: House) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    half = await give_password(house)
    before = half.cookies["duly_staff_8600"]
    await give_code(half, code_at(house, secret))
    assert half.cookies["duly_staff_8600"] != before


async def test_it_is_not_switched_off_or_replaced_without_a_code(house: House) -> None:
    visitor = await house.staff_browser(Role.AGENT)
    secret, codes = await set_up(house, visitor)
    assert (await submit(visitor, PAGE, f"{PAGE}/begin")).status_code == 409
    assert (await submit(visitor, PAGE, f"{PAGE}/off", code="")).status_code == 401
    renewed = await submit(visitor, PAGE, f"{PAGE}/codes", code=code_at(house, secret))
    assert renewed.status_code == 200
    house.clock.move(seconds=30)
    assert (await submit(visitor, PAGE, f"{PAGE}/off", code=codes[0])).status_code == 401, "the old codes are void"
    assert (await submit(visitor, PAGE, f"{PAGE}/off", code=code_at(house, secret))).status_code == 303
    assert house.accounts.rows("SELECT 1 FROM second_factors UNION ALL SELECT 1 FROM recovery_codes") == []


async def test_where_it_is_required_nothing_opens_but_the_page_that_sets_it_up(house: House) -> None:
    visitor = await house.staff_browser(Role.ADMIN)
    token = await token_on(visitor, "/staff/customers")
    async with house.services.staff.begin("test") as tx:
        await business.change(tx, "require_second_factor", True, by="test", at=house.clock())
    for path in ("/staff/customers", "/staff/people", "/staff/account", "/staff/log.csv"):
        assert (await visitor.get(path)).headers["location"] == PAGE
    posted = await visitor.post(
        "/staff/people", data={"csrf": token, "email": "n@duly.example", "name": "N", "role": "admin"}
    )
    assert posted.headers["location"] == PAGE
    secret, _ = await set_up(house, visitor)
    assert (await visitor.get("/staff/customers")).status_code == 200
    off = await submit(visitor, PAGE, f"{PAGE}/off", code=code_at(house, secret))
    assert (off.status_code, "cannot be switched off" in off.text) == (409, True)


async def test_an_administrator_resets_anothers_and_ends_their_sessions(house: House) -> None:
    agent, admin = await house.staff_browser(Role.AGENT), await house.staff_browser(Role.ADMIN)
    await set_up(house, agent)
    [(agent_id,)] = house.accounts.rows("SELECT id FROM staff WHERE role = 'agent'")
    answer = await submit(admin, "/staff/people", f"/staff/people/{agent_id}/second-factor/reset")
    assert answer.status_code == 303
    assert (await agent.get("/staff/customers")).status_code == 303
    again = await submit(house.browser(), "/staff/sign-in", "/staff/sign-in", email=EMAIL, password=PASSWORD)
    assert again.status_code == 303
    assert ("second_factor_reset", agent_id) in house.accounts.rows("SELECT action, object_id FROM access_log")


async def test_the_secret_is_encrypted_and_bound_to_its_owner(house: House) -> None:
    secret, _ = await set_up(house, await house.staff_browser(Role.AGENT))
    [(owner, sealed)] = house.accounts.rows("SELECT staff_id, sealed FROM second_factors")
    assert secret not in str(sealed)
    sealer = Sealer(house.services.sealing_keys)
    assert sealer.open(str(sealed), owner=str(owner)) == secret
    with pytest.raises(Unsealable):
        sealer.open(str(sealed), owner="stf_another")
    with pytest.raises(Unsealable):
        Sealer([("test", bytes(32))]).open(str(sealed), owner=str(owner))
    rotated = Sealer([("newer", bytes(32)), *house.services.sealing_keys])
    assert rotated.open(str(sealed), owner=str(owner)) == secret


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for second, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        at = datetime.fromtimestamp(second, UTC)
        assert one_time_codes.step_of(code, secret, at=at) == second // 30
        assert one_time_codes.step_of("000000", secret, at=at) is None


async def test_a_step_is_used_by_one_of_many(house: House) -> None:
    await set_up(house, await house.staff_browser(Role.AGENT))
    [(owner,)] = house.accounts.rows("SELECT staff_id FROM second_factors")

    async def use() -> bool:
        async with house.services.staff.begin("test") as tx:
            return await second_factors.use_step(tx, str(owner), 10**9)

    assert sorted(await asyncio.gather(*(use() for _ in range(6)))) == [False] * 5 + [True]
