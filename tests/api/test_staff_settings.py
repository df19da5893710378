"""The settings pages: who may, every setting on one of them, what is refused and where, and two people at once."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.staff.deciding.groups import GROUPS, Field
from api.staff.deciding.reading import said
from domain.business import BusinessSettings
from store import business
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house
from tests.api.test_staff_pages import acts


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


def form_on(page: str, slug: str) -> dict[str, Any]:
    """The page's form as a browser would send it, without its buttons."""
    [form] = re.findall(rf'<form method="post" action="/staff/settings/{slug}" class.*?</form>', page, re.DOTALL)
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        said_here = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if said_here.get("type") == "checkbox" and not re.search(r"\schecked\b", tag):
            continue
        found.setdefault(said_here["name"], []).append(html.unescape(said_here.get("value", "")))
    for name, inside in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = [html.unescape(inside)]
    for name, inside in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        found[name] = re.findall(r'value="(\w+)" selected', inside)
    return found


async def opened(visitor: httpx.AsyncClient, slug: str) -> dict[str, Any]:
    answer = await visitor.get(f"/staff/settings/{slug}")
    assert answer.status_code == 200, answer.text
    return form_on(answer.text, slug)


async def saved(
    visitor: httpx.AsyncClient, slug: str, form: dict[str, Any], act: str = "save", **changes: Any
) -> httpx.Response:
    return await visitor.post(f"/staff/settings/{slug}", data={**form, **changes, "act": act})


def stored(house: House, name: str) -> list[tuple[Any, ...]]:
    return house.accounts.rows("SELECT version, value, changed_by FROM settings WHERE name = %s ORDER BY version", [name])


async def now(house: House) -> BusinessSettings:
    async with house.services.staff.begin("test") as tx:
        return await business.load(tx)


def test_every_setting_is_on_one_page_and_no_page_has_another() -> None:
    on_pages = [each.name for group in GROUPS for each in group.fields]
    assert sorted(on_pages) == sorted(each.name for each in fields(BusinessSettings))


def test_each_setting_has_a_field_of_its_kind() -> None:
    kinds = {each.name: str(each.type) for each in fields(BusinessSettings)}
    fitting = {"switch": "bool", "number": "int", "amounts": "Mapping[str, int]", "choice": "MinimumBasis"}
    fitting |= {
        "text": "str",
        "colour": "str",
        "columns": "Sequence[str]",
        "ticks": "Sequence[str]",
        "days": "Sequence[str]",
    }
    for each in (each for group in GROUPS for each in group.fields):
        assert fitting[each.kind] == kinds[each.name], each.name


async def test_only_admins_see_change_and_put_back_settings(house: House) -> None:
    for role in (Role.VIEWER, Role.AGENT, Role.APPROVER):
        visitor = await house.staff_browser(role)
        page = await visitor.get("/staff/customers")
        assert "/staff/settings" not in page.text
        token = re.findall(r'name="csrf" value="(\w+)"', page.text)[0]
        for slug in (each.slug for each in GROUPS):
            assert (await visitor.get(f"/staff/settings/{slug}")).status_code == 403
        for address in ("/staff/settings/links", "/staff/settings/links/back"):
            answer = await visitor.post(address, data={"csrf": token, "link_days": "5", "back": "link_days/0/0"})
            assert (answer.status_code, answer.headers["x-refusal"]) == (403, "not_allowed")
    assert house.accounts.rows("SELECT 1 FROM settings") == []
    admin = await house.staff_browser(Role.ADMIN)
    assert 'href="/staff/settings"' in (await admin.get("/staff/customers")).text
    assert (await admin.get("/staff/settings")).headers["location"] == "/staff/settings/business"
    assert (await admin.get("/staff/settings/nothing")).status_code == 404


async def test_saving_every_page_as_it_was_drawn_changes_nothing(house: House) -> None:
    house.accounts.setting("card_limit", {"EUR": 1_000_050, "JPY": 5, "KWD": 1_234})
    house.accounts.setting("holidays", ["2026-12-25", "2027-01-01"])
    house.accounts.setting("columns", ["open", "number", "due"])
    before = asdict(await now(house))
    admin = await house.staff_browser(Role.ADMIN)
    for group in GROUPS:
        answer = await saved(admin, group.slug, await opened(admin, group.slug))
        assert answer.headers["location"] == f"/staff/settings/{group.slug}?done=same", group.slug
    assert asdict(await now(house)) == before
    assert len(house.accounts.rows("SELECT 1 FROM settings")) == 3


