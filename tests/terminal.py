"""The command line as a person runs it: a process, its streams and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

GUESSBOOK = [sys.executable, "-m", "guessbook.clients.cli.main"]
DEADLINE_S = 60


class Terminal:
    """Runs `guessbook …` on one data folder, with pipes for streams."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "GUESSBOOK_HOME": str(home), "GUESSBOOK_ADDRESS": "", "PYTHONUNBUFFERED": "1"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*GUESSBOOK, *words]
        return subprocess.run(
            command, check=False, env=self.environment, capture_output=True, text=True, timeout=DEADLINE_S
        )

    def json(self, *words: str) -> dict[str, Any]:
        """The one document on standard output of a command that must succeed."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*GUESSBOOK, *words], env=self.environment, stdout=subprocess.PIPE, text=True)
