"""Keeps an embedded server as long as somebody uses it: a process of its own. Knows the lock of its users, not what the server does.

The users hold a shared lock. The system takes it back from a process that ends, in whatever way it ends, so no server is left behind.
"""

import argparse
import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from guessbook.store.home import Home

TICK_S = 0.2
# Longer than the server waits for a trainer that was cut off: it still records that one was lost.
LINGER_S = 10.0
STOP_S = 30.0


def keep(home: Home, linger_s: float) -> int:
    """Runs the server until nobody used it for `linger_s` seconds, or it ends by itself. Returns its exit code."""
    command = [sys.executable, "-m", "guessbook.server.app", "--home", str(home.root), "--port", "0"]
    with home.users_lock.open("a") as lock, subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            return _until_unused(server, lock, linger_s)
        finally:
            _stop(server)


def _until_unused(server: "subprocess.Popen[bytes]", lock: TextIO, linger_s: float) -> int:
    unused_since = time.monotonic()
    while True:
        try:
            return server.wait(TICK_S)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unused_since = now
            continue
        if now - unused_since >= linger_s:
            # The lock stays ours until this process ends: who comes now waits, and then finds no server and starts one.
            return _stop(server)
        fcntl.flock(lock, fcntl.LOCK_UN)


def _stop(server: "subprocess.Popen[bytes]") -> int:
    server.terminate()
    try:
        return server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="guessbook-keeper", description="Serves a data folder while somebody uses it."
    )
    parser.add_argument("--home", type=Path, required=True, help="the data folder")
    parser.add_argument("--linger", type=float, default=LINGER_S, help="seconds to wait for another user")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    return keep(Home(options.home.absolute()), options.linger)


if __name__ == "__main__":
    sys.exit(main())
