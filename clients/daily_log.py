"""A program's output in one file a day: `python -m guessbook.clients.daily_log FOLDER MODULE …` runs a module in this process.

Output and errors are files from the start, and are turned to the next day's file at midnight. No pipe, and nobody who copies: whoever started the program
may be killed, and neither ends the program nor loses a line of it. Knows nothing of the module. Imports nothing that the module wants to set up first.
"""

import os
import runpy
import sys
import threading
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

LOOK_S = 60.0  # also notices a clock that was set, or a machine that slept
STANDARD_OUTPUT, STANDARD_ERROR = 1, 2


def file_of(folder: Path, day: date) -> Path:
    return folder / f"{day:%Y%m%d}.log"


def opened(folder: Path, day: date) -> int:
    """A file descriptor at the end of a day's file, which is its owner's alone: the dashboard's link lets in whoever has it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(file_of(folder, day), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def newest(folder: Path) -> Path | None:
    return max(folder.glob("*.log"), default=None)


class DailyLog:
    """Turns file descriptors to the file of a day."""

    def __init__(self, folder: Path, descriptors: Sequence[int] = (STANDARD_OUTPUT, STANDARD_ERROR)) -> None:
        self._folder = folder
        self._descriptors = descriptors
        self._day: date | None = None

    def turn_to(self, day: date) -> None:
        """What is written after this is in the file of that day. Raises OSError, and then goes on in the file of before."""
        if day == self._day:
            return
        file = opened(self._folder, day)
        for descriptor in self._descriptors:
            os.dup2(file, descriptor)
        os.close(file)
        self._day = day

    def follow(self) -> None:
        """Turns to each day's file when the day begins, for ever."""
        while True:
            now = datetime.now()
            midnight = datetime.combine(now.date() + timedelta(days=1), time())
            threading.Event().wait(min(LOOK_S, max((midnight - now).total_seconds(), 0.01)))
            try:
                self.turn_to(datetime.now().date())
            except OSError as error:  # a full disk, say: the program is not to end for its log
                print(f"the log stays in the file of {self._day}: {error}", file=sys.stderr, flush=True)


def main() -> None:
    folder, module, *words = sys.argv[1:]
    log = DailyLog(Path(folder))
    log.turn_to(datetime.now().date())
    threading.Thread(target=log.follow, name="daily log", daemon=True).start()
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
