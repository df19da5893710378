"""A simulated Business Central: its API v2.0 over a small ledger, one company for each client."""
