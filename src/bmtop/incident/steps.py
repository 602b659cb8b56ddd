"""Work in steps, so that whoever does it can let others have their turn in between."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Yields after each step, and returns what came of them all."""


def done(steps: Steps[T]) -> T:
    """Do all steps at once, and return what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
