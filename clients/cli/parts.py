"""Server, trainer and dashboard as processes of their own. Knows how to start, watch and stop them, not what they do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Self

from guessbook.clients.cli.output import err, print_json
from guessbook.clients.client import Guessbook
from guessbook.clients.embedded import serving
from guessbook.clients.errors import GuessbookError, Invalid, Rejected, Unauthenticated
from guessbook.store.home import Home

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 120.0  # a trainer finishes its step and saves a checkpoint
TICK_S = 0.1
LOG_TAIL_LINES = 12
# What a part needs besides the base installation, to say so before it fails with an ImportError.
NEEDS = {"server": "lmdb", "trainer": "torch", "dashboard": "dash"}


def server_command(home: Home, port: int, base_model: str = "") -> list[str]:
    place = ["--home", str(home.root), "--port", str(port), "--base-model", base_model]
    return [sys.executable, "-m", "guessbook.server.app", *place]


def trainer_command(home: Home, address: str) -> list[str]:
    return [sys.executable, "-m", "guessbook.trainer.daemon", "--home", str(home.root), "--address", address]


def dashboard_command(home: Home, address: str, port: int) -> list[str]:
    place = ["--home", str(home.root), "--address", address, "--port", str(port)]
    return [sys.executable, "-m", "guessbook.clients.dashboard.app", *place]


def require(name: str) -> None:
    """Raises `Invalid` when the extra that a part needs isn't installed."""
    if find_spec(NEEDS[name]) is None:
        raise Invalid(f"the {name} is not installed", f"Install it: pip install 'guessbook[{name}]'")


def become(name: str, command: list[str], as_json: bool) -> None:
    """Replaces this process by a part. With `as_json` says so on standard output; the part's own lines go to stderr."""
    require(name)
    if as_json:
        print_json({"part": name, "pid": os.getpid(), "command": command})
        sys.stdout.flush()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.execv(command[0], command)


@dataclass
class Part:
    """One started process and where its output goes."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    again: str  # the command that starts it once more

    def died(self) -> bool:
        return self.process.poll() is not None

    def obituary(self) -> GuessbookError:
        """What happened to a part that ended by itself, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        tail = "\n".join(f"  {line}" for line in lines)
        return GuessbookError(
            f"the {self.name} ended (exit code {self.process.returncode}); the end of its log {self.log}:\n{tail}",
            f"What is in the log and on disk is safe. Start it again: {self.again}",
        )


class Parts:
    """The processes of one data folder, in the order they were started; stopped trainer first, server last.

    A context: leaving it stops them. Inside it SIGTERM and SIGHUP do what Ctrl-C does.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.address = ""
        self.link = ""
        self._parts: list[Part] = []

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, server_port: int, dashboard_port: int, base_model: str = "") -> None:
        """Starts all three. Returns when server and dashboard serve; the trainer connects when it has loaded torch."""
        for name in NEEDS:
            require(name)
        if serving(self.home):
            raise Rejected(
                f"a server already runs for {self.home.root}",
                "Use it as it is, or stop it before you start another one.",
            )
        self.home.address_file.unlink(missing_ok=True)  # left behind by a server that was killed
        server = self._start("server", server_command(self.home, server_port, base_model))
        self._until(self.home.address_file, server)
        self.address = self.home.address_file.read_text().strip()
        server.again += f" --port {self.address.rpartition(':')[2]}"  # where the others look for it
        link = self.home.root / "dashboard.link"
        link.unlink(missing_ok=True)
        dashboard = self._start("dashboard", dashboard_command(self.home, self.address, dashboard_port))
        self._start("trainer", trainer_command(self.home, self.address))
        self._until(link, dashboard)
        self.link = link.read_text().strip()

    def check(self) -> None:
        """Raises what happened when one of the parts has ended by itself, once for each."""
        for part in self._parts:
            if part.died():
                self._parts.remove(part)
                raise part.obituary()

    def watch(self) -> Iterator[GuessbookError]:
        """Yields what happened each time a part ends by itself; ends when none is left."""
        while self._parts:
            try:
                self.check()
            except GuessbookError as error:
                yield error
            time.sleep(TICK_S)

    def stop(self) -> None:
        """Trainer first, so that its last events still arrive; then the dashboard; the server last."""
        for part in sorted(self._parts, key=lambda part: ("trainer", "dashboard", "server").index(part.name)):
            if part.died():
                continue
            err.print(f"stopping the {part.name} …", markup=False)
            part.process.send_signal(signal.SIGTERM)
            try:
                part.process.wait(STOP_TIMEOUT_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                err.print(f"the {part.name} does not end; killing it", style="yellow")
                part.process.kill()
                part.process.wait()
        self._parts.clear()

    def _start(self, name: str, command: list[str]) -> Part:
        log = self.home.logs / name / f"{datetime.now():%Y%m%d}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            # A session of its own: Ctrl-C reaches this process alone, which then stops the parts in their order.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        part = Part(name, log, process, f"guessbook {name} --home {self.home.root}")
        self._parts.append(part)
        return part

    def _until(self, written: Path, part: Part) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (written.exists() and written.read_text()):
            if part.died():
                self._parts.remove(part)
                raise part.obituary()
            if time.monotonic() > deadline:
                raise GuessbookError(f"the {part.name} did not get ready in {START_TIMEOUT_S:g} s", f"See {part.log}")
            time.sleep(TICK_S)


def check_folder(book: Guessbook, home: Home) -> None:
    """Raises where another data folder's server answers, at an address that nobody gave: one left behind, or the default."""
    if os.environ.get("GUESSBOOK_ADDRESS"):
        return
    try:
        theirs = book.status().home
    except Unauthenticated as error:
        raise Unauthenticated(
            f"the server at {book.address} doesn't know the token; it may be that of another data folder than {home.root}",
            "Start one for this folder (guessbook up), or say which you mean with --home or --address. Nothing was done.",
        ) from error
    if not home.is_at(theirs):
        raise Rejected(
            f"the server at {book.address} has another data folder: {theirs}, not {home.root}",
            "Start one for this folder (guessbook up), or say which you mean with --home or --address. Nothing was done.",
        )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
