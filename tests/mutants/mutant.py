"""One mutant: a guard taken away. `edits` are exact texts that occur once in their file, with what takes their place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A guard that is gone: where, what its loss would mean, and who must turn red."""

    name: str
    why: str
    edits: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]


def one(name: str, file: str, old: str, new: str, test: str, why: str) -> Mutant:
    return Mutant(name=name, why=why, edits=((file, old, new),), tests=(test,))
