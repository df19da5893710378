"""The sandbox payment provider: a program of its own, reached over HTTP only, that moves no money.

Run it with `python -m simulators.sandbox_provider --port N --data FILE.sqlite`. It keeps its own storage and clock, so
that killing Duly or its database does not kill the far side. It shares no code with Duly.
"""
