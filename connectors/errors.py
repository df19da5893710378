"""What can go wrong beyond our wall, sorted by what the caller may do.

ConnectorError
├── Unavailable      nothing happened (refused before it was executed, or never left); try again
├── Throttled        nothing happened; try again after `retry_after_seconds`
├── Rejected         they understood and said no; do not try again. `code`, `sentence` in their own words
├── Misconfigured    our key, account or set-up is wrong; wake a person, do not try again
│   └── ConsentGone  a person's consent has ended at the vendor: only a person can give it again
└── OutcomeUnknown   it may have happened; ask before doing anything
    └── KeyConflict  our key was used before, with another body: something was sent, and this was not executed

A decline is an answer, not an error. A time-out after sending, a reset, a 5xx and an unreadable body are OutcomeUnknown.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Root of what a connector raises; its text never holds a secret, a card number or a vendor's raw body."""


class Unavailable(ConnectorError):
    """Nothing happened over there; the same call may be made again."""


class Throttled(ConnectorError):
    """Nothing happened; the other side asks for patience."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Rejected(ConnectorError):
    """They understood and refused; `code` is theirs, `sentence` is what they said, for staff."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


class Misconfigured(ConnectorError):
    """Our key, account or set-up is wrong: a person must act."""


class ConsentGone(Misconfigured):
    """The vendor knows our consent no more: it was withdrawn, or its tokens were used up."""


class OutcomeUnknown(ConnectorError):
    """It may have happened. Never repeat blindly: look it up by our reference first."""


class KeyConflict(OutcomeUnknown):
    """Something went out under this key before, with another body. Whether it moved money is asked, never assumed."""


class WebhookRejected(Exception):
    """A delivery that is not believed; `reason` is one of ours (signature, age, size, shape, account), for the inbox."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