async def test_each_kind_of_field_is_saved_audited_and_told_in_its_history(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    pages: dict[str, dict[str, Any]] = {
        "business": {"business_name": "Harbour & Sons", "accent_colour": "#225588", "time_zone": "Europe/Berlin"},
        "customers": {"show_balance": [], "columns": ["number", "open", "status"]},
        "paying": {"card_limit.currency": ["EUR", "jpy"], "card_limit.amount": ["10.000,50", "5"], "minimum_payment": "due"},
        "requests": {"requests_credit_notes": []},
        "deciding": {"reminder_working_days": "3", "working_week": ["mon", "sat"], "holidays": "2027-01-01\r\n2026-12-25"},
        "links": {"link_days": "7"},
    }
    for slug, changes in pages.items():
        answer = await saved(admin, slug, await opened(admin, slug), **changes)
        assert answer.headers.get("location") == f"/staff/settings/{slug}?done=saved", answer.text
    wanted = BusinessSettings(
        business_name="Harbour & Sons", accent_colour="#225588", time_zone="Europe/Berlin", show_balance=False,
        columns=["number", "status", "open"], card_limit={"EUR": 1_000_050, "JPY": 5}, minimum_payment="due",
        requests_credit_notes=False, reminder_working_days=3, working_week=["mon", "sat"],
        holidays=["2026-12-25", "2027-01-01"], link_days=7,
    )  # fmt: skip
    assert asdict(await now(house)) == asdict(wanted)
    changed = house.accounts.rows("SELECT name, changed_by FROM settings ORDER BY name")
    assert {who for _, who in changed} == {"admin@duly.example"}
    noted = acts(house, "setting_changed")
    assert sorted(str(each[1]) for each in noted) == [name for name, _ in changed]
    assert {each[2] for each in noted} == {"admin@duly.example"}
    page = (await admin.get("/staff/settings/paying?done=saved")).text
    assert "No limit → <strong>€10,000.50, JP¥5</strong>" in page
    assert "Saved." in page


@pytest.mark.parametrize(
    ("slug", "changes", "told"),
    [
        ("business", {"accent_colour": "green"}, ["Accent colour cannot be “green”: a colour is written as #0f5a4a."]),
        ("business", {"time_zone": "London"}, ["Time zone cannot be “London”: a time zone is written as Europe/London."]),
        ("links", {"link_days": "91"}, ["A portal link works for cannot be “91”: it must lie between 1 and 90."]),
        ("links", {"session_hours": "1.5"}, ["cannot be “1.5”: it must be a whole number."]),
        ("deciding", {"holidays": "2026-02-30"}, ["it is written as 2026-12-25."]),
        ("deciding", {"working_week": []}, ["it is one or more of mon"]),
        ("paying", {"card_limit.currency": "EUR", "card_limit.amount": "1.250"}, ["can be read in two ways"]),
        ("paying", {"card_limit.currency": "EUR", "card_limit.amount": "ten"}, ["is not an amount"]),
        ("paying", {"card_limit.currency": "EUR", "card_limit.amount": ""}, ["Enter an amount."]),
        ("paying", {"card_limit.currency": "XXX", "card_limit.amount": "5"}, ["is not a currency"]),
        ("paying", {"card_limit.currency": "", "card_limit.amount": "5"}, ["Write the currency in three letters"]),
        ("paying", {"card_limit.currency": "EUR", "card_limit.amount": "-5"}, ["not below zero"]),
        ("paying", {"card_limit.currency": "JPY", "card_limit.amount": "5.5"}, ["0 decimal places"]),
        ("paying", {"card_limit.currency": ["EUR", "eur"], "card_limit.amount": ["5", "6"]}, ["EUR is here twice."]),
        ("paying", {"minimum_payment": "some"}, ["it is one of none, overdue, due, total."]),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_beside_its_field_and_everything_typed_stays(
    house: House, slug: str, changes: dict[str, Any], told: list[str]
) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, slug)
    answer = await saved(admin, slug, form, **changes)
    assert answer.status_code == 422
    page = html.unescape(answer.text)
    for each in told:
        assert re.search(rf'class="is-bad setting-error" id="[\w-]+-error">[^<]*{re.escape(each)}', page), page
    again = form_on(answer.text, slug)
    for name, typed in changes.items():
        if name != "minimum_payment":  # a choice shows only what may be chosen
            assert again.get(name, []) == [
                each.upper() if name.endswith("currency") else each for each in ([typed] if type(typed) is str else typed)
            ]
    assert {name: value for name, value in again.items() if name not in changes} == {
        name: value for name, value in form.items() if name not in changes
    }
    assert house.accounts.rows("SELECT 1 FROM settings") == []


async def test_one_wrong_field_keeps_the_right_ones_from_being_saved(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    answer = await saved(admin, "links", await opened(admin, "links"), link_days="7", session_hours="0")
    assert answer.status_code == 422
    assert form_on(answer.text, "links")["link_days"] == ["7"]
    assert stored(house, "link_days") == []


async def test_rows_are_added_removed_and_moved_without_a_script_and_nothing_is_saved_by_that(house: House) -> None:
    house.accounts.setting("card_limit", {"EUR": 500, "USD": 700})
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, "paying")
    more = form_on((await saved(admin, "paying", form, act="add/card_limit", minimum_payment="due")).text, "paying")
    assert more["card_limit.currency"] == ["EUR", "USD", ""]
    assert more["minimum_payment"] == ["due"]
    less = form_on((await saved(admin, "paying", more, act="remove/card_limit/0")).text, "paying")
    assert (less["card_limit.currency"], less["card_limit.amount"]) == (["USD"], ["7.00"])
    columns = await opened(admin, "customers")
    moved = form_on((await saved(admin, "customers", columns, act="up/columns/due")).text, "customers")
    assert moved["columns.order"] == ["number", "due", "issued", "status", "total", "open"]
    for act in ("up/columns/number", "up/columns/nothing", "remove/card_limit/9", "add/nothing", "what/ever"):
        assert form_on((await saved(admin, "customers", columns, act=act)).text, "customers") == columns
    assert len(house.accounts.rows("SELECT 1 FROM settings")) == 1


async def test_of_two_who_save_one_page_the_second_is_told_and_overwrites_nothing(house: House) -> None:
    first = await house.staff_browser(Role.ADMIN, email="ada@duly.example")
    second = await house.staff_browser(Role.ADMIN, email="ben@duly.example")
    forms = [await opened(each, "links") for each in (first, second)]
    assert (await saved(first, "links", forms[0], link_days="7", session_hours="2")).status_code == 303
    answer = await saved(second, "links", forms[1], link_days="30")
    assert answer.status_code == 409
    assert "90 days → 7 days" in answer.text
    assert "ada@duly.example" in answer.text
    assert [each[1] for each in stored(house, "link_days")] == [7]
    again = form_on(answer.text, "links")
    assert (again["link_days"], again["session_hours"]) == (["30"], ["2"])
    assert (await saved(second, "links", again)).status_code == 303
    assert [(each[1], each[2]) for each in stored(house, "link_days")] == [(7, "ada@duly.example"), (30, "ben@duly.example")]
    assert [each[1] for each in stored(house, "session_hours")] == [2]


async def test_a_page_with_a_mistake_on_it_still_finds_that_somebody_was_faster(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, "links")
    house.accounts.setting("link_days", 7)
    wrong = form_on((await saved(admin, "links", form, link_days="0")).text, "links")
    looked = form_on((await saved(admin, "links", wrong, act="look", link_days="30")).text, "links")
    assert (await saved(admin, "links", looked)).status_code == 409
    assert [each[1] for each in stored(house, "link_days")] == [7]


async def test_of_eight_who_save_at_the_same_moment_one_saves(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, "links")
    answers = await asyncio.gather(*(saved(admin, "links", form, link_days=str(days)) for days in range(1, 9)))
    assert sorted(each.status_code for each in answers) == [303, *[409] * 7]
    assert len(stored(house, "link_days")) == 1


async def test_versions_that_a_page_never_had_save_nothing(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, "links")
    for forged in ("1", "-1", "x", "", "99999999999999"):
        answer = await saved(admin, "links", form, link_days="7", **{"seen.link_days": forged})
        assert answer.status_code == 409, forged
    assert stored(house, "link_days") == []


async def test_a_setting_is_put_back_to_any_value_that_it_had_and_to_its_default(house: House) -> None:
    for days in (7, 30, 60):
        house.accounts.setting("link_days", days)
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, "links")

    async def back(which: str) -> httpx.Response:
        return await admin.post("/staff/settings/links/back", data={"csrf": form["csrf"], "back": which})

    assert (await back("link_days/1/3")).headers["location"].endswith("done=back")
    assert stored(house, "link_days")[-1] == (4, 7, "admin@duly.example")
    assert (await back("link_days/0/4")).status_code == 303
    assert stored(house, "link_days")[-1] == (5, 90, "admin@duly.example")
    late = await back("link_days/2/4")
    assert late.status_code == 409
    assert "7 days → 90 days" in late.text
    for unknown in ("link_days/9/5", "card_limit/0/0", "nothing/0/0", "", "link_days"):
        assert (await back(unknown)).status_code == 404, unknown
    assert len(stored(house, "link_days")) == 5
    assert len(acts(house, "setting_changed")) == 2


async def test_an_accent_that_white_text_cannot_be_read_on_is_warned_of_before_it_is_saved(house: House) -> None:
    admin = await house.staff_browser(Role.ADMIN)
    form = await opened(admin, "business")
    dark = (await saved(admin, "business", form, act="look", accent_colour="#0f5a4a")).text
    pale = (await saved(admin, "business", form, act="look", accent_colour="#ffd400")).text
    assert "could hardly be read" not in dark
    assert "contrast of 1.4 to 1" in pale
    assert "could hardly be read" in pale
    assert stored(house, "accent_colour") == []


def test_an_empty_value_has_words_in_the_history() -> None:
    empty = {"amounts": {}, "days": [], "text": ""}
    asked = [each for group in GROUPS for each in group.fields if each.kind in empty]
    assert len(asked) >= 7
    for each in asked:
        assert said(Field(name=each.name, label="", kind=each.kind, empty=each.empty), empty[each.kind], None)  # type: ignore[arg-type]
