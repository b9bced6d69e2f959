"""`guessbook verify`. Reads the log in a process of its own, since a damaged LMDB file can kill the process that maps it."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import err, out, print_json, waiting
from guessbook.clients.cli.parts import require
from guessbook.clients.errors import Invalid, NotFound
from guessbook.store.home import Home

CheckpointOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="A signed checkpoint to compare with, or a folder of them; else all in the data folder. Repeatable.",
    ),
]


def verify(checkpoint: CheckpointOption = None, as_json: AsJson = False) -> None:
    """Read the whole log and check checksums, hash chain, positions, and the signed checkpoints. Works with and without a server.

    Example: guessbook verify --checkpoint /mnt/usb/checkpoints
    """
    home = Home.default()
    require("server")
    if not home.log.exists():
        raise NotFound(f"there is no log in {home.root}", "Set GUESSBOOK_HOME, or pass --home DIR.")
    for place in checkpoint or ():
        if not place.exists():
            raise Invalid(f"there is no {place}", "Pass a signed checkpoint, or a folder of them.")
    with waiting(f"reading {home.log} …") as say:
        verdict = check_log(home, say, checkpoint or ())
    if as_json:
        print_json(verdict)
    elif verdict["ok"]:
        out.print(f"ok: {verdict['head']} events, chain hash {verdict['chain_hash'][:16]}…", markup=False)
        out.print(_agreement(verdict["checkpoints"]), markup=False, soft_wrap=True)
        for archive in verdict["archives"]:
            out.print(_archived(archive), markup=False, soft_wrap=True)
    else:
        where = f" at position {verdict['first_bad_position']}" if verdict["first_bad_position"] else ""
        err.print(f"the log is damaged{where}: {verdict['problem']}", style="bold red", markup=False, soft_wrap=True)
        err.print("Stop the server, keep a copy of the data folder, and bring back log/ from a backup.")
    raise typer.Exit(0 if verdict["ok"] else 1)


def check_log(
    home: Home, progress: Callable[[str], None] = lambda line: None, checkpoints: Sequence[Path] = ()
) -> dict[str, Any]:
    """The verdict on the log: ok, head (the last good position), first_bad_position, problem, chain_hash, merkle_root, checkpoints."""
    command = [sys.executable, "-m", "guessbook.store.verify", str(home.log), "--json"]
    for place in checkpoints:
        command += ["--checkpoint", str(place)]
    last, checked = "it said nothing", 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stderr:
            last = line.strip()
            word, _, position = last.partition(" ")
            if word == "checked" and position.isdigit():
                checked = int(position)
            progress(last)
        answer = process.stdout.read()
    if process.returncode in (0, 1) and answer:
        verdict: dict[str, Any] = json.loads(answer)
        return verdict
    problem = f"behind position {checked} the process that read it ended with code {process.returncode}: {last}"
    return {"ok": False, "head": checked, "first_bad_position": None, "problem": problem, "chain_hash": ""}


def _agreement(checkpoints: Sequence[dict[str, Any]]) -> str:
    if not checkpoints:
        return "No signed checkpoint was there to compare with: whether the end was cut off can't be told."
    given_up = [one["note"] for one in checkpoints if one["note"]]
    agreeing = [one["size"] for one in checkpoints if not one["note"]]
    newest = f", the newest at position {max(agreeing)}" if agreeing else ""
    return "\n".join([f"It agrees with {len(agreeing)} signed checkpoints{newest}.", *given_up])


def _archived(archive: dict[str, Any]) -> str:
    state = "present and good" if archive["present"] else f"absent (SHA-256 {archive['sha256']}); the chain goes on"
    return f"Positions {archive['first_position']} to {archive['last_position']} are archived in {archive['file']}: {state}."
