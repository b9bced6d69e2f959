"""A real server in a process of its own, on a free port, that can be stopped, killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from guessbook.clients.client import Guessbook
from guessbook.store.home import Home
from guessbook.store.verify import Verdict, verify

START_S = 30.0


class ServerProcess:
    """Serves `home`; after a `kill` or `stop`, `start` serves the same data at the same port again."""

    def __init__(
        self,
        root: Path,
        *,
        trainer_grace: float = 0.5,
        start_grace: float = 5.0,
        base_model: str = "",
        wrapper: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        """`wrapper`: words to put before the command, a tracer say, that must leave the server this process's child."""
        self.home = Home(root)
        self._options = ["--trainer-grace", str(trainer_grace), "--start-grace", str(start_grace)]
        self._options += ["--base-model", base_model, *options]
        self._wrapper = wrapper
        self._port = "0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.home.root.mkdir(parents=True, exist_ok=True)
        os.environ["GUESSBOOK_HOME"] = str(self.home.root)  # where clients of this test find a token
        self.home.address_file.unlink(missing_ok=True)
        command = [
            *self._wrapper,
            sys.executable,
            "-m",
            "guessbook.server.app",
            "--home",
            str(self.home.root),
            "--port",
            self._port,
        ]
        with (self.home.root / "server.log").open("ab") as output:
            self._process = subprocess.Popen([*command, *self._options], stdout=output, stderr=output)
        deadline = time.monotonic() + START_S
        while not (self.home.address_file.exists() and self.home.address_file.read_text().endswith("\n")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {(self.home.root / 'server.log').read_text()}")
            time.sleep(0.02)
        self._port = self.address.rpartition(":")[2]
        return self

    @property
    def address(self) -> str:
        return self.home.address_file.read_text().strip()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self) -> Guessbook:
        return Guessbook(self.address, self.home.token)

    def resident_mb(self) -> float:
        """Memory of the process, in MB of 10^6 bytes."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return int(kilobytes) * 1024 / 1e6

    def kill(self) -> None:
        """As a power cut would end the process: it gets no chance to finish anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process
        os.kill(self._process.pid, number)
        return self._process.wait(timeout=20)

    def verify(self) -> Verdict:
        return verify(self.home.log)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops, and checks the log that the test leaves."""
        if self.running:
            code = self.stop()
            assert kind or code == 0, (self.home.root / "server.log").read_text()
        verdict = self.verify()
        assert kind or verdict.ok, verdict
