"""What `duly check` asks of others: the provider that counts charges, the ERP that keeps documents, Temporal that runs."""
