"""What the verbs of `guessbook backup` share: the process that does it, and its answer. It reads the log itself, since a backup needs no server."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from guessbook.clients.cli.output import waiting
from guessbook.clients.cli.parts import require
from guessbook.clients.errors import GuessbookError, Invalid, NotFound

PlaceArgument = Annotated[
    str, typer.Argument(metavar="PLACE", help="Where backups are kept: a folder that is there, or a URL of fsspec.")
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help='A backup\'s id or the beginning of it, or "latest".')]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with it.")]
_KINDS: dict[int, type[GuessbookError]] = {Invalid.exit_code: Invalid, NotFound.exit_code: NotFound}


def run(task: str, words: Sequence[str]) -> dict[str, Any]:
    """The answer of `guessbook.store.backup_process`. Raises what it says as Invalid, NotFound or GuessbookError."""
    require("server")
    command = [sys.executable, "-m", "guessbook.store.backup_process", task, *words]
    last = "it said nothing"
    with (
        waiting("reading …") as say,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout
        assert process.stderr
        for line in process.stderr:
            last = line.strip()
            say(last)
        answer = process.stdout.read()
    if not answer:
        raise GuessbookError(
            f"the process of the backup ended with code {process.returncode}: {last}",
            "Earlier backups are as they were. If it read the log, run `guessbook verify`.",
        )
    told: dict[str, Any] = json.loads(answer)
    if "error" in told:
        raise _KINDS.get(process.returncode, GuessbookError)(told["error"], told["hint"])
    return told


def size(count: int) -> str:
    """Bytes as people read them."""
    amount, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"
