"""How a test of a suite is left out: said in one way, so that whoever wants no test skipped in silence can tell it apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

LEFT_OUT: Final = "left out: "
"""How the reason of such a skip begins."""


def leave_out(why: Sequence[str]) -> None:
    """Leave the test out for these reasons; nothing where there is none."""
    if why:
        pytest.skip(LEFT_OUT + "; ".join(why))
