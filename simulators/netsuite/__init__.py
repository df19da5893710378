"""NetSuite as its documentation tells it: accounts in memory, each with a small ledger, over HTTP."""
