"""The wall around the doors: every route of the application, enumerated; hostile addresses, hosts, bodies and forms."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import event
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from temporalio.client import Client

from api.security.cookies import Cookie, Cookies
from api.security.cross_site import FROM_ANYWHERE, READS, WITHOUT_COOKIES
from api.security.forms import FormSigner
from api.security.paths import safe_path, safe_path_or
from api.v1.door import OPEN
from domain.refusals import Refused
from store import safety
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.accounts import NOON
from tests.api.house import BASE_URL, PROVIDER, House, open_house, submit, token_on

KEY = b"k" * 32


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        yield opened


def concrete(path: str) -> str:
    """A path of a route with something in place of its parameters."""
    return re.sub(r"\{[^}]+\}", "x1", path)


# ---------------------------------------------------------------- cross-site


async def test_every_route_that_is_no_read_refuses_what_does_not_come_from_a_form_of_ours(house: House) -> None:
    customer, other = house.accounts.customer("Mine"), house.accounts.customer("Other")
    visitors = {
        "/staff": (await house.staff_browser(Role.ADMIN), await house.staff_browser(Role.AGENT)),
        "": (await house.customer_browser(customer), await house.customer_browser(other)),
    }
    foreign = {
        "/staff": await token_on(visitors["/staff"][1], "/staff/customers"),
        "": await token_on(visitors[""][1], "/"),
    }
    own = {"/staff": await token_on(visitors["/staff"][0], "/staff/customers"), "": await token_on(visitors[""][0], "/")}
    writes = [(method, path) for method, path in house.routes() if method not in READS]
    checked = 0
    for method, path in writes:
        if path.startswith((*FROM_ANYWHERE, WITHOUT_COOKIES)):
            continue
        door = "/staff" if path.startswith("/staff") else ""
        visitor, address = visitors[door][0], concrete(path)
        attempts = [
            ({"csrf": own[door]}, {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}),
            ({"csrf": own[door]}, {"Sec-Fetch-Site": "same-site", "Origin": "http://sub.duly.test:8600"}),
            ({"csrf": own[door]}, {"Sec-Fetch-Site": "none"}),
        ]
        if path != "/l/{token}":  # the link's own token is its proof
            attempts += [({}, {}), ({"csrf": ""}, {}), ({"csrf": foreign[door]}, {}), ({"csrf": "0" * 64}, {})]
        for fields, headers in attempts:
            answer = await visitor.request(method, address, data=fields, headers=headers)
            assert answer.status_code == 403, (method, path, fields, headers)
            assert answer.headers["x-refusal"] == "cross_site"
        checked += 1
    assert checked >= 12
    assert house.accounts.rows("SELECT 1 FROM sessions WHERE ended_at IS NOT NULL") == []


async def test_every_route_of_the_json_api_takes_a_key_and_no_cookie_whoever_sends_it(house: House) -> None:
    """A class of its own: what proves nothing elsewhere (a key) opens it, and what opens everything else does not."""
    customer = house.accounts.customer()
    staff, visitor = await house.staff_browser(Role.ADMIN), await house.customer_browser(customer)
    own = {staff: await token_on(staff, "/staff/customers"), visitor: await token_on(visitor, "/")}
    routes = [(method, path) for method, path in house.routes() if path.startswith(WITHOUT_COOKIES)]
    for method, path in routes:
        if path in OPEN:
            continue
        for browser, token in own.items():
            for origin in ({}, {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}):
                headers = {"X-CSRF-Token": token, "Content-Type": "application/json", **origin}
                answer = await browser.request(method, concrete(path), content=b"{}", headers=headers)
                assert (answer.status_code, answer.headers["x-refusal"]) == (401, "api_key_needed"), (method, path)
    assert len(routes) >= 20
    assert {"/v1/openapi.json"} == OPEN
    assert house.accounts.rows("SELECT 1 FROM sessions WHERE ended_at IS NOT NULL") == []


async def test_no_cookie_reaches_the_json_api(house: House) -> None:
    (api,) = [each.app for each in house.app.routes if isinstance(each, Mount) and isinstance(each.app, FastAPI)]
    seen: list[dict[str, str]] = []

    @api.get("/cookies")
    async def cookies(request: Request) -> dict[str, str]:
        seen.append({**request.cookies, **{name: "" for name in request.headers if name == "cookie"}})
        return {}

    visitor = await house.customer_browser(house.accounts.customer())
    assert (await visitor.get("/")).status_code == 200
    key = await house.key()
    answer = await visitor.get("/v1/cookies", headers={"Authorization": f"Bearer {key.key}"})
    assert answer.status_code == 200
    assert seen == [{}]


async def test_a_key_opens_no_form_of_the_pages(house: House) -> None:
    key = await house.key()
    staff = await house.staff_browser(Role.ADMIN)
    customer = house.accounts.customer()
    for path in ("/staff/sign-out", f"/staff/customers/{customer}/links", "/payments", "/methods"):
        answer = await staff.post(path, headers={"Authorization": f"Bearer {key.key}"})
        assert (answer.status_code, answer.headers["x-refusal"]) == (403, "cross_site"), path


async def test_an_old_browser_that_says_only_its_origin_is_judged_by_it(house: House) -> None:
    visitor = house.browser()
    del visitor.headers["Sec-Fetch-Site"]
    for origin, expected in ((BASE_URL, 200), ("null", 200), ("http://evil.test:8600", 403), (f"{BASE_URL}.evil.test", 403)):
        answer = await submit(visitor, "/link-expired", "/link-expired", {"Origin": origin}, email="a@b.example")
        assert answer.status_code == expected, origin


async def test_the_exchange_of_a_link_from_another_site_is_refused_however_it_hides(house: House) -> None:
    link = await house.link(house.accounts.customer())
    visitor = house.browser()
    del visitor.headers["Sec-Fetch-Site"]
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await visitor.post(f"/l/{link.token}", headers=headers)).status_code == 403
    assert house.accounts.rows("SELECT 1 FROM sessions") == []


async def test_a_token_in_a_header_serves_scripts_and_a_doubled_field_serves_nobody(house: House) -> None:
    visitor = await house.staff_browser(Role.AGENT)
    token = await token_on(visitor, "/staff/customers")
    doubled = await visitor.post(
        "/staff/sign-out",
        content=f"csrf={token}&csrf={token}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert doubled.status_code == 403
    assert (await visitor.post("/staff/sign-out", headers={"X-CSRF-Token": token})).status_code == 303


async def test_a_planted_visitors_cookie_does_not_open_the_forms_of_a_session(house: House) -> None:
    attacker = house.browser()
    known = await token_on(attacker, "/staff/sign-in")
    visitor = await house.staff_browser(Role.AGENT)
    visitor.cookies.set("duly_visit_8600", attacker.cookies["duly_visit_8600"])
    assert (await visitor.post("/staff/sign-out", data={"csrf": known})).status_code == 403


async def test_no_read_changes_anything(house: House) -> None:
    """Every GET route, as everybody: the rows of what people own stay as they are."""
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 1000)
    payment = house.accounts.payment(customer, {invoice: 1000}, state="captured")
    tables = ("customers", "invoices", "payments", "payment_methods", "method_setups", "portal_links", "settings", "holds")
    staff, visitor = await house.staff_browser(Role.ADMIN), await house.customer_browser(customer)
    before = {table: house.accounts.rows(f"SELECT * FROM {table}") for table in tables}
    for method, path in house.routes():
        if method != "GET" or path.startswith("/static"):
            continue
        address = path.replace("{customer_id}", customer).replace("{payment_id}", payment).replace("{invoice_id}", invoice)
        for each in (staff, visitor):
            assert (await each.get(concrete(address))).status_code < 500, path
    assert {table: house.accounts.rows(f"SELECT * FROM {table}") for table in tables} == before


# ---------------------------------------------------------------- hosts, bodies, headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "duly.test:8600.evil.example"},
        {"Host": "duly.test"},
        {"Host": "evil@duly.test:8600"},
        {"Host": ""},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Host": "duly.test:8600, evil.example"},
    ],
)
async def test_a_poisoned_host_is_answered_400_and_shapes_no_link(house: House, headers: dict[str, str]) -> None:
    answer = await house.browser().get("/link-expired", headers=headers)
    assert answer.status_code == 400
    assert "evil" not in answer.text
    problem = await house.browser().get("/v1/openapi.json", headers=headers)
    assert (problem.status_code, problem.json()["rule"]) == (400, "host_unknown")


async def test_our_own_host_in_any_case_and_the_question_for_health_are_answered(house: House) -> None:
    assert (await house.browser().get("/link-expired", headers={"Host": "DULY.test:8600"})).status_code == 200
    assert (await house.browser().get("/health", headers={"Host": "10.0.0.7"})).status_code == 200


async def test_a_body_above_a_megabyte_is_refused_whether_it_says_so_or_not(house: House) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"a" * 100_000

    visitor = house.browser()
    for content in (b"email=" + b"a" * 10_000_000, drops()):
        answer = await visitor.post("/link-expired", content=content)
        assert answer.status_code == 413
        assert answer.headers["x-refusal"] == "body_too_large"
        assert "1000 kB" in answer.text
    lying = await visitor.post("/link-expired", content=b"x", headers={"Content-Length": "-5"})
    assert lying.status_code == 413
    webhook = await visitor.post("/webhooks/sandbox", content=b"a" * 300_000)
    assert webhook.status_code == 413


async def test_a_body_within_the_limit_reaches_the_page_whole(house: House) -> None:
    visitor = house.browser()
    answer = await submit(visitor, "/staff/sign-in", "/staff/sign-in", email="a@b.example", padding="x" * 900_000)
    assert answer.status_code == 401


async def test_every_answer_carries_the_headers_that_keep_others_out(house: House) -> None:
    visitor = await house.customer_browser(house.accounts.customer())
    for path in ("/", "/staff/sign-in", "/link-expired", "/no/such/page", "/health"):
        headers = (await visitor.get(path)).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["form-action"] == f"'self' {PROVIDER}"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store", path
        assert headers["x-content-type-options"] == "nosniff"
    assert "no-store" not in (await visitor.get("/static/staff.css?v=1")).headers["cache-control"]


async def test_a_mistake_of_ours_is_answered_with_the_same_headers(house: House) -> None:
    @house.app.get("/mistake")
    async def mistake() -> None:
        raise ZeroDivisionError

    visitor = house.browser(raises=False)
    answer = await visitor.get("/mistake")
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "ZeroDivision" not in answer.text


async def test_no_page_holds_a_script_or_a_style_of_its_own(house: House) -> None:
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 100)
    house.accounts.payment(customer, {invoice: 100}, state="captured")
    staff, visitor = await house.staff_browser(Role.ADMIN), await house.customer_browser(customer)
    pages = [await staff.get(f"/staff/customers/{customer}"), await staff.get("/staff/sign-in"), await visitor.get("/")]
    for page in pages:
        assert page.status_code == 200
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.text)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)


# ---------------------------------------------------------------- cookies


@pytest.mark.parametrize("cookie", list(Cookie))
def test_over_https_cookies_are_the_hosts_own_and_secure(cookie: Cookie) -> None:
    response = Response()
    Cookies("https://pay.example").write(response, cookie, "t", seconds=60)
    written = response.headers["set-cookie"]
    assert written.startswith(f"__Host-duly_{cookie.value}=t;")
    assert all(part in written for part in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"))
    assert "Domain" not in written


async def test_a_portal_over_https_sends_strict_transport_security(database: machine.Database) -> None:
    async with open_house(database, base_url="https://pay.example") as house:
        visitor = await house.customer_browser(house.accounts.customer())
        assert (await visitor.get("/")).status_code == 200
        assert "max-age=31536000" in (await visitor.get("/")).headers["strict-transport-security"]
        assert list(visitor.cookies) == ["__Host-duly_portal"]


# ---------------------------------------------------------------- return paths

HOSTILE = [
    "//evil.example", "///evil.example", "////evil.example/", "/\\evil.example", "\\\\evil.example",
    "\\/evil.example", "/\\/evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example",
    "\t//evil.example", " //evil.example", " /invoices", "/invoices ", "https://evil.example", "http://evil.example",
    "HTTPS://evil.example", "https:evil.example", "https:/evil.example", "http:\\\\evil.example",
    "ftp://evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "/javascript:alert(1)", "data:text/html,x",
    "vbscript:x", "mailto:a@b.example", "evil.example", "www.evil.example/x", "@evil.example", "/@evil.example",
    "//user@evil.example", "//user:pw@evil.example", "http://duly.test:8600@evil.example",
    "http://duly.test:8600.evil.example", "http://duly.test:8600", "/%2f/evil.example", "/%2F%2Fevil.example",
    "/%5cevil.example", "/%5Cevil.example", "%2f%2fevil.example", "/%09/evil.example",
    "/%0d%0aLocation:%20https://evil.example", "/?x=%0d%0aSet-Cookie:a=b", "/?x=%0Aevil", "/?x=%00", "/invoices%00",
    "/\x00", "/\x0bevil", "/\x0c/evil.example", "/..//evil.example", "/../evil", "/./evil",
    "/invoices/../..//evil.example", "/.evil.example", "/;@evil.example", "/;evil", "//evil%E3%80%82example",
    "//evil。example", "/／evil.example", "／／evil.example", "/\u2028/evil", "/\u2044/evil.example",
    "/\ufeff/evil.example", "/é", "//[::1]", "//0x7f000001", "//2130706433", "//127.0.0.1:80", "/#//evil.example",
    "#evil", "/x#https://evil.example", "?next=https://evil.example", "/?next=https://evil.example",
    "/?next=//evil.example", "/?a=\\evil", "/?a=<script>", "/?a=\"'", "/\"onmouseover=alert(1)", "/<script>", "", " ",
    "/ ", ".", "..", "*", "//", "///", "/a//b", "/invoices//", "/" + "a" * 600, "blob:http://duly.test/x",
    "file:///etc/passwd", "/%u002f%u002fevil", "/%", "/?x=%", "/?x=%zz", "/?x=%e3%80%82", "http:///evil.example",
    "https:///evil.example", "/http://evil.example", "/:80", "x:/",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_return_path_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="must be a page of this portal"):
        safe_path(text)
    assert safe_path_or(text, "/methods") == "/methods"


def test_there_are_enough_hostile_return_paths() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize(
    "text", ["/", "/methods", "/invoices/inv_01jd", "/?state=overdue&q=a%20b", "/staff/customers?q=x%40y.example&after=1"]
)
def test_a_path_of_ours_is_kept(text: str) -> None:
    assert safe_path(text) == text
    assert safe_path_or(text, "/methods") == text


async def test_signing_in_leads_to_a_page_of_ours_whatever_was_asked(house: House) -> None:
    await house.staff_browser(Role.AGENT, email="agent@duly.example")
    house.accounts.run("DELETE FROM rate_counters")
    for number, hostile in enumerate(("//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aX:y", "@evil")):
        house.clock.move(minutes=11)
        visitor = house.browser(address=f"192.0.2.{number}")
        page = await visitor.get("/staff/sign-in", params={"after": hostile})
        assert "evil" not in page.text
        answer = await submit(
            visitor, "/staff/sign-in", "/staff/sign-in", email="agent@duly.example",
            password="a password that is long enough", after=hostile,
        )  # fmt: skip
        assert (answer.status_code, answer.headers["location"]) == (303, "/staff")


# ---------------------------------------------------------------- signed forms


def test_a_signed_form_is_good_for_its_customer_in_its_session_for_a_day() -> None:
    signer, payment = FormSigner([KEY]), fresh_id("pay")
    signed = signer.sign(payment, customer_id="cus_a", session="s1", issued_at=NOON)
    assert signer.check(signed, customer_id="cus_a", session="s1", at=NOON + timedelta(hours=24)) == payment
    newer = FormSigner([b"n" * 32, KEY])
    assert newer.check(signed, customer_id="cus_a", session="s1", at=NOON) == payment


@pytest.mark.parametrize("minutes", [24 * 60 + 1, -2])
def test_a_form_that_is_too_old_or_from_the_future_is_refused(minutes: int) -> None:
    signer = FormSigner([KEY])
    signed = signer.sign(fresh_id("pay"), customer_id="cus_a", session="s1", issued_at=NOON)
    with pytest.raises(Refused, match="too old or was changed"):
        signer.check(signed, customer_id="cus_a", session="s1", at=NOON + timedelta(minutes=minutes))


def test_a_form_that_was_changed_or_is_somebody_elses_is_refused() -> None:
    signer, payment, other = FormSigner([KEY]), fresh_id("pay"), fresh_id("pay")
    signed = signer.sign(payment, customer_id="cus_a", session="s1", issued_at=NOON)
    _, issued, signature = signed.split(".")
    changed = [
        f"{other}.{issued}.{signature}", f"{payment}.{int(issued) + 1}.{signature}", f"{payment}.{issued}.{signature[:-1]}",
        f"{payment}.{issued}.", f"{payment}.{issued}", payment, "", "..", f"{signed}.x", f"{payment}.-1.{signature}",
        f"{payment}.٣.{signature}", f"{payment}.{'9' * 40}.{signature}", f"{payment}.99999999999.{signature}",
        f"é.{issued}.é",
    ]  # fmt: skip
    for text in changed:
        with pytest.raises(Refused, match="too old or was changed"):
            signer.check(text, customer_id="cus_a", session="s1", at=NOON)
    for customer, session in (("cus_b", "s1"), ("cus_a", "s2")):
        with pytest.raises(Refused, match="too old or was changed"):
            signer.check(signed, customer_id=customer, session=session, at=NOON)
    with pytest.raises(Refused, match="too old or was changed"):
        FormSigner([b"x" * 32]).check(signed, customer_id="cus_a", session="s1", at=NOON)


@pytest.mark.parametrize("keys", [[], [b""], [b"short"], [KEY, b"short"]])
def test_no_signer_exists_with_a_key_that_means_nothing(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="DULY_FORM_KEY"):
        FormSigner(keys)


# ---------------------------------------------------------------- the portal's connection


async def test_a_live_portal_request_runs_as_a_role_that_owns_and_bypasses_nothing(house: House) -> None:
    mine, other = house.accounts.customer("Mine"), house.accounts.customer("Other")
    invoices = {who: house.accounts.invoice(who, 1000) for who in (mine, other)}
    seen: list[tuple[object, ...]] = []
    rows: list[set[str]] = []

    def look(connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "invoice_states" not in statement:
            return
        ask = connection.exec_driver_sql  # type: ignore[attr-defined]
        seen.extend(
            tuple(row)
            for row in ask(
                """SELECT current_user, session_user, rolsuper, rolbypassrls,
                          (SELECT count(*) FROM pg_class WHERE relowner = r.oid), pg_backend_pid()
                   FROM pg_roles r WHERE rolname = current_user"""
            )
        )
        rows.append({row.id for row in ask("SELECT * FROM invoices")})

    event.listen(house.services.portal.engine.sync_engine, "before_cursor_execute", look)
    for who in (mine, other, mine):
        assert (await (await house.customer_browser(who)).get("/")).status_code == 200
        assert rows
        assert all(each == {invoices[who]} for each in rows)
        rows.clear()
    assert {each[:5] for each in seen} == {("duly_portal", "duly_portal", False, False, 0)}
    assert len({each[5] for each in seen}) == 1, "the pooled connection was not used again"


async def test_many_customers_at_once_on_two_connections_see_their_own_and_nothing_else(house: House) -> None:
    numbers = {}
    for index in range(12):
        customer = house.accounts.customer(f"Customer {index}")
        house.accounts.invoice(customer, 1000, number=f"CANARY-{index:03}")
        numbers[f"CANARY-{index:03}"] = await house.customer_browser(customer)
    answers = await asyncio.gather(*(visitor.get("/") for visitor in [*numbers.values()] * 4))
    for own, answer in zip([*numbers] * 4, answers, strict=True):
        assert set(re.findall(r"CANARY-\d{3}", answer.text)) == {own}


async def test_the_application_does_not_start_while_customers_could_see_one_another(
    database: machine.Database, house: House
) -> None:
    async with house.app.router.lifespan_context(house.app):
        assert (await house.browser().get("/health")).status_code == 200
    house.accounts.run("ALTER TABLE invoices NO FORCE ROW LEVEL SECURITY")
    with pytest.raises(safety.Unsafe, match="not forced: invoices"):
        async with house.app.router.lifespan_context(house.app):
            pytest.fail("it started")
