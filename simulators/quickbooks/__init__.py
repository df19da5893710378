"""QuickBooks Online as its documentation tells it: companies in memory, each with a small ledger, over HTTP."""
