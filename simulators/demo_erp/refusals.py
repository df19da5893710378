"""What the ERP refuses, in its own words."""

from __future__ import annotations


class Refused(Exception):
    """A business refusal: answered as 422 with a code and a sentence; nothing was written."""

    def __init__(self, code: str, sentence: str, *, status: int = 422) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.status = status
