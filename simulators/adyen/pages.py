"""This Adyen's own pages: what a customer sees of a session or a link, and does there. Plain HTML, and no scripts."""

from __future__ import annotations

from html import escape
from typing import Final

from simulators.adyen.instruments import INSTRUMENTS
from simulators.adyen.world import Page, World

_STYLE: Final = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}"
    "fieldset{border:1px solid #767676;border-radius:.4rem}label{display:block;padding:.5rem 0}"
    "button{font:inherit;padding:.6rem 1.2rem;margin:1rem .5rem 0 0}"
)


def enter(world: World, page_id: str, use: str) -> None:
    """A method was entered; a page that is closed does nothing."""
    page = world.pages.get(page_id)
    instrument = INSTRUMENTS.get(use)
    if page is None or page.status != "active" or instrument is None:
        return
    if instrument.type not in page.body.get("allowedPaymentMethods", list({each.type for each in INSTRUMENTS.values()})):
        return
    if instrument.asks:
        page.asking = use
    elif instrument.declined_on_page or (page.is_link and instrument.declined_later is not None):
        named = {"reference": page.body["reference"], "amount": page.body["amount"]}
        world.refuse(instrument, **named, reason="Refused")
    else:
        _accept(world, page, use)


def answer_bank(world: World, page_id: str, *, approve: bool) -> None:
    """The customer answers the bank's question; a no leaves the page open for another method."""
    page = world.pages.get(page_id)
    if page is None or page.status != "active":
        return
    use, page.asking = page.asking or "card_asks", None
    if approve:
        _accept(world, page, use)
        return
    named = {"reference": page.body["reference"], "amount": page.body["amount"]}
    world.refuse(INSTRUMENTS[use], **named, reason="3D Not Authenticated")


def _accept(world: World, page: Page, use: str) -> None:
    keeps = page.body.get("storePaymentMethodMode") == "enabled"
    world.pay(
        INSTRUMENTS[use],
        reference=page.body["reference"],
        amount=page.body["amount"],
        shopper=page.body.get("shopperReference"),
        keeps=use if keeps else None,
    )
    page.status = "completed"


def after(world: World, page_id: str) -> str:
    """Where the browser goes after a form: back to the shop once it is done, else to the page again."""
    page = world.pages.get(page_id)
    back = None if page is None or page.status != "completed" else page.body.get("returnUrl")
    return str(back) if back else f"/pages/{page_id}"


def shown(world: World, page_id: str) -> tuple[int, str]:
    """The page as it stands: status and HTML."""
    page = world.pages.get(page_id)
    if page is None:
        return 404, _html("No such page", "<p>This page does not exist.</p>")
    if page.status != "active":
        words = {"completed": "Done. You may go back now.", "expired": "This page is closed."}
        back = f'<p><a href="{escape(str(page.body.get("returnUrl", "")))}">Back to where you came from</a></p>'
        return 200, _html("Thank you" if page.status == "completed" else "Closed", f"<p>{words[page.status]}</p>{back}")
    if page.asking is not None:
        return 200, _html("Your bank asks", _question(page))
    return 200, _html("Pay" if page.is_link else "Save a method", _form(page))


def _form(page: Page) -> str:
    amount, allowed = page.body["amount"], page.body.get("allowedPaymentMethods")
    told = (
        f"{amount['value']} {escape(str(amount['currency']))} in its smallest unit"
        if page.is_link
        else "Nothing is taken now."
    )
    choices = "".join(
        f'<label><input type="radio" name="use" value="{name}" required> {escape(each.label)} ····{each.last4}</label>'
        for name, each in INSTRUMENTS.items()
        if allowed is None or each.type in allowed
    )
    action = "Pay" if page.is_link else "Save"
    return (
        f'<p>{told}</p><form method="post" action="/pages/{page.id}"><fieldset><legend>Test method</legend>{choices}'
        f'</fieldset><button type="submit">{action}</button></form>'
    )


def _question(page: Page) -> str:
    return (
        f'<p>Is this you?</p><form method="post" action="/pages/{page.id}/challenge">'
        '<button name="answer" value="approve">Yes, approve</button><button name="answer" value="refuse">No</button></form>'
    )


def _html(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} - simulated Adyen</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{body}<p>A simulated Adyen: no money moves.</p></main></body></html>"
    )
