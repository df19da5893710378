"""The settings pages: what the business decides, grouped as a person thinks of it, with the history of each."""

from __future__ import annotations

from api.staff.deciding.pages import router

__all__ = ["router"]
