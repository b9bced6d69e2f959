"""Makes a data folder out of a backup, on the machine that the dashboard runs on, by the process that `guessbook backup restore` starts too.

Only who may see config.yaml, which says how a place is read, can do it.
"""

import asyncio
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.backups.work import Outcome
from guessbook.clients.errors import GuessbookError, Invalid

SAFE = "Nothing was restored; the backup is as it was."


def folder(text: str | None) -> Path:
    """The new data folder, as it was typed. Raises Invalid."""
    if not (text or "").strip():
        raise Invalid("no folder was named", "Name one that is not there yet, or is empty.")
    try:
        path = Path((text or "").strip()).expanduser()
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    except (OSError, RuntimeError) as error:  # a folder that may not be read, a name too long; ~ of nobody
        raise Invalid(
            f"{text} can't be used: {error}", "Name a folder that whoever runs the dashboard may read and write."
        ) from error
    if not path.is_absolute():
        raise Invalid(
            f"{path} is not a whole path", "Begin with / or ~: the dashboard may run in another folder than you think."
        )
    if taken:
        raise Invalid(
            f"{path} is not empty", "A restore overwrites nothing. Name a folder that is not there yet, or is empty."
        )
    return path


async def source(book: AsyncGuessbook, place: str) -> str:
    """A place as the process takes it. Raises Forbidden; Invalid where the data folder is on another machine."""
    config = await book.config()
    path = Path(config.path)
    if not path.parent.is_dir():
        raise Invalid(
            f"the data folder {path.parent} is not on the machine that the dashboard runs on",
            "Run `guessbook backup restore` on the server's machine.",
        )
    places = (await book.backups()).places
    # The first is backups/ in the data folder, which config.yaml doesn't name.
    return places[0].url if place == places[0].name else f"{path}#{place}"


async def restore(
    source: str, identity: str, to: Path, position: int | None, reason: str, say: Callable[[str], None]
) -> Outcome:
    """Raises GuessbookError with what the process says."""
    words = ["restore", source, identity, "--to", str(to), "--reason", reason]
    if position is not None:
        words += ["--to-position", str(position)]
    answer = await _run(words, say)
    return Outcome(
        True,
        f"The log up to position {numbers.count(answer['head'])} and {numbers.files(answer['files'])} are in {to}, checked. "
        "It is another log from there on. Start it with:",
        command=f"guessbook up --home {shlex.quote(str(to))}",
        notes=answer.get("notes", ()),
    )


async def _run(words: list[str], say: Callable[[str], None]) -> dict[str, Any]:
    """The answer of `guessbook.store.backup_process`; what it says on the way goes to `say`."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "guessbook.store.backup_process", *words, stdout=pipe, stderr=pipe
    )
    assert process.stdout
    assert process.stderr
    try:
        answer, last = await asyncio.gather(process.stdout.read(), _last_line(process.stderr, say))
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()  # it leaves nothing half made behind
    if not answer:
        raise GuessbookError(f"the restore's process ended with code {process.returncode}: {last}", SAFE)
    told: dict[str, Any] = json.loads(answer)
    if "error" in told:
        raise GuessbookError(told["error"], told["hint"])
    return told


async def _last_line(stream: asyncio.StreamReader, say: Callable[[str], None]) -> str:
    last = "it said nothing"
    async for line in stream:
        last = line.decode(errors="replace").strip()
        say(last)
    return last
