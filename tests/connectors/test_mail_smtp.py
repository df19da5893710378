"""Sending over a real SMTP conversation with the mail catcher: what arrives, and what each refusal becomes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.errors import Misconfigured, Rejected, Unavailable
from connectors.mail.ports import Message
from connectors.mail.smtp import Security, SmtpConfig, SmtpMail
from tests.machine import free_port
from tests.simulators.running import Program, start

AT = datetime(2026, 3, 16, 14, 5, tzinfo=UTC)
MESSAGE = Message(
    message_id="<mal_1@northwind.example>",
    to="finance@brightwater.example",
    subject="Receipt: £1,250.00 paid — thank you",
    plain="Thank you.\n.\nA line with only a full stop stands above; naïve café.\n",
    html="<p>Thank you</p>",
)


class Catcher:
    """A running mail catcher."""

    def __init__(self, program: Program, smtp_port: int) -> None:
        self.program = program
        self.smtp_port = smtp_port
        self.http = httpx.Client(base_url=program.url, trust_env=False)

    def knobs(self, **knobs: Any) -> None:
        assert self.http.post("/test/knobs", json=knobs).is_success

    def mails(self, to: str = MESSAGE.to) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/api/messages", params={"to": to}).json()
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catcher]:
    data = tmp_path_factory.mktemp("mail") / "mails.sqlite"
    program = start("simulators.mail_catcher", "--port", "0", "--smtp-port", "0", "--data", str(data))
    smtp_address = program.lines[0].partition("(SMTP on ")[2].partition(")")[0]
    yield Catcher(program, int(smtp_address.rpartition(":")[2]))
    assert program.stop() == 0


@pytest.fixture
def catcher(running: Catcher) -> Catcher:
    running.knobs(reset=True)
    running.http.delete("/api/messages")
    return running


def config(port: int) -> SmtpConfig:
    return SmtpConfig(
        host="127.0.0.1",
        port=port,
        sender_address="billing@northwind.example",
        sender_name="Northwind Services, Accounts",
        timeout_seconds=2,
    )


async def test_a_mail_arrives_with_both_forms_and_our_headers(catcher: Catcher) -> None:
    await SmtpMail(config(catcher.smtp_port), clock=lambda: AT).send(MESSAGE)
    (mail,) = catcher.mails()
    assert (mail["subject"], mail["html"].strip()) == (MESSAGE.subject, MESSAGE.html)
    assert mail["plain"].replace("\r\n", "\n") == MESSAGE.plain
    assert (mail["message_id"], mail["sender"]) == (MESSAGE.message_id, "billing@northwind.example")
    assert mail["from_header"] == '"Northwind Services, Accounts" <billing@northwind.example>'
    source = catcher.http.get(f"/mails/{mail['id']}/source").text
    assert "Date: Mon, 16 Mar 2026 14:05:00 +0000" in source
    assert "Auto-Submitted: auto-generated" in source


async def test_a_repeat_carries_the_same_message_id(catcher: Catcher) -> None:
    mail = SmtpMail(config(catcher.smtp_port))
    catcher.knobs(drop_after=1)
    with pytest.raises(Unavailable):
        await mail.send(MESSAGE)
    await mail.send(MESSAGE)
    assert [row["message_id"] for row in catcher.mails()] == [MESSAGE.message_id, MESSAGE.message_id]


async def test_a_text_only_mail_has_one_part(catcher: Catcher) -> None:
    await SmtpMail(config(catcher.smtp_port)).send(replace(MESSAGE, html=""))
    (mail,) = catcher.mails()
    assert mail["html"] == ""
    assert "multipart" not in catcher.http.get(f"/mails/{mail['id']}/source").text


async def test_a_server_that_puts_us_off_is_unavailable_and_takes_the_next_try(catcher: Catcher) -> None:
    catcher.knobs(temporary=1)
    mail = SmtpMail(config(catcher.smtp_port))
    with pytest.raises(Unavailable, match="451"):
        await mail.send(MESSAGE)
    assert catcher.mails() == []
    await mail.send(MESSAGE)
    assert len(catcher.mails()) == 1


async def test_an_address_that_the_server_refuses_is_rejected_in_its_words(catcher: Catcher) -> None:
    catcher.knobs(refuse=[MESSAGE.to])
    with pytest.raises(Rejected) as refused:
        await SmtpMail(config(catcher.smtp_port)).send(MESSAGE)
    assert (refused.value.code, refused.value.sentence) == ("550", "5.1.1 There is no such mailbox")
    assert catcher.mails() == []


async def test_no_server_and_a_silent_server_are_unavailable(catcher: Catcher) -> None:
    with pytest.raises(Unavailable):
        await SmtpMail(config(free_port())).send(MESSAGE)
    with pytest.raises(Unavailable):
        await SmtpMail(replace(config(free_port()), host="no-such-host.invalid")).send(MESSAGE)
    catcher.knobs(delay_ms=4_000)
    with pytest.raises(Unavailable):
        await SmtpMail(replace(config(catcher.smtp_port), timeout_seconds=1)).send(MESSAGE)


async def test_security_that_the_server_does_not_offer_is_never_given_up_silently(catcher: Catcher) -> None:
    with pytest.raises(Misconfigured):
        await SmtpMail(replace(config(catcher.smtp_port), security=Security.STARTTLS)).send(MESSAGE)
    with pytest.raises(Misconfigured):
        await SmtpMail(replace(config(catcher.smtp_port), username="duly", password="secret")).send(MESSAGE)
    assert catcher.mails() == []


@pytest.mark.parametrize(
    "to",
    [
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "a@b.example, c@d.example",
        "A <a@b.example>",
        "a b@c.example",
        "a@b",
        "@b.example",
        "",
        "a@b.example\n",
    ],
)
async def test_an_address_is_one_address_and_nothing_else(catcher: Catcher, to: str) -> None:
    with pytest.raises(Rejected) as refused:
        await SmtpMail(config(catcher.smtp_port)).send(replace(MESSAGE, to=to))
    assert refused.value.code == "ADDRESS_INVALID"
    assert catcher.http.get("/api/messages").json() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Hello\r\nBcc: c@d.example"},
        {"subject": "Hello\nX: y"},
        {"subject": "Hello\u2028X: y"},
        {"message_id": "<a@b>\r\nBcc: c@d.example"},
        {"message_id": "no brackets"},
    ],
)
async def test_no_header_can_carry_another(catcher: Catcher, changed: dict[str, str]) -> None:
    with pytest.raises(Rejected) as refused:
        await SmtpMail(config(catcher.smtp_port)).send(replace(MESSAGE, **changed))
    assert refused.value.code == "HEADER_INVALID"
    assert catcher.http.get("/api/messages").json() == []


async def test_a_senders_name_can_carry_no_header_either(catcher: Catcher) -> None:
    sender = replace(config(catcher.smtp_port), sender_name="Northwind\r\nBcc: c@d.example")
    await SmtpMail(sender).send(MESSAGE)
    (mail,) = catcher.http.get("/api/messages").json()
    assert mail["recipient"] == MESSAGE.to
    assert "\nbcc:" not in catcher.http.get(f"/mails/{mail['id']}/source").text.lower()


async def test_the_catchers_pages_show_a_mail_without_running_anything_of_it(catcher: Catcher) -> None:
    await SmtpMail(config(catcher.smtp_port)).send(replace(MESSAGE, html="<script>alert(1)</script><p>Hi</p>"))
    (mail,) = catcher.mails()
    assert "Receipt: £1,250.00" in catcher.http.get("/").text
    page = catcher.http.get(f"/mails/{mail['id']}").text
    assert "<script>" not in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    inside = catcher.http.get(f"/mails/{mail['id']}/html")
    assert "default-src 'none'" in inside.headers["Content-Security-Policy"]
    assert inside.headers["Content-Security-Policy"].startswith("sandbox ")
    assert catcher.http.get("/mails/999999").status_code == 404
    assert catcher.http.get("/", params={"to": "nobody@x.example"}).text.count("No mail to") == 1


def test_the_password_is_not_shown_with_the_configuration() -> None:
    assert "secret" not in repr(replace(config(25), password="secret"))
