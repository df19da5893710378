"""Connections to payment providers: made, checked, changed, given new secrets and switched off by administrators."""

from api.staff.connecting.pages import router

__all__ = ["router"]
