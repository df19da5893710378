"""A request that is understood and refused: nothing happened, nothing is stored, and the same key may be used again."""

from __future__ import annotations


class Refusal(Exception):
    """What the API answers: an HTTP status, a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, sentence: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.retry_after_seconds = retry_after_seconds
