"""Talks: payment providers, ERPs, mail. The only room that knows a vendor. Vendors do not know each other."""
