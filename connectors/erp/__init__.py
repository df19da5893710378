"""ERPs: `ports.py` says what one can do; each folder beside it is one ERP."""
