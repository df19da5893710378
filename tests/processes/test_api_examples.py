"""The examples of docs/how-to/use-the-api.md, one after the other, against a running Duly.

They are read as a shell reads them and sent as curl would send them, so that no curl is needed where tests run; an option
that is not known here fails the test.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import httpx

from api.v1 import answers, credit_answers
from store import api_keys
from store.api_keys import Scope
from tests.processes.house import House, until
from tests.processes.requesting import Requests

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-api.md"


def examples() -> list[str]:
    """Every example, as it is written."""
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)


async def run(client: httpx.AsyncClient, command: str, variables: Mapping[str, str]) -> Any:
    """Send what the command sends; the JSON of its answer."""
    words = shlex.split(Template(command.replace("\\\n", " ")).substitute(variables))
    assert words.pop(0) == "curl"
    method, headers, content, urls = "GET", [], None, []
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers.append((name, value))
        elif word == "-d":
            content = words.pop(0)
        elif word != "-s":
            assert not word.startswith("-"), word
            urls.append(word)
    (url,) = urls
    answer = await client.request(method, url, headers=headers, content=content)
    assert 200 <= answer.status_code < 300, (command, answer.text)
    return answer.json()


async def test_the_examples_of_the_how_to_do_what_they_say(house: House) -> None:
    create, export, *requests = examples()
    scopes = re.findall(r"--scope (\S+)", create)
    assert len(requests) == 14
    async with house.admin.begin("test") as tx:
        made = await api_keys.create(tx, label="Web shop", scopes=[Scope(each) for each in scopes], by="test", at=_now())
    customer, invoices = await house.customer(invoices=(2_500, 4_000))
    row = await house.one("SELECT number FROM customers WHERE id = :id", id=customer)
    assert re.findall(r"([A-Z]+)=", export) == ["DULY", "KEY"]
    known = {"DULY": house.base_url, "KEY": made.key, "NUMBER": row.number}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:

        async def next_example() -> Any:
            return await run(client, requests.pop(0), known)

        known["CUSTOMER"] = answers.Customers.model_validate(await next_example()).customers[0].id
        assert known["CUSTOMER"] == customer
        first = answers.Invoices.model_validate(await next_example())
        known["CURSOR"] = first.next_cursor or ""
        second = answers.Invoices.model_validate(await next_example())
        assert [each.id for each in (*first.invoices, *second.invoices)] == invoices[::-1]
        assert second.next_cursor is None
        known["INVOICE"] = invoices[0]

        setup = answers.MethodSetup.model_validate(await next_example())
        known["SETUP"] = setup.id
        assert setup.page_url is not None
        await house.fill_in(setup.page_url, "card_ok")
        look = requests[0]

        async def completed() -> Any:
            told = await run(client, look, known)
            return told["method_id"] if told["state"] == "completed" else None

        known["METHOD"] = await until(completed, what="the saved method")
        requests.pop(0)

        paid = answers.Payment.model_validate(await next_example())
        assert (paid.state, paid.captured) == ("captured", 2_500)
        assert await next_example() == paid.model_dump(mode="json"), "the second time it is the same answer"
        assert len(await house.charges(paid.id)) == 1
        known["PAYMENT"] = paid.id
        assert (await next_example())["id"] == paid.id

        refund = answers.Refund.model_validate(await next_example())
        assert (refund.amount, refund.payment_id) == (500, paid.id)
        known["CREDIT"], _ = await Requests(house).credit(customer, 6_000)
        known["OTHER"] = invoices[1]
        (credit,) = credit_answers.Credits.model_validate(await next_example()).credits
        assert (credit.id, credit.available) == (known["CREDIT"], 6_000)
        asked = credit_answers.ApplyRequest.model_validate(await next_example())
        assert (asked.state, asked.amount) == ("submitted", 1_500)
        known["REQUEST"] = asked.id
        assert (await next_example())["id"] == asked.id
        assert (await next_example())["state"] == "withdrawn"
        link = answers.OpenLink.model_validate(await next_example())
        assert (await client.get(link.url)).status_code == 200
    assert requests == []


def _now() -> datetime:
    return datetime.now(UTC)
