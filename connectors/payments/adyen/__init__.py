"""Adyen, so far its edges: amounts in its units, and its deliveries, verified and read. Nothing is sent yet."""
