"""What `guessbook doctor` asks the server about itself: each check finds one thing and says what to do about it. Prints nothing."""

import time
from dataclasses import dataclass
from importlib.metadata import version

from guessbook.clients.cli import wording
from guessbook.clients.cli.checks import Finding
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Status
from guessbook.store.home import Home

MUCH_SKEW_S = 2.0  # more than the way to the server explains
MUCH_MAP = 0.8  # of the log's map
MANY_READERS = 100  # a read takes milliseconds


@dataclass(frozen=True)
class Told:
    """The server's answer. `skew_s`: how far its clock is ahead of ours, with what the way there may explain."""

    status: Status
    skew_s: float
    way_s: float


def ask(home: Home) -> Told | GuessbookError:
    try:
        with Guessbook(home.address(), home.token) as book:
            book.head()  # the way stands before it is timed
            before = time.time()
            status = book.status()
            after = time.time()
    except GuessbookError as error:
        return error
    return Told(status, status.now_us / 1e6 - (before + after) / 2, after - before)


def reachable(home: Home, told: Told | GuessbookError) -> Finding:
    if isinstance(told, GuessbookError):
        return Finding("reachable", "warn", str(told), told.hint)
    return Finding("reachable", "ok", f"{home.address()}, head {told.status.head}")


def connected(told: Told) -> Finding:
    names = [trainer.id for trainer in told.status.trainers if trainer.connected]
    if not names:
        return Finding("connected", "warn", "no trainer", "Jobs wait until one comes: guessbook trainer")
    return Finding("connected", "ok", ", ".join(visible(name) for name in names))


def versions(told: Told) -> Finding:
    ours, theirs = version("guessbook"), told.status.server_version
    if ours != theirs:
        advice = "They understand each other as far as both know a thing; install the same version to have all of it."
        return Finding("versions", "warn", f"this is {ours}, the server {theirs}", advice)
    return Finding("versions", "ok", f"{ours}, here and at the server")


def clock(told: Told) -> Finding:
    skew = abs(told.skew_s)
    if skew > MUCH_SKEW_S + told.way_s:
        way = "ahead of" if told.skew_s > 0 else "behind"
        advice = "Times in the log are the server's. Have both clocks set by NTP."
        return Finding("clock", "warn", f"the server's is {skew:.1f} s {way} this machine's", advice)
    return Finding("clock", "ok", f"the server's agrees within {max(skew, told.way_s) * 1000:.0f} ms")


def log_map(told: Told) -> Finding:
    status = told.status
    part = status.map_used_bytes / status.map_bytes if status.map_bytes else 0.0
    message = f"{part:.1%} of {wording.size(status.map_bytes)} used, {wording.size(status.log_bytes)} on disk"
    if part > MUCH_MAP:
        return Finding("log map", "warn", message, "When it is full the log takes nothing more; reads go on.")
    return Finding("log map", "ok", message)


def readers(told: Told) -> Finding:
    count = told.status.log_readers
    if count > MANY_READERS:
        advice = "Reads that don't end make the log's file grow. Restart the server; nothing is lost."
        return Finding("readers", "warn", f"{count} reads of the log are open", advice)
    return Finding("readers", "ok", f"{count} reads of the log are open")


def all_about(home: Home) -> list[Finding]:
    """In the order they are shown; without a server only that."""
    told = ask(home)
    first = reachable(home, told)
    if isinstance(told, GuessbookError):
        return [first]
    return [first, *(check(told) for check in (connected, versions, clock, log_map, readers))]
