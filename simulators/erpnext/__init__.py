"""A simulated ERPNext: Frappe's REST interface over a small receivables ledger, one site for each key."""
