"""One of server, trainer and dashboard as a child process: how it is started, where its output goes, what it died of. Knows no others."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from guessbook.clients import daily_log
from guessbook.clients.cli.running import claim, tell
from guessbook.clients.errors import Fenced, Forbidden, GuessbookError, Invalid, Unauthenticated
from guessbook.store.home import Home

LOG_TAIL_LINES = 12
# What a part ends with that nothing but a person can put right: wrong options, a token that is refused, a name that another process has.
FOR_A_PERSON = {kind.exit_code: kind for kind in (Invalid, Fenced, Unauthenticated, Forbidden)}


@dataclass
class Part:
    """`words`: its module and what that is given. `environment`: what it has besides ours. It can be started again once it has died."""

    home: Home
    kind: str  # server, trainer or dashboard
    name: str  # the kind, or one of several: trainer-0
    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def folder(self) -> Path:
        return self.home.logs / self.name

    @property
    def log(self) -> Path:
        return daily_log.newest(self.folder) or self.folder

    @property
    def living(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the process that was started last, once it has ended; -N: it was ended by signal N."""
        return self.process.poll() if self.process else None

    def start(self) -> None:
        """Raises Rejected if one of that name runs on the folder already."""
        command = [sys.executable, "-m", "guessbook.clients.daily_log", str(self.folder), *self.words]
        today = daily_log.opened(self.folder, datetime.now().date())  # for what it says before it opens its log itself
        with os.fdopen(today, "ab") as output, claim(self.home, self.name) as lock:
            # A session of its own: Ctrl-C reaches the supervisor alone, which then stops the parts in their order.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno()],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
            )
            tell(lock, self.process.pid)

    def end(self, number: signal.Signals) -> None:
        """Sends it a signal, and waits for its end only where that one kills."""
        assert self.process
        self.process.send_signal(number)
        if number is signal.SIGKILL:
            self.process.wait()

    def obituary(self, hint: str = "") -> GuessbookError:
        """What happened to it when it ended by itself, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if self.log.is_file() else []
        tail = re.sub(r"token=\S+", "token=…", "\n".join(f"  {line}" for line in lines))
        again = f"What is in the log and on disk is safe. Start it again: guessbook {self.kind} --home {self.home.root}"
        kind = FOR_A_PERSON.get(self.exit_code or 0, GuessbookError)
        return kind(f"the {self.name} ended ({self._end()}); the end of its log {self.log}:\n{tail}", hint or again)

    def _end(self) -> str:
        code = self.exit_code
        return f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
