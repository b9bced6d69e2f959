"""Which processes `guessbook up` has on a data folder: a file each in run/, with the process's id, locked for as long as it lives.

The system takes a lock back from a process that ends in whatever way, so nobody is taken for alive who isn't. Knows nothing of what they do.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from guessbook.clients.errors import Rejected
from guessbook.store.home import Home

SUPERVISOR = "up"


def claim(home: Home, name: str) -> IO[str]:
    """The file, locked until it is closed by this process and by all that inherited it. Raises Rejected if another has it."""
    folder = home.root / "run"
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / f"{name}.pid").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        pid = file.read().strip()
        file.close()
        raise Rejected(
            f"{name} runs already for {home.root}, as process {pid}", f"Stop that one: kill {pid}"
        ) from error
    return file


def tell(file: IO[str], pid: int) -> None:
    """Says who has a file that was claimed."""
    file.truncate(0)
    file.write(f"{pid}\n")
    file.flush()


@contextmanager
def supervising(home: Home) -> Iterator[None]:
    """Inside it, this process is the only one that starts parts for the folder. Raises Rejected, which names who runs already."""
    with claim(home, SUPERVISOR) as file:
        left = {name: pid for name, pid in processes(home).items() if name != SUPERVISOR}
        if left:
            names = ", ".join(f"{name} (process {pid or 'unknown'})" for name, pid in left.items())
            pids = " ".join(str(pid) for pid in left.values() if pid)
            raise Rejected(
                f"an earlier `guessbook up` was killed, and of it there still run: {names}",
                f"They go on as they are. To start anew, stop them: kill {pids} "
                "(a trainer saves its step before it ends). Nothing was started.",
            )
        tell(file, os.getpid())
        yield


def processes(home: Home) -> dict[str, int]:
    """name → process id of all that are alive; 0 of one that was killed before it was told."""
    alive = {}
    for path in sorted((home.root / "run").glob("*.pid")):
        with path.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alive[path.stem] = int(file.read() or 0)
    return alive
