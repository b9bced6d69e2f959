"""`guessbook verify`. Reads the log in a process of its own, since a damaged LMDB file can kill the process that maps it."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import err, out, print_json, waiting
from guessbook.clients.cli.parts import require
from guessbook.clients.errors import NotFound
from guessbook.store.home import Home


def verify(as_json: AsJson = False) -> None:
    """Read the whole log and check every checksum, the hash chain and the positions. Works with and without a server.

    Example: guessbook verify
    """
    home = Home.default()
    require("server")
    if not home.log.exists():
        raise NotFound(f"there is no log in {home.root}", "Set GUESSBOOK_HOME, or pass --home DIR.")
    with waiting(f"reading {home.log} …") as say:
        verdict = check_log(home, say)
    if as_json:
        print_json(verdict)
    elif verdict["ok"]:
        out.print(f"ok: {verdict['head']} events, chain hash {verdict['chain_hash'][:16]}…")
    else:
        where = f" at position {verdict['first_bad_position']}" if verdict["first_bad_position"] else ""
        err.print(f"the log is damaged{where}: {verdict['problem']}", style="bold red", markup=False, soft_wrap=True)
        err.print("Stop the server, keep a copy of the data folder, and bring back log/ from a backup.")
    raise typer.Exit(0 if verdict["ok"] else 1)


def check_log(home: Home, progress: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The verdict on the log: ok, head (the last good position), first_bad_position, problem, chain_hash."""
    command = [sys.executable, "-m", "guessbook.store.verify", str(home.log), "--json"]
    last = "it said nothing"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stderr:
            last = line.strip()
            progress(last)
        answer = process.stdout.read()
    if process.returncode in (0, 1) and answer:
        verdict: dict[str, Any] = json.loads(answer)
        return verdict
    problem = f"the process that read it ended with code {process.returncode}: {last}"
    return {"ok": False, "head": 0, "first_bad_position": None, "problem": problem, "chain_hash": ""}
