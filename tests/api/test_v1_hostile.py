"""Requests that no sensible program sends: each is a clear no with its place, and never a mistake of ours."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from api.v1.answers import Problem
from tests import machine
from tests.api.house import House, open_house

JSON = {"Content-Type": "application/json", "Idempotency-Key": "wish"}


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        opened.accounts.provider()
        yield opened


def problem_in(answer: httpx.Response) -> Problem:
    """The answer is a problem, whose status is its own."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:300]
    told = Problem.model_validate_json(answer.content)
    assert told.status == answer.status_code
    assert told.type == f"/docs/reference/rules#{told.rule}"
    assert answer.headers["x-refusal"] == told.rule
    return told


async def test_a_body_that_is_no_json_is_refused_as_such(house: House) -> None:
    program = await house.program()
    deep = b'{"customer_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for content, rule in (
        (b"", "request_invalid"), (b"{", "request_unreadable"), (b"\xff\xfe{}", "request_unreadable"),
        (b'{"a": "\xff"}', "request_unreadable"), (deep, "request_unreadable"),
        (b'{"amount": ' + b"9" * 5_000 + b"}", "request_unreadable"), (b"\x00", "request_unreadable"),
        (b"null", "request_invalid"), (b"[]", "request_invalid"), (b'"text"', "request_invalid"),
        (b"1e999", "request_invalid"),
    ):  # fmt: skip
        for path in ("/payments", "/links", "/method-setups"):
            answer = await program.post(path, content=content, headers=JSON)
            told = problem_in(answer)
            assert told.rule == rule, (content[:40], told)
            assert answer.status_code in {400, 415, 422}


async def test_another_kind_of_body_and_one_that_is_too_large_are_refused(house: House) -> None:
    program = await house.program()
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "",
    ):
        answer = await program.post("/links", content=b'{"a": 1}', headers={**JSON, "Content-Type": kind})
        assert (answer.status_code, problem_in(answer).rule) == (415, "content_type_unsupported"), kind
    large = await program.post("/links", content=b'"' + b"a" * 10_000_000 + b'"', headers=JSON)
    assert (large.status_code, problem_in(large).rule) == (413, "body_too_large")


async def test_values_of_another_form_are_refused_with_their_place(house: House) -> None:
    customer = house.accounts.customer()
    invoice, method = house.accounts.invoice(customer, 1_000), house.accounts.method(customer)
    good: dict[str, Any] = {
        "customer_id": customer,
        "currency": "GBP",
        "invoices": [{"invoice_id": invoice, "amount": 1_000}],
        "method_id": method,
    }
    program = await house.program()
    amounts: tuple[Any, ...] = (0, -1, 10**15, 10**30, 1.0, 1.5, "1", True, None, [], float("nan"))
    lines = [({"invoices": [{"invoice_id": invoice, "amount": each}]}, "#/invoices/0/amount") for each in amounts]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"customer_id": "cus_x"}, "#/customer_id"), ({"customer_id": 7}, "#/customer_id"),
        ({"customer_id": f"{customer}\x00"}, "#/customer_id"), ({"customer_id": f"{customer}\n"}, "#/customer_id"),
        ({"customer_id": invoice}, "#/customer_id"), ({"customer_id": None}, "#/customer_id"),
        ({"currency": "gbp"}, "#/currency"), ({"currency": "GBP "}, "#/currency"), ({"currency": "£££"}, "#/currency"),
        ({"invoices": []}, "#/invoices"), ({"invoices": {"a": 1}}, "#/invoices"), ({"invoices": None}, "#/invoices"),
        ({"wishes": 1}, "#/wishes"), ({"a/b~c": 1}, "#/a~1b~0c"), ({"method_id": None}, "#"),
        ({"new_method": {"kind": "card"}}, "#"), ({"new_method": {"kind": "cash"}}, "#/new_method/kind"),
    ]  # fmt: skip
    for change, place in [*changes, *lines]:
        answer = await program.post("/payments", content=json.dumps({**good, **change}), headers=JSON)
        told = problem_in(answer)
        assert (answer.status_code, told.rule) == (422, "request_invalid"), (change, told)
        assert place in {each.pointer for each in told.errors}, (change, told.errors)
    assert house.accounts.rows("SELECT 1 FROM idempotent_requests") == []


