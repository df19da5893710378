"""The far side: the provider, the ERP and the mail catcher, asked over HTTP what they have and told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import httpx

from launch.machine import Machine
from store.identity import fresh_id


class FarSide:
    """Three neighbours. What is counted here, Duly cannot have made up."""

    def __init__(self, machine: Machine) -> None:
        addresses = machine.addresses()

        def reach(name: str, secret: str = "") -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            return httpx.AsyncClient(base_url=addresses[name], headers=headers, trust_env=False, timeout=60)

        self.provider = reach("provider", machine.secrets.provider_api_key)
        self.erp = reach("erp", machine.secrets.erp_api_key)
        self.mail = reach("mail")
        self._turning = asyncio.Lock()
        self._browser = httpx.AsyncClient(trust_env=False, timeout=60)

    async def aclose(self) -> None:
        """Hang up."""
        for each in (self.provider, self.erp, self.mail, self._browser):
            await each.aclose()

    # ------------------------------------------------------------ the provider

    async def ledger(self, our_ref: str | None = None) -> dict[str, Any]:
        """The provider's own books, of one reference or whole."""
        query = {"our_ref": our_ref} if our_ref is not None else {}
        answer = await self.provider.get("/v1/test/ledger", params=query)
        answer.raise_for_status()
        ledger: dict[str, Any] = answer.json()
        return ledger

    async def attempts(self, payment_id: str) -> list[dict[str, Any]]:
        """Every charge that the provider knows of a payment, whatever became of it."""
        return [each for each in (await self.ledger())["charges"] if each["our_ref"].startswith(payment_id)]

    async def charges(self, payment_id: str) -> list[dict[str, Any]]:
        """Its charges that moved or will move money."""
        return [each for each in await self.attempts(payment_id) if each["moves_money"]]

    async def provider_post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Tell the provider's laboratory something."""
        answer = await self.provider.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    async def provider_fault(self, op: str, kind: str, **rest: Any) -> None:
        """Let the provider's next call of an operation go wrong."""
        await self.provider_post("/v1/test/faults", {"op": op, "kind": kind, **rest})

    async def advance(self, by: timedelta) -> None:
        """Move the provider's clock."""
        await self.provider_post("/v1/test/clock/advance", {"seconds": by // timedelta(seconds=1)})

    async def fill_in(self, page_url: str, use: str) -> None:
        """What a customer does on the provider's page: one click on a test number."""
        answer = await self._browser.post(page_url, data={"use": use})
        if answer.status_code not in {200, 303}:
            raise RuntimeError(f"the provider's page answered {answer.status_code}: {answer.text[:200]}")

    async def approve(self, page_url: str, *, approve: bool = True) -> None:
        """The customer's answer to the bank's question."""
        answer = await self._browser.post(f"{page_url}/challenge", data={"answer": "approve" if approve else "refuse"})
        if answer.status_code not in {200, 303}:
            raise RuntimeError(f"the provider's page answered {answer.status_code}: {answer.text[:200]}")

    # ------------------------------------------------------------ the ERP

    async def erp_post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Write to the ERP, as its own people do, or turn its knobs."""
        answer = await self.erp.post(path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def knobs(self, **knobs: Any) -> None:
        """How the ERP behaves from now on."""
        await self.erp_post("/test/knobs", knobs)

    async def one_more(self, knob: str) -> None:
        """Let one write more go wrong: the ERP counts them, whosever they are."""
        async with self._turning:
            answer = await self.erp.get("/test/knobs")
            answer.raise_for_status()
            await self.knobs(**{knob: answer.json()[knob] + 1})

    async def refuse(self, invoice_erp_id: str, *, stops: bool = False) -> None:
        """Refuse whatever is written on an invoice, until it stops."""
        async with self._turning:
            answer = await self.erp.get("/test/knobs")
            answer.raise_for_status()
            others = [each for each in answer.json()["refuse"] if each["invoice_id"] != invoice_erp_id]
            mine = {"invoice_id": invoice_erp_id, "code": "PERIOD_CLOSED", "message": "The period is closed."}
            await self.knobs(refuse=others if stops else [*others, mine])

    async def documents(self, reference: str) -> list[dict[str, Any]]:
        """The ERP's documents that bear a reference."""
        answer = await self.erp.get("/test/documents", params={"reference": reference})
        answer.raise_for_status()
        return list(answer.json()["documents"])

    async def enter_customers(self, names: Sequence[str], *, currency: str = "USD", email: bool = True) -> list[str]:
        """New customers in the ERP, with an address each where they have mail; their numbers."""
        numbers = [f"T-{fresh_id('cus')[-10:]}" for _ in names]
        rows = [
            {
                "id": number,
                "number": number,
                "name": name,
                "currency": currency,
                "email": f"{number.lower()}@customer.example" if email else None,
                "time_zone": "UTC",
            }
            for number, name in zip(numbers, names, strict=True)
        ]
        await self.erp_post("/bulk", {"customers": rows, "invoices": [], "documents": []})
        return numbers

    async def enter_invoices(
        self,
        number: str,
        totals: Sequence[int],
        *,
        currency: str = "USD",
        extra: Mapping[str, Any] | None = None,
        first: int = 0,
    ) -> None:
        """Invoices of these totals, the oldest first; `first` is the number of the first of them."""
        rows = [
            {
                "id": f"{number}-{index}",
                "customer_id": number,
                "number": f"{number}-{index}",
                "currency": currency,
                "issued_on": (date(2026, 9, 1) + timedelta(days=index)).isoformat(),
                "due_on": (date(2026, 10, 1) + timedelta(days=index)).isoformat(),
                "state": "Posted",
                "total": total,
                **(extra or {}),
            }
            for index, total in enumerate(totals, start=first)
        ]
        await self.erp_post("/bulk", {"customers": [], "invoices": rows, "documents": []})

    async def has_invoice(self, erp_id: str) -> bool:
        """Whether the ERP has an invoice of this id."""
        return bool((await self.erp_post("/invoices/lookup", {"ids": [erp_id]}))["rows"])

    async def enter_credit(self, customer_erp_id: str, total: int, *, currency: str = "USD") -> None:
        """A credit note that is on no invoice yet."""
        row = {
            "kind": "Credit note",
            "customer_id": customer_erp_id,
            "currency": currency,
            "amount": total,
            "on": date(2026, 9, 15).isoformat(),
        }
        await self.erp_post("/bulk", {"customers": [], "invoices": [], "documents": [row]})

    async def left_of_credit(self, erp_id: str) -> int:
        """What of a credit stands on no invoice."""
        (credit,) = (await self.erp_post("/documents/lookup", {"ids": [erp_id]}))["rows"]
        return int(credit["amount"]) - sum(int(each["amount"]) for each in credit["applied"])

    # ------------------------------------------------------------ mail

    async def mails(self, address: str) -> list[dict[str, Any]]:
        """What arrived at an address."""
        answer = await self.mail.get("/api/messages", params={"to": address})
        answer.raise_for_status()
        return list(answer.json())
