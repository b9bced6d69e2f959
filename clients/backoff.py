"""How long to wait between attempts to reach the server. Knows no server."""

import random

FIRST_S, LONGEST_S = 0.2, 5.0

# Its own: this may run in a thread of a training program, whose random numbers are not to be disturbed.
_random = random.Random()


class Backoff:
    """Pauses that double from attempt to attempt, each shortened by a random part: many clients that lost one server don't come back in step."""

    def __init__(self) -> None:
        self._pause_s = FIRST_S

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        pause_s = self._pause_s
        self._pause_s = min(pause_s * 2, LONGEST_S)
        return pause_s * _random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """The server answered."""
        self._pause_s = FIRST_S
