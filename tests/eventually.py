"""Waits for what another process does in its own time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30.0


def eventually(what: Callable[[], T]) -> T:
    """The first value that is true, or none of these within PATIENCE_S: then the test fails."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := what()):
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
    return value
