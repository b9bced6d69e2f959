"""A server for a program that has none: it finds the one of a data folder, or starts one as a process.

Knows how a server is found, started and held on to. When it ends is the keeper's to decide (keeper.py).
"""

import atexit
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid, Unauthenticated, Unreachable
from guessbook.clients.keeper import LINGER_S
from guessbook.store.home import Home

START_TIMEOUT_S = 60.0
TICK_S = 0.1
LOG_TAIL_LINES = 12

# They outlive what started them, and are to be waited for by nobody.
_keepers: list["subprocess.Popen[bytes]"] = []


@atexit.register
def _leave_keepers() -> None:
    """Python warns of a child that still runs when the program ends. These are meant to."""
    for keeper in _keepers:
        keeper.returncode = keeper.returncode or 0


def serving(home: Home) -> bool:
    """Whether this data folder's server answers where the folder says it is."""
    if not home.address_file.exists():
        return False
    try:
        with Guessbook(home.address_file.read_text().strip(), home.token) as book:
            return home.is_at(book.status().home)
    except (Unreachable, Unauthenticated):  # the latter: another's server has taken the port since
        return False


class EmbeddedServer:
    """The server of a data folder for as long as this is held: the one that runs there, else one that is started, embedded.

    An embedded server ends some seconds after its last holder let go or died. One that somebody else started is left alone. With
    $GUESSBOOK_ADDRESS the server there is meant, and none is started. A context; `address` is `host:port`. Raises GuessbookError.
    """

    def __init__(self, home: Home, linger_s: float = LINGER_S) -> None:
        home.root.mkdir(parents=True, exist_ok=True)
        self._users = home.users_lock.open("a")
        try:
            # An embedded server that is just about to end keeps this from us until it has.
            fcntl.flock(self._users, fcntl.LOCK_SH)
            self.started = False
            if not os.environ.get("GUESSBOOK_ADDRESS"):
                with _alone(home.start_lock):
                    self.started = not serving(home)
                    if self.started:
                        _start(home, linger_s)
            self.address = home.address()
        except BaseException:
            self._users.close()
            raise

    def close(self) -> None:
        """Lets go of it. Closing twice is harmless."""
        self._users.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(home: Home, linger_s: float) -> None:
    if find_spec("lmdb") is None:
        raise Invalid(
            f"no server runs on {home.root}, and none can be started: it is not installed",
            "Install it: pip install 'guessbook[server]'",
        )
    home.address_file.unlink(missing_ok=True)  # left behind by a server that was killed
    log = home.logs / "server" / f"{datetime.now():%Y%m%d}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "guessbook.clients.keeper", "--home", str(home.root), "--linger", str(linger_s)]
    with log.open("ab") as output:
        # A session of its own: what ends a training program with Ctrl-C must not end the server before the last events came.
        keeper = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    _keepers.append(keeper)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not serving(home):
        if keeper.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            tail = "\n".join(f"  {line}" for line in lines)
            raise GuessbookError(
                f"no server could be started on {home.root}; the end of its log {log}:\n{tail}",
                "What is in the data folder is safe.",
            )
        time.sleep(TICK_S)
