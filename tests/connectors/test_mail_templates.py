"""Every mail: what it says, in both forms, and what its facts can never do to it."""

from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from connectors.mail.compose import FACTS, TEMPLATES, Composer, InvoiceAmount, MailTemplateError, compose
from connectors.mail.ports import Message
from domain.money import Money

URL = "https://pay.northwind.example/l/aB3-x_9?from=mail&to=invoices"
VALUES: dict[str, object] = {
    "customer_name": "Brightwater Facilities Ltd",
    "portal_url": URL,
    "staff_url": "https://pay.northwind.example/staff/payments/pay_1",
    "contact_email": "accounts@northwind.example",
    "expires_on": date(2026, 6, 14),
    "method_label": "Visa ending 4242",
    "payment_number": "pay_01jd",
    "credit_number": "CRN-00007",
    "outcome": "rejected",
    "question": "Which delivery was it?",
    "staff_name": "Robin Ferris",
    "until_at": datetime(2026, 3, 16, 14, 35, tzinfo=UTC),
    "expires_at": datetime(2026, 4, 15, 14, 5, tzinfo=UTC),
    "amount": Money.of(125_000, "GBP"),
    "unapplied": Money.of(500, "GBP"),
    "paid_on": date(2026, 3, 16),
    "failed_on": date(2026, 3, 16),
    "returned_on": date(2026, 3, 19),
    "refunded_on": date(2026, 3, 19),
    "reason": "Your bank says: insufficient funds.",
    "since_at": datetime(2026, 3, 16, 14, 5, tzinfo=UTC),
    "last_check_at": datetime(2026, 3, 16, 14, 35, tzinfo=UTC),
    "next_check_at": datetime(2026, 3, 16, 15, 5, tzinfo=UTC),
    "invoices": (
        InvoiceAmount(number="INV-2041", amount=Money.of(100_000, "GBP")),
        InvoiceAmount(number="INV-2090", amount=Money.of(24_500, "GBP"), site="Quay Street"),
    ),
}


def mail(template: str, **changed: object) -> Message:
    facts = {name: (VALUES | changed)[name] for name in FACTS[template]}
    return compose(
        template,
        facts,
        business_name=str(changed.get("business_name", "Northwind Services")),
        accent="#0f5c4d",
        message_id="<mal_1@northwind.example>",
        to="finance@brightwater.example",
    )


def reader_of(template: str) -> str:
    """The fact that names whom a mail is about."""
    return "customer_name" if "customer_name" in FACTS[template] else "staff_name"


@pytest.mark.parametrize("template", sorted(FACTS))
def test_each_mail_has_a_subject_a_plain_and_an_html_form_that_say_the_same(template: str) -> None:
    composed = mail(template)
    assert composed.subject
    assert "Subject:" not in composed.plain
    assert "<" not in composed.plain
    for text in (composed.plain, composed.html):
        assert str(VALUES[reader_of(template)]) in text
        assert "Northwind Services" in text or "staff_url" in FACTS[template]
    address = "staff_url" if "staff_url" in FACTS[template] else "portal_url"
    assert str(VALUES[address]) in composed.plain
    assert f'href="{str(VALUES[address]).replace("&", "&amp;")}"' in composed.html
    for name in {"amount", "reason", "method_label", "payment_number"} & FACTS[template]:
        shown = "£1,250.00" if name == "amount" else str(VALUES[name])
        assert shown in composed.plain + composed.subject
        assert shown in composed.html
    for text in (composed.plain, composed.html):
        assert "None" not in text


@pytest.mark.parametrize("template", sorted(FACTS))
def test_an_html_mail_is_light_and_follows_the_readers_theme(template: str) -> None:
    html = mail(template).html
    assert len(html.encode()) < 10_000
    assert "prefers-color-scheme: dark" in html
    assert 'lang="en"' in html
    assert "<script" not in html
    assert "<img" not in html, "a picture would tell who opened the mail"
    assert "Duly" not in html or "staff_url" in FACTS[template]


@pytest.mark.parametrize("template", ["receipt", "payment_failed", "payment_returned", "refund_done"])
def test_a_mail_about_invoices_names_each_with_its_amount_and_site(template: str) -> None:
    composed = mail(template)
    for text in (composed.plain, composed.html):
        for shown in ("INV-2041", "£1,000.00", "INV-2090", "Quay Street", "£245.00"):
            assert shown in text


def test_a_receipt_says_what_stays_on_the_account_only_when_something_does() -> None:
    assert "£5.00" in mail("receipt").html
    for nothing in (None, Money.zero("GBP")):
        assert "Kept on your account" not in mail("receipt", unapplied=nothing).html
        assert "Kept on your account" not in mail("receipt", unapplied=nothing).plain


