"""Server, trainers and dashboard of one data folder: the commands that start them, and the order in which they start and stop.

Knows when one of them has ended, not what to do about it (supervisor.py).
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Self

from guessbook.clients.cli.output import err, print_json
from guessbook.clients.cli.part import Part
from guessbook.clients.cli.running import supervising
from guessbook.clients.client import Guessbook
from guessbook.clients.embedded import serving
from guessbook.clients.errors import GuessbookError, Invalid, Rejected, Unauthenticated
from guessbook.store.home import Home

START_TIMEOUT_S = 120.0
# In the order in which they are stopped: the trainers first, so that their last events still arrive; the server last. The
# longest that each may take: a trainer finishes its step and saves a checkpoint. Together less than a service manager waits.
STOP_S = {"trainer": 120.0, "dashboard": 10.0, "server": 30.0}
TICK_S = 0.1
# What a part needs besides the base installation, to say so before it fails with an ImportError.
NEEDS = {"server": "lmdb", "trainer": "torch", "dashboard": "dash"}


def server_command(home: Home, port: int, base_model: str = "") -> list[str]:
    place = ["--home", str(home.root), "--port", str(port), "--base-model", base_model]
    return [sys.executable, "-m", "guessbook.server.app", *place]


def trainer_command(home: Home, address: str) -> list[str]:
    return [sys.executable, "-m", "guessbook.trainer.daemon", "--home", str(home.root), "--address", address]


def dashboard_command(home: Home, address: str, port: int, host_names: Iterable[str] = ()) -> list[str]:
    place = ["--home", str(home.root), "--address", address, "--port", str(port)]
    place += [word for name in host_names for word in ("--host-name", name)]
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


class Parts:
    """The processes of one data folder. A context: entering it claims the folder, leaving it stops them.

    Inside it the first SIGINT, SIGTERM or SIGHUP is a KeyboardInterrupt; the next one, while they are being stopped, kills what is left.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.address = ""
        self.link = ""
        self.all: list[Part] = []
        self._signals = 0
        self._undisturbed = False  # while a process begins or the parts are being stopped, signals are only counted
        self._claimed = supervising(home)

    def __enter__(self) -> Self:
        self._claimed.__enter__()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._claimed.__exit__(None, None, None)

    def start(self, server_port: int, dashboard_port: int, base_model: str = "", trainers: int = 1) -> None:
        """Starts them all. Returns when server and dashboard serve; a trainer connects when it has loaded torch."""
        devices = devices_of(trainers)
        for kind in ("server", "dashboard", *(["trainer"] if trainers else [])):
            require(kind)
        if serving(self.home):
            raise Rejected(
                f"a server already runs for {self.home.root}",
                "Use it as it is, or stop it before you start another one.",
            )
        self.home.address_file.unlink(missing_ok=True)  # left behind by a server that was killed
        server = self._begin("server", "server", server_command(self.home, server_port, base_model))
        self._until(self.home.address_file, server)
        self.address = self.home.address_file.read_text().strip()
        link = self.home.root / "dashboard.link"
        link.unlink(missing_ok=True)
        dashboard = self._begin("dashboard", "dashboard", dashboard_command(self.home, self.address, dashboard_port))
        for name, device in devices.items():
            words = trainer_command(self.home, self.address)
            words += ["--name", f"{socket.gethostname()}-{name.rpartition('-')[2]}"] if device else []
            self._begin("trainer", name, words, {"CUDA_VISIBLE_DEVICES": device} if device else {})
        self._until(link, dashboard)
        self.link = link.read_text().strip()
        # Started again, they are where the others, and the tabs of a browser, look for them.
        server.words = server_command(self.home, _port(self.address), base_model)[2:]
        dashboard.words = dashboard_command(self.home, self.address, _port(self.link.partition("/?")[0]))[2:]

    def again(self, part: Part) -> None:
        """Starts one that has died. Raises Rejected, OSError, and KeyboardInterrupt if meanwhile there was a signal."""
        self._undisturbed = True
        try:
            part.start()
        finally:
            self._undisturbed = False
        if self._signals:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raises what happened when one of the parts has ended by itself, once for each."""
        for part in self.all:
            if not part.living:
                self.all.remove(part)
                raise part.obituary()

    def stop(self) -> None:
        """Trainers, dashboard, server, each after the one before has ended. A signal meanwhile kills what is left."""
        self._undisturbed = True
        patience = min(self._signals, 1)
        for kind, longest_s in STOP_S.items():
            going = [part for part in self.all if part.kind == kind and part.living]
            for part in going:
                err.print(f"stopping the {part.name} …", markup=False)
                part.end(signal.SIGTERM)
            deadline = time.monotonic() + longest_s
            while any(part.living for part in going) and self._signals <= patience and time.monotonic() < deadline:
                time.sleep(TICK_S)
            for part in (part for part in going if part.living):
                err.print(f"the {part.name} does not end; killing it", style="yellow", markup=False)
                part.end(signal.SIGKILL)
        self.all.clear()

    def _begin(self, kind: str, name: str, command: list[str], environment: dict[str, str] | None = None) -> Part:
        part = Part(self.home, kind, name, command[2:], environment or {})
        self.all.append(part)
        self.again(part)
        return part

    def _until(self, written: Path, part: Part) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (written.exists() and written.read_text()):
            if not part.living:
                self.all.remove(part)
                raise part.obituary()
            if time.monotonic() > deadline:
                raise GuessbookError(f"the {part.name} did not get ready in {START_TIMEOUT_S:g} s", f"See {part.log}")
            time.sleep(TICK_S)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if not self._undisturbed and self._signals == 1:
            raise KeyboardInterrupt


def devices_of(trainers: int) -> dict[str, str]:
    """The name of each trainer, and the GPU that it is to have; empty: whichever it takes. Raises Invalid."""
    if trainers == 1:
        return {"trainer": ""}
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = given.split(",") if given else [str(number) for number in range(trainers)]
    if trainers > len(devices):
        raise Invalid(
            f"{trainers} trainers were asked for, and CUDA_VISIBLE_DEVICES={given} names {len(devices)} devices",
            "Name as many devices, or ask for fewer trainers. Nothing was started.",
        )
    return {f"trainer-{number}": device for number, device in enumerate(devices[:trainers])}


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


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
