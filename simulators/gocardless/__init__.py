"""A far side that speaks GoCardless's HTTP, in memory: for tests only. It knows nothing of Duly's connectors."""
