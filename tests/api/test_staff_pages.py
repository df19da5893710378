"""The staff pages: who may, what they see, what they start, and that every act is written down."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from domain.refusals import RULES
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import PASSWORD, House, open_house, submit, token_on
from workflows import ids

WRONG = RULES["sign_in_failed"][1]


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        yield opened


def contact(house: House, customer: str, name: str, email: str) -> str:
    contact_id = fresh_id("con")
    house.accounts.run(
        "INSERT INTO contacts (id, customer_id, erp_id, name, email) VALUES (%s, %s, %s, %s, %s)",
        [contact_id, customer, contact_id, name, email],
    )
    return contact_id


def acts(house: House, action: str) -> list[tuple[object, ...]]:
    return house.accounts.rows(
        """SELECT a.customer_id, a.object_id, f.email, a.address FROM access_log a
           LEFT JOIN staff f ON f.id = a.actor WHERE action = %s ORDER BY seq""",
        [action],
    )


# ---------------------------------------------------------------- signing in


async def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(house: House) -> None:
    await house.staff_browser(Role.AGENT, email="known@duly.example")
    answers = []
    for email in ("known@duly.example", "unknown@duly.example"):
        visitor = house.browser(address="192.0.2.7")
        answer = await submit(visitor, "/staff/sign-in", "/staff/sign-in", email=email, password="not the password")
        assert answer.status_code == 401
        assert WRONG in answer.text
        assert "duly_staff" not in str(answer.headers.get_list("set-cookie"))
        answers.append(re.sub(r"(known|unknown)@duly|[0-9a-f]{64}", "…", answer.text))
    assert answers[0] == answers[1]


async def test_guessing_passwords_of_one_address_is_stopped_from_anywhere(house: House) -> None:
    await house.staff_browser(Role.AGENT, email="known@duly.example")
    house.clock.move(minutes=11)
    answers = [
        await submit(
            house.browser(address=f"192.0.2.{attempt}"), "/staff/sign-in", "/staff/sign-in",
            email="known@duly.example", password=f"guess {attempt}",
        )
        for attempt in range(6)
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 600
    right = await submit(house.browser(), "/staff/sign-in", "/staff/sign-in", email="known@duly.example", password=PASSWORD)
    assert right.status_code == 429
    house.clock.move(minutes=10)
    right = await submit(house.browser(), "/staff/sign-in", "/staff/sign-in", email="Known@duly.example", password=PASSWORD)
    assert right.status_code == 303


async def test_one_machine_that_guesses_many_addresses_is_stopped(house: House) -> None:
    visitor = house.browser()
    token = await token_on(visitor, "/staff/sign-in")
    fields = {"csrf": token, "password": "guess"}
    codes = [
        (await visitor.post("/staff/sign-in", data={**fields, "email": f"g{n}@duly.example"})).status_code for n in range(21)
    ]
    assert codes == [401] * 20 + [429]


async def test_a_session_is_fresh_at_each_sign_in_and_over_after_signing_out(house: House) -> None:
    visitor = await house.staff_browser(Role.AGENT)
    first = visitor.cookies["duly_staff_8600"]
    again = await submit(visitor, "/staff/customers", "/staff/sign-in", email="agent@duly.example", password=PASSWORD)
    assert again.status_code == 303
    second = visitor.cookies["duly_staff_8600"]
    assert second != first
    await submit(visitor, "/staff/customers", "/staff/sign-out")
    for token in (first, second):
        thief = house.browser()
        thief.cookies.set("duly_staff_8600", token)
        answer = await thief.get("/staff/customers")
        assert (answer.status_code, answer.headers["location"]) == (303, "/staff/sign-in?after=%2Fstaff%2Fcustomers")
    assert len(acts(house, "signed_in")) == 2


async def test_an_idle_member_of_staff_signs_in_again_and_comes_back(house: House) -> None:
    visitor = await house.staff_browser(Role.VIEWER)
    house.clock.move(minutes=15)
    answer = await visitor.get("/staff/customers?q=brook")
    assert answer.status_code == 303
    page = await visitor.get(answer.headers["location"])
    assert 'name="after" value="/staff/customers?q=brook"' in page.text


# ---------------------------------------------------------------- roles


async def test_a_viewer_is_not_shown_what_only_agents_may_do(house: House) -> None:
    customer = house.accounts.customer()
    pages = [
        (await (await house.staff_browser(role)).get(f"/staff/customers/{customer}")).text
        for role in (Role.VIEWER, Role.AGENT)
    ]
    for words in ("Create a link", "Revoke all links", "Add a payment method", "Send portal links"):
        assert [words in page for page in pages] == [False, True]


# ---------------------------------------------------------------- customers


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("brook", {"Brookside Ltd"}),
        ("C0002", {"Oakline plc"}),
        ("PAY@oakline", {"Oakline plc"}),
        ("clerk@", {"Brookside Ltd"}),
        ("100%", {"100% Wool"}),
        ("%", {"100% Wool"}),
        ("_", set()),
        ("nothing like it", set()),
        ("", {"Brookside Ltd", "Oakline plc", "100% Wool"}),
    ],
)
async def test_customers_are_found_by_name_number_and_any_address(house: House, search: str, found: set[str]) -> None:
    brookside = house.accounts.customer("Brookside Ltd", email=None)
    house.accounts.customer("Oakline plc", email="pay@oakline.example")
    house.accounts.customer("100% Wool", email="wool@example.com")
    contact(house, brookside, "Clerk", "clerk@brook.example")
    page = await (await house.staff_browser(Role.VIEWER)).get("/staff/customers", params={"q": search})
    assert page.status_code == 200
    assert {name for name in ("Brookside Ltd", "Oakline plc", "100% Wool") if name in page.text} == found


async def test_the_list_goes_on_where_it_ended_and_shows_each_customer_once(house: House) -> None:
    for number in range(120):
        house.accounts.customer(f"{'Aa'[number % 2]}cme {number // 3:02}")
    visitor = await house.staff_browser(Role.VIEWER)
    address, seen = "/staff/customers", []
    for _ in range(3):
        page = (await visitor.get(address)).text
        seen += re.findall(r'href="/staff/customers/(cus_\w+)', page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert not address
    assert len(seen) == len(set(seen)) == 120


async def test_a_customers_page_shows_balances_invoices_methods_payments_links_and_the_log(house: House) -> None:
    customer = house.accounts.customer("Brookside Ltd")
    first = house.accounts.invoice(customer, 10_000, number="INV-1", due_on=house.clock().date() - timedelta(days=3))
    house.accounts.invoice(customer, 5_050, number="INV-2")
    house.accounts.invoice(customer, 700, number="INV-3", status="draft")
    payment = house.accounts.payment(customer, {first: 2_500}, state="processing")
    house.accounts.event(payment, customer, "processing")
    house.accounts.method(customer, is_default=True)
    await house.link(customer)
    visitor = await house.staff_browser(Role.AGENT)
    page = (await visitor.get(f"/staff/customers/{customer}")).text
    for words in ("£150.50", "£100.00 overdue", "INV-1", "3 days late", "INV-3", "ending 4242", "Default", payment):
        assert words in page, words
    assert "Accepted; the bank confirms in some days" in page
    assert "by test" in page
    assert acts(house, "customer_viewed") == [(customer, None, "agent@duly.example", "198.51.100.2")]


@pytest.mark.parametrize("page", ["customers/cus_unknown", "payments/pay_unknown", "sends/bat_unknown"])
async def test_what_does_not_exist_is_a_404(house: House, page: str) -> None:
    assert (await (await house.staff_browser(Role.ADMIN)).get(f"/staff/{page}")).status_code == 404


@pytest.mark.parametrize(
    ("offers", "setting", "sentence"),
    [
        (None, None, "No payment provider is connected and enabled"),
        ({"card": ["USD"]}, None, "None of the connected providers (sandbox) takes GBP"),
        ({"card": ["GBP"]}, "charge_on_file", "Charge on file is switched off"),
        ({"card": ["GBP"]}, None, None),
    ],
)
async def test_staff_see_why_a_customer_cannot_pay(
    house: House, offers: dict[str, list[str]] | None, setting: str | None, sentence: str | None
) -> None:
    customer = house.accounts.customer()
    if offers is not None:
        house.accounts.provider(offers)
    if setting is not None:
        house.accounts.setting(setting, False)
    visitor = await house.staff_browser(Role.AGENT)
    for address in (f"/staff/customers/{customer}", f"/staff/customers/{customer}/methods/new"):
        page = (await visitor.get(address)).text
        assert ("alert-warning" in page) == (sentence is not None)
        assert sentence is None or sentence in page
    offered = "Continue to the provider" in (await visitor.get(f"/staff/customers/{customer}/methods/new")).text
    assert offered == (sentence is None)


# ---------------------------------------------------------------- links


async def test_a_created_link_is_shown_once_and_opens_the_account(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await house.staff_browser(Role.AGENT)
    page = await submit(visitor, f"/staff/customers/{customer}", f"/staff/customers/{customer}/links")
    shown = re.search(r'value="http://duly\.test:8600(/l/[\w-]{43})"', page.text)
    assert shown is not None
    assert (await house.browser().post(shown[1])).status_code == 303
    assert shown[1] not in (await visitor.get(f"/staff/customers/{customer}")).text
    [(who, link, email, _)] = acts(house, "link_created")
    assert (who, email) == (customer, "agent@duly.example")
    assert house.accounts.rows("SELECT id FROM portal_links") == [(link,)]


async def test_revoking_shuts_out_everybody_who_came_in_by_a_link(house: House) -> None:
    customer = house.accounts.customer()
    inside = await house.customer_browser(customer)
    visitor = await house.staff_browser(Role.AGENT)
    assert (await inside.get("/")).status_code == 200
    answer = await submit(visitor, f"/staff/customers/{customer}", f"/staff/customers/{customer}/links/revoke")
    assert answer.status_code == 303
    assert (await inside.get("/")).status_code == 401
    assert [act[0] for act in acts(house, "links_revoked")] == [customer]


async def _process_of(temporal: Client, batch: str) -> str:
    history = await temporal.get_workflow_handle(ids.send_links(batch)).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    assert started.workflow_type.name == "SendPortalLinks"
    return started.input.payloads[0].data.decode()


async def test_links_go_to_the_chosen_contacts_and_each_address_shows_its_result(
    house: House, temporal_client: Client
) -> None:
    customer = house.accounts.customer(email="office@brook.example")
    ann, bob = contact(house, customer, "Ann", "ann@brook.example"), contact(house, customer, "Bob", "bob@brook.example")
    visitor = await house.staff_browser(Role.AGENT)
    answer = await submit(
        visitor, f"/staff/customers/{customer}", f"/staff/customers/{customer}/links/send", contact=["", ann]
    )
    assert answer.status_code == 303
    batch = answer.headers["location"].rsplit("/", 1)[1]
    asked = await _process_of(temporal_client, batch)
    assert ann in asked
    assert bob not in asked
    page = (await visitor.get(answer.headers["location"])).text
    assert "0 of 2" in page
    for address, state, error in (
        ("ann@brook.example", "sent", None),
        ("office@brook.example", "refused", "no such mailbox"),
    ):
        house.accounts.run(
            """INSERT INTO outbox
                   (id, dedupe_key, template, to_address, customer_id, process_id, state, error_text, queued_at)
               VALUES (%s, %s, 'link', %s, %s, %s, %s, %s, now())""",
            [fresh_id("mal"), fresh_id("mal"), address, customer, batch, state, error],
        )
    page = (await visitor.get(answer.headers["location"])).text
    assert "2 of 2" in page
    assert "no such mailbox" in page
    assert "hx-trigger" not in page
    assert [act[:3] for act in acts(house, "link_sent")] == [(customer, batch, "agent@duly.example")] * 2


async def test_a_selection_of_many_customers_is_one_batch_with_one_mail_each(house: House, temporal_client: Client) -> None:
    with_own = house.accounts.customer("Own", email="own@a.example")
    by_contact = house.accounts.customer("Contact", email=None)
    silent = house.accounts.customer("Silent", email=None)
    clerk = contact(house, by_contact, "Clerk", "clerk@b.example")
    visitor = await house.staff_browser(Role.AGENT)
    answer = await submit(visitor, "/staff/customers", "/staff/sends", customer=[with_own, by_contact, silent])
    asked = await _process_of(temporal_client, answer.headers["location"].rsplit("/", 1)[1])
    assert with_own in asked
    assert clerk in asked
    assert silent not in asked
    page = (await visitor.get(answer.headers["location"])).text
    assert "1 of 3" in page
    assert "no e-mail address on record" in page


async def test_nobody_elses_contact_can_be_written_to(house: House) -> None:
    mine, other = house.accounts.customer("Mine"), house.accounts.customer("Other")
    foreign = contact(house, other, "O", "o@other.example")
    visitor = await house.staff_browser(Role.AGENT)
    for chosen in ([foreign], [], ["", foreign]):
        answer = await submit(visitor, f"/staff/customers/{mine}", f"/staff/customers/{mine}/links/send", contact=chosen)
        assert answer.status_code in {404, 409}
    for many in ([], ["cus_x"], [fresh_id("cus")], [mine, fresh_id("cus")]):
        assert (await submit(visitor, "/staff/customers", "/staff/sends", customer=many)).status_code == 404
    assert acts(house, "link_sent") == []


async def test_a_batch_that_nobody_took_up_can_be_started_again_without_a_second_process(
    house: House, temporal_client: Client, task_queue: str
) -> None:
    customer = house.accounts.customer()
    visitor = await house.staff_browser(Role.AGENT)
    answer = await submit(visitor, f"/staff/customers/{customer}", f"/staff/customers/{customer}/links/send", contact=[""])
    page = answer.headers["location"]
    assert "Start it again" not in (await visitor.get(page)).text
    house.clock.move(seconds=21)
    assert "Start it again" in (await visitor.get(page)).text
    before = await temporal_client.get_workflow_handle(ids.send_links(page.rsplit("/", 1)[1])).describe()
    assert (await submit(visitor, page, f"{page}/again")).status_code == 303
    after = await temporal_client.get_workflow_handle(before.id).describe()
    assert before.run_id == after.run_id


# ---------------------------------------------------------------- set-ups and evidence


async def _new_method(house: House, visitor: httpx.AsyncClient, customer: str) -> dict[str, str]:
    page = (await visitor.get(f"/staff/customers/{customer}/methods/new")).text
    return {
        "csrf": re.findall(r'name="csrf" value="(\w+)"', page)[0],
        "signed": re.findall(r'name="signed" value="([^"]+)"', page)[0],
        "offer": "sandbox/card",
        "agreed": "yes",
    }


async def test_a_set_up_started_without_a_worker_leads_to_its_page_and_is_started_once(
    house: House, temporal_client: Client
) -> None:
    house.accounts.provider({"card": ["GBP"]})
    customer = house.accounts.customer()
    visitor = await house.staff_browser(Role.AGENT)
    fields = await _new_method(house, visitor, customer)
    answers = [await visitor.post(f"/staff/customers/{customer}/methods", data=fields) for _ in range(2)]
    setup_id = fields["signed"].split(".")[0]
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(303, f"/staff/setups/{setup_id}")}
    assert "Being started" in (await visitor.get(f"/staff/setups/{setup_id}")).text
    described = await temporal_client.get_workflow_handle(ids.method_setup(setup_id)).describe()
    assert described.workflow_type == "AddPaymentMethod"
    assert acts(house, "setup_started")[0][:2] == (customer, setup_id)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"offer": "sandbox/sepa_debit"}, "method_kind_not_offered"),
        ({"offer": "elsewhere/card"}, "method_kind_not_offered"),
        ({"offer": ""}, "method_kind_not_offered"),
        ({"agreed": ""}, "consent_needed"),
        ({"signed": "set_x.1.y"}, "form_expired"),
    ],
)
async def test_a_set_up_that_is_not_offered_agreed_to_or_signed_is_refused(
    house: House, change: dict[str, str], rule: str
) -> None:
    house.accounts.provider({"card": ["GBP"]})
    customer, other = house.accounts.customer(), house.accounts.customer("Other")
    visitor = await house.staff_browser(Role.AGENT)
    fields = await _new_method(house, visitor, customer)
    answer = await visitor.post(f"/staff/customers/{customer}/methods", data={**fields, **change})
    assert (answer.status_code, answer.headers["x-refusal"]) == (422, rule)
    foreign = await visitor.post(f"/staff/customers/{other}/methods", data=fields)
    assert foreign.headers["x-refusal"] == "form_expired"
    assert acts(house, "setup_started") == []


async def test_the_providers_page_is_offered_only_where_the_provider_lives(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await house.staff_browser(Role.AGENT)
    for url, is_offered in (("http://provider.test:9000/s/1", True), ("https://evil.example/s/1", False)):
        setup = house.accounts.setup(customer, state="redirected", page_url=url)
        page = (await visitor.get(f"/staff/setups/{setup}")).text
        assert (url in page) == is_offered


async def test_a_payments_page_tells_its_evidence_and_marks_duplicates_and_stale_events(house: House) -> None:
    customer = house.accounts.customer("Brookside Ltd")
    invoice = house.accounts.invoice(customer, 10_000, number="INV-77")
    payment = house.accounts.payment(
        customer, {invoice: 10_000}, state="captured", provider_ref="ch_123", charge_key="key-1", attempt=2
    )
    for kind in ("opened", "held", "redirected", "captured", "posting_confirmed"):
        house.accounts.event(payment, customer, kind, document="ERP-9" if kind == "posting_confirmed" else "")
    other = house.accounts.payment(customer, {invoice: 1}, state="declined")
    for ref, provider_id, event_id, state, deliveries in (
        (f"{payment}-1", None, "ev_first", "stale", 1),
        (f"{payment}-2", None, "ev_second", "handled", 3),
        (None, "ch_123", "ev_third", "handled", 2),
        (f"{other}:1", None, "ev_foreign", "handled", 1),
    ):
        house.accounts.run(
            """INSERT INTO inbox (id, connection_id, dedupe_key, event_id, kind, subject, our_ref, provider_id, state,
                   deliveries, received_at)
               VALUES (%s, 'sandbox', %s, %s, 'charge.updated', 'charge', %s, %s, %s, %s, now())""",
            [fresh_id("evt"), event_id, event_id, ref, provider_id, state, deliveries],
        )
    posting = fresh_id("pst")
    house.accounts.run(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, state, attempts, looks,
               erp_id, erp_number, queued_at, confirmed_at)
           VALUES (%s, 'demo', 'payment', %s, %s, '{}', 10000, 'confirmed', 2, 1, 'x9', 'ERP-9', now(), now())""",
        [posting, payment, customer],
    )
    page = (await (await house.staff_browser(Role.VIEWER)).get(f"/staff/payments/{payment}")).text
    for words in (
        "£100.00", "INV-77", "ch_123", "key-1", "ERP-9", "2 sent", "asked for 1 time since", "Confirmed", "ev_first",
        "stale: told nothing new", "2 duplicates, which changed nothing", "1 duplicate, which changed nothing",
        f"payment/{payment}",
    ):  # fmt: skip
        assert words in page, words
    assert "ev_foreign" not in page
    order = [page.index(words) for words in ("Opened</div>", "Invoices reserved", "Sent to the provider", "Money taken")]
    assert order == sorted(order)
    assert [act[:2] for act in acts(house, "payment_viewed")] == [(customer, payment)]
