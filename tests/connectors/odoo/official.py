"""Stand-in."""


def violations(sent):
    return []
