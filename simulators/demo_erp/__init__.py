"""The demo ERP: customers, invoices, payments and allocations behind HTTP, in a SQLite file of its own."""
