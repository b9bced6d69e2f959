"""Starts parts again that died. Knows when and how often, not what the parts do.

A part that died is started again after a second, then two, four … up to a minute; one that lived five minutes begins at a second again. One that ended with
what nothing but a person can put right is given up.
"""

import time
from collections.abc import Iterator

from guessbook.clients.cli.output import err
from guessbook.clients.cli.part import FOR_A_PERSON, Part
from guessbook.clients.cli.parts import TICK_S, Parts
from guessbook.clients.errors import GuessbookError

FIRST_S, LONGEST_S = 1.0, 60.0
LONG_LIFE_S = 300.0


class Pauses:
    """How long to wait before one part is started again."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def after(self, lived_s: float) -> float:
        """Seconds to wait after it lived for some."""
        if lived_s >= LONG_LIFE_S:
            self._next_s = FIRST_S
        pause_s = self._next_s
        self._next_s = min(pause_s * 2, LONGEST_S)
        return pause_s


class _Watched:
    """One part, when it began, and when it is to begin again."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.began = time.monotonic()
        self.due: float | None = None  # None: it lives
        self.pauses = Pauses()


class Supervisor:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._watched = [_Watched(part) for part in parts.all]

    def watch(self) -> Iterator[GuessbookError]:
        """Yields what happened each time a part ends by itself, for ever. Raises it when the server, or all else, is given up."""
        while True:
            for one in list(self._watched):
                now = time.monotonic()
                if one.due is None and not one.part.living:
                    death = self._died(one, now)
                    if not {"server"} < {other.part.kind for other in self._watched}:
                        raise death
                    yield death
                elif one.due is not None and one.due <= now:
                    self._again(one)
            time.sleep(TICK_S)

    def _died(self, one: _Watched, now: float) -> GuessbookError:
        if one.part.exit_code in FOR_A_PERSON:
            self._watched.remove(one)
            return one.part.obituary(
                f"It is not started again until the cause is removed and `guessbook up` begins anew: {one.part.log}"
            )
        pause_s = one.pauses.after(now - one.began)
        one.due = now + pause_s
        return one.part.obituary(f"It is started again in {pause_s:g} s. What is in the log and on disk is safe.")

    def _again(self, one: _Watched) -> None:
        try:
            self._parts.again(one.part)
        except (GuessbookError, OSError) as error:
            pause_s = one.pauses.after(0)
            one.due = time.monotonic() + pause_s
            err.print(
                f"the {one.part.name} can't be started: {error}; tried again in {pause_s:g} s",
                style="yellow",
                markup=False,
            )
            return
        one.began, one.due = time.monotonic(), None
        err.print(f"started the {one.part.name} again", markup=False)
