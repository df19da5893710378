"""A simulated Adyen: as much of its Checkout API as Duly uses, its own pages, events and clock. It knows nothing of Duly."""