@pytest.mark.parametrize("template", ["payment_failed", "payment_returned"])
def test_bad_news_says_that_the_invoices_are_open_again_and_what_to_do(template: str) -> None:
    for text in (mail(template).plain, mail(template).html):
        assert "open again" in text
        assert "another" in text


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money.of(123_456_789, "JPY"), "¥123,456,789"),
        (Money.of(123_456_789, "USD"), "$1,234,567.89"),
        (Money.of(-5, "EUR"), "-€0.05"),
        (Money.of(1_234, "KWD"), "KWD1.234"),
    ],
)
def test_an_amount_has_its_currencys_decimals_and_is_exact(amount: Money, shown: str) -> None:
    assert mail("receipt", amount=amount).subject == f"Receipt: {shown} paid to Northwind Services"


@pytest.mark.parametrize("template", sorted(FACTS))
def test_what_a_customer_calls_itself_is_never_markup(template: str) -> None:
    composed = mail(template, **{reader_of(template): "<script>alert(1)</script> & Sons"})
    assert "<script" not in composed.html
    assert "&lt;script&gt;" in composed.html
    assert "& Sons" in composed.plain


@pytest.mark.parametrize("name", ["Eve\r\nBcc: all@northwind.example", "Eve\nBcc: x", "Eve\u2028Bcc: x", "Eve\x00"])
def test_a_name_with_line_breaks_starts_no_header_of_its_own(name: str) -> None:
    for composed in (mail("unknown_outcome_staff", customer_name=name), mail("portal_link", business_name=name)):
        assert composed.subject.isprintable()
        header = EmailMessage()
        header["Subject"] = composed.subject
        assert header.as_string().lower().count("\nbcc") == 0


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", ""])
def test_a_link_that_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(MailTemplateError, match="portal_url"):
        mail("portal_link", portal_url=url)


def test_an_accent_colour_cannot_carry_style_of_its_own() -> None:
    facts = {name: VALUES[name] for name in FACTS["portal_link"]}
    with pytest.raises(MailTemplateError, match="#rrggbb"):
        compose("portal_link", facts, business_name="N", accent="red;x:url(//e)", message_id="<a@b>", to="a@b.example")


def test_a_fact_that_is_missing_or_unheard_of_is_named() -> None:
    facts = {name: VALUES[name] for name in FACTS["receipt"]}
    without = {name: value for name, value in facts.items() if name != "paid_on"}
    for wrong, named in ((without, "paid_on"), (facts | {"total": 1}, "total")):
        with pytest.raises(MailTemplateError, match=named):
            compose("receipt", wrong, business_name="N", accent="#000000", message_id="<a@b>", to="a@b.example")
    with pytest.raises(MailTemplateError, match="recipt"):
        compose("recipt", facts, business_name="N", accent="#000000", message_id="<a@b>", to="a@b.example")


def test_every_template_file_belongs_to_a_mail_and_every_mail_has_both() -> None:
    parts = {"layout.html", "parts.html", "foot.txt"}
    files = {path.name for path in TEMPLATES.iterdir()} - parts
    assert files == {f"{name}.{form}" for name in FACTS for form in ("txt", "html")}


def text_only(folder: Path, source: str) -> Message:
    (folder / "sms.txt").write_text(source)
    composer = Composer(folder, {"sms": frozenset({"portal_url"})})
    return composer.compose(
        "sms", {"portal_url": URL}, business_name="N", accent="#000000", message_id="<a@b>", to="a@b.example"
    )


def test_a_text_only_template_takes_the_plain_address(tmp_path: Path) -> None:
    composed = text_only(tmp_path, "Subject: Pay\nPay here: {{ portal_url }}")
    assert (composed.plain, composed.html) == (f"Pay here: {URL}\n", "")


@pytest.mark.parametrize(
    "source",
    [
        "Subject: Pay\n{{ portal_link }}",
        "Subject: Pay\n{% if portal_url == 'never' %}{{ portal_link }}{% endif %}",
        "Subject: Pay\n{% include 'part.txt' %}",
    ],
)
def test_a_text_only_template_with_the_clickable_link_is_refused_with_the_way_out(tmp_path: Path, source: str) -> None:
    (tmp_path / "part.txt").write_text("{{ 'x' ~ portal_link }}")
    with pytest.raises(MailTemplateError, match="Use portal_url instead"):
        text_only(tmp_path, source)


def test_the_clickable_link_is_an_anchor_in_html() -> None:
    escaped = URL.replace("&", "&amp;")
    assert f'<a href="{escaped}" class="link"' in mail("portal_link").html
