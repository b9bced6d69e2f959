"""The dashboard and the trainer as processes of their own, as a user starts them."""

import subprocess
import sys
from pathlib import Path
from signal import Signals
from typing import Self


class Process:
    """Runs a module until the `with` ends. `ready` is its first line of output, which it prints when it serves."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.ready = self._process.stdout.readline().strip()
        if not self.ready:
            self.kill()
            raise AssertionError(f"{self._command} ended before it served")

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """With SIGKILL: nothing is cleaned up."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


class Dashboard(Process):
    """After a `kill`, `start` serves at the same port again."""

    def __init__(self, home: Path, address: str) -> None:
        super().__init__("guessbook.clients.dashboard.app", "--home", str(home), "--address", address, "--port", "0")

    def start(self) -> None:
        super().start()
        self._command[-1] = self.link.partition("/?")[0].rpartition(":")[2]

    @property
    def link(self) -> str:
        """The address that lets a browser in."""
        return self.ready.removeprefix("dashboard: ")

    def page(self, path: str, query: str = "") -> str:
        """The address of a page, for a browser that was or wasn't let in before."""
        address, _, token = self.link.partition("/?")
        return f"{address}{path}?{token}" + (f"&{query}" if query else "")


class TrainerProcess:
    """A trainer at work until it is killed, or until the `with` ends."""

    def __init__(self, home: Path, address: str, name: str) -> None:
        where = ["--home", str(home), "--address", address, "--name", name]
        self._command = [sys.executable, "-m", "guessbook.trainer.daemon", *where]
        self._log = home / f"{name}.log"

    def __enter__(self) -> Self:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def signal(self, number: Signals) -> None:
        self._process.send_signal(number)

    def children(self) -> list[int]:
        pid = self._process.pid
        found = [task.joinpath("children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for part in found for child in part]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
