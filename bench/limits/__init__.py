"""What no implementation can beat: the same facts from the database, written by hand, by nothing but an ASGI callable."""
