"""Payment providers: `ports.py` says what one can do; each folder beside it is one provider."""
