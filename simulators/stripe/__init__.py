"""A far side that speaks Stripe's HTTP, in memory: for tests only. It knows nothing of Duly's connectors."""
