"""What the verbs of `guessbook backup` share: where a backup is, and the process that deals with a place of one's own.

A place that is named in config.yaml is the server's: it does the work and records it. A folder or a URL is dealt with here, without a server: in a process
that reads the log itself.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from guessbook.clients.cli import wording
from guessbook.clients.cli.output import as_document, err, out, print_json, waiting
from guessbook.clients.cli.parts import require
from guessbook.clients.errors import GuessbookError, Invalid, NotFound
from guessbook.proto.safety_pb2 import BackupResponse

PlaceOption = Annotated[
    str,
    typer.Option(
        "--place",
        metavar="PLACE",
        help="A folder or a URL of fsspec; or the name of a place in config.yaml; without it, all of those.",
    ),
]
IdArgument = Annotated[
    str, typer.Argument(metavar="[ID]", help='A backup\'s id or the beginning of it; "latest" without it.')
]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with it.")]
_KINDS: dict[int, type[GuessbookError]] = {Invalid.exit_code: Invalid, NotFound.exit_code: NotFound}


def is_own(place: str) -> bool:
    """Whether a place is a folder or a URL, not one of config.yaml."""
    return "/" in place


def told(answer: BackupResponse, as_json: bool) -> None:
    """Prints what the server says of a backup. Raises `GuessbookError` if it is not whole everywhere."""
    if as_json:
        print_json(as_document(answer))
    else:
        for one in answer.backups:
            state = "read back whole" if one.sound else f"not whole: {one.problem}"
            if one.missing:
                state += f", but for {len(one.missing)} files that were not whole in the data folder"
            facts = f"the log up to position {one.head}, {one.files} files, {wording.size(one.bytes)}"
            out.print(f"{one.id} at {one.place}: {facts}, {state}", markup=False, soft_wrap=True)
    if answer.problems:
        raise GuessbookError(
            "; ".join(answer.problems), "Earlier backups are as they were. Remove the cause and run it again."
        )


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
    for note in told.get("notes", ()):
        err.print(note, style="yellow", markup=False, soft_wrap=True)
    return told
