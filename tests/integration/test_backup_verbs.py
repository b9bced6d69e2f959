"""The verbs of `guessbook backup` as a user types them, each a process, beside a running server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from made_versions import ScriptedTrainer
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.store.home import Home
from guessbook.store.verify import verify


@pytest.fixture
def disk(server: ServerProcess, book: Guessbook, tmp_path: Path) -> Iterator[Path]:
    """A second place of the server, beside the one in the data folder."""
    folder = tmp_path / "usb"
    folder.mkdir()
    server.home.config.write_text(yaml.safe_dump({"backup": {"places": [{"name": "usb", "url": str(folder)}]}}))
    trainer = ScriptedTrainer(server, tmp_path)
    trainer.version(book, "one")
    yield folder
    trainer.close()


def cli(server: ServerProcess, *words: str) -> SimpleNamespace:
    command = [sys.executable, "-m", "guessbook.clients.cli.main", "--home", str(server.home.root), "backup", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


def told(server: ServerProcess, *words: str) -> Any:
    done = cli(server, *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_each_verb_once(server: ServerProcess, disk: Path, tmp_path: Path) -> None:
    first = told(server, "create")
    assert [one["place"] for one in first["backups"]] == ["local", "usb"]
    own = tmp_path / "own"
    own.mkdir()
    made = told(server, "create", "--place", str(own), "--reason", "before the move")
    assert (made["reason"], made["problems"]) == ("before the move", [])
    assert {one["id"] for one in told(server, "list")["backups"]} == {first["id"]}
    assert told(server, "verify", "latest")["id"] == first["id"]
    assert told(server, "drill", "latest", "--place", "usb")["backups"][0]["drilled_at_us"]
    told(server, "create")
    newest = told(server, "create", "--place", "local")
    assert told(server, "verify", "latest")["id"] == newest["id"]
    assert told(server, "verify", "latest", "--place", "usb")["id"] != newest["id"]
    pruned = cli(server, "prune", "--yes", "--reason", "tidy")
    assert pruned.code == 0, pruned.err
    assert first["id"] not in {one["id"] for one in told(server, "list")["backups"]}
    restored = told(server, "restore", "latest", "--place", "usb", "--to", str(tmp_path / "back"))
    assert restored["absent"] == []
    assert verify(Home(tmp_path / "back").log).ok


def test_an_option_that_the_server_does_not_know_is_refused(server: ServerProcess, disk: Path) -> None:
    for option in (["--skip-missing"], ["--reason", "why"]):
        refused = cli(server, "create", *option)
        assert refused.code == 2
        assert "--place" in refused.err
    assert not told(server, "list").get("backups")


def test_what_was_at_the_place_already_is_read_back_too(server: ServerProcess, disk: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    told(server, "create", "--place", str(own))
    victim = next(path for path in (own / "objects").rglob("*") if path.is_file() and path.stat().st_size > 100)
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    again = cli(server, "create", "--place", str(own))
    assert again.code == 1
    assert victim.name in again.err
