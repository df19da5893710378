"""A simulated Odoo (14 to 19): the few models that receivables need, over JSON-2 and JSON-RPC, with a ledger behind them."""
