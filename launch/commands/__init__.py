"""The commands of `duly`, one module each. A module has `register(app)`; `cli.py` finds it by being here."""
