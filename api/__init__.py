"""Opens doors: the customers' portal, the staff pages, the JSON interface, webhooks."""