async def test_lone_surrogates_and_nul_are_refused_wherever_text_is_taken(house: House) -> None:
    customer = house.accounts.customer()
    program = await house.program()
    for text in ("\\ud800", "\\udfff\\ud800", "\\u0000", "a\\u0000b"):
        setup = f'{{"customer_id": "{customer}", "kind": "card", "consent_wording": "I agree to this {text}"}}'
        answers = [
            await program.post("/method-setups", content=setup, headers=JSON),
            await program.put("/settings/business_name", content=f'{{"value": "{text}"}}', headers=JSON),
            await program.put("/settings/card_limit", content=f'{{"value": {{"{text}": 1}}}}', headers=JSON),
        ]
        assert [problem_in(each).rule for each in answers] == ["request_invalid"] * 3, text
    for query in ("search=%00", "search=a%00b", "number=%00", "number=%ff%fe", "search=%ed%a0%80", f"search={'a' * 101}"):
        found = await program.get(f"/customers?{query}")
        assert found.status_code in {200, 422}, query
    for path in (
        "/customers/%00",
        "/invoices/inv_%ed%a0%80",
        "/settings/%00",
        "/settings/%F0%9F%92%A9",
        f"/payments/{'a' * 5000}",
    ):
        assert 400 <= (await program.get(path)).status_code < 500, path
    assert house.accounts.rows("SELECT 1 FROM settings") == []


async def test_a_parameter_that_is_not_described_or_written_otherwise_is_refused(house: House) -> None:
    """A filter that is passed over would list everything: a mistyped one is a mistake."""
    program = await house.program()
    for path, place in (
        ("/invoices?limit=0", "limit"), ("/invoices?limit=201", "limit"), ("/invoices?limit=1.0", "limit"),
        ("/invoices?limit=+5", "limit"), ("/invoices?limit=%D9%A5", "limit"), ("/invoices?limit=", "limit"),
        (f"/invoices?limit={'9' * 5000}", "limit"), ("/invoices?owed=1", "owed"), ("/invoices?owed=TRUE", "owed"),
        ("/invoices?due_before=20261122", "due_before"), ("/invoices?due_before=2026-02-30", "due_before"),
        ("/invoices?due_before=1700000000", "due_before"), ("/invoices?due_before=2026-W01-1", "due_before"),
        ("/invoices?customer=cus_x", "customer"), ("/invoices?customer_id=x", "customer_id"),
        ("/invoices?due_before=٢٠٢٦-١١-٢٢", "due_before"), ("/payments?state=gone", "state"),
        ("/links?customer_id[]=x", "customer_id[]"),
        (f"/invoices?cursor={'A' * 401}", "cursor"), ("/customers?offset=1", "offset"),
    ):  # fmt: skip
        answer = await program.get(path)
        assert answer.status_code == 422, path
        told = problem_in(answer)
        assert (answer.status_code, told.rule) == (422, "request_invalid"), path
        assert [each.parameter for each in told.errors] == [place], told.errors


async def test_a_parameter_that_is_said_twice_is_refused_for_nobody_knows_which_was_meant(house: House) -> None:
    program = await house.program()
    for path in ("/customers?number=a&number=b", "/invoices?limit=1&limit=1", "/settings?any=1&any=2"):
        told = problem_in(await program.get(path))
        assert (told.rule, told.errors is not None) == ("request_invalid", True), path


async def test_a_problem_never_says_again_what_was_sent(house: House) -> None:
    program = await house.program()
    body = {"customer_id": "4242424242424242", "days": "secret-7", "card": "5555555555554444"}
    answer = await program.post("/links?key=hush-hush", json=body, headers=JSON)
    assert answer.status_code == 422
    for hidden in ("4242424242424242", "secret-7", "5555555555554444", "hush-hush"):
        assert hidden not in answer.text
