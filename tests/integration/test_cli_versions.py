"""The verbs for versions, base models and guarded operations, as a person runs them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_versions import ScriptedTrainer
from server_process import ServerProcess
from terminal import Terminal

from guessbook.clients.client import Guessbook


@pytest.fixture
def trainer(server: ServerProcess, tmp_path: Path) -> Iterator[ScriptedTrainer]:
    made = ScriptedTrainer(server, tmp_path)
    yield made
    made.close()


def test_a_version_is_shown_noted_exported_deleted_and_restored(
    book: Guessbook, trainer: ScriptedTrainer, terminal: Terminal, tmp_path: Path
) -> None:
    one = trainer.version(book, "one")
    two = trainer.version(book, "two", parent=one)
    tree = terminal.run("versions").stdout
    assert tree.index(one) < tree.index(two) < tree.index("← latest")
    assert "is written" in terminal.run("version", "note", "v2", "seen on Monday").stdout
    shown = terminal.json("version", "show")
    assert (shown["name"], shown["notes"], shown["parent"]) == (two, "seen on Monday", one)

    to = tmp_path / "exported"
    assert terminal.json("version", "export", "v2", "--to", str(to))["folder"] == str(to)
    assert (to / "adapter_model.safetensors").read_bytes() == b"weights of two"
    assert json.loads((to / "metadata.json").read_text()) == json.loads(shown["metadata"])
    assert terminal.run("version", "export", "v1", "--to", str(to)).returncode == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    refused = terminal.run("delete", "v1", "--reason", "x", "--yes")
    assert refused.returncode == 5
    assert f"{two} came from {one}" in " ".join(refused.stderr.split())
    dry = terminal.json("delete", "v2", "--dry-run")
    assert any("trash" in line for line in dry["plan"])
    done = terminal.json("delete", "v2", "--reason", "the wrong file", "--yes")
    assert (done["target"], done["stage"]) == (two, "OPERATION_STAGE_COMPLETED")
    assert two not in terminal.run("versions").stdout
    assert "in the trash" in terminal.run("versions", "--deleted").stdout
    assert "is back" in terminal.run("restore", "v2").stdout
    rolled = terminal.run("rollback", "v2", "--reason", "it is the better one", "--yes")
    assert f"latest is {two}" in rolled.stdout
    assert terminal.run("rollback", "v2").returncode == 2, "without a reason"


def test_the_audit_is_filtered_by_time_and_actor_and_reads_backups_back(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, terminal: Terminal
) -> None:
    trainer.version(book, "one")
    two = trainer.version(book, "two")
    done = terminal.json("rollback", "v1", "--reason", "v2 forgot", "--yes")
    listed = terminal.json("audit", "--since", "2020-01-01", "--actor", "admin")["operations"]
    assert [(one["id"], one["kind"], one["reason"]) for one in listed] == [(done["id"], "rollback", "v2 forgot")]
    assert json.loads(listed[0]["before"]) == {"latest": two}
    assert [one["state"] for one in listed[0]["backups"]] == ["whole"]
    assert terminal.json("audit", "--since", "2100-01-01")["operations"] == []
    assert terminal.json("audit", "--actor", "nobody")["operations"] == []
    assert terminal.run("audit", "--since", "soon").returncode == 2
    assert "v2 forgot" in terminal.run("audit", done["id"]).stdout
    assert terminal.run("audit", "0" * 12).returncode == 4

    copy = next(path for path in (server.home.backups / "objects").rglob("*") if path.is_file())
    copy.chmod(0o644)
    copy.write_bytes(b"something else")
    assert terminal.json("audit")["operations"][0]["backups"][0]["state"] == "whole", "as it was read last"
    state = terminal.json("audit", "--verify")["operations"][0]["backups"][0]["state"]
    assert copy.name in state


def test_a_consolidation_is_refused_planned_and_ended(
    book: Guessbook, trainer: ScriptedTrainer, terminal: Terminal
) -> None:
    assert terminal.run("consolidate", "--reason", "x", "--yes").returncode == 4, "there is no version"
    trainer.version(book, "one")
    assert terminal.run("consolidate", "--yes").returncode == 2, "without a reason"
    assert any("float32" in line for line in terminal.json("consolidate", "--dry-run")["plan"])
    asked = book.request_operation("consolidate", "latest", reason="to serve it").operation
    for answer in book.subscribe(asked.position, ["job/"]):
        if any(event.job_queued.consolidate for event in answer.events):
            break
    assert terminal.run("rollback", "v1", "--reason", "x", "--yes").returncode == 5
    assert terminal.run("abort", asked.id).returncode == 2, "without a reason"
    assert "no trainer before Monday" in terminal.run("abort", asked.id, "--reason", "no trainer before Monday").stdout
    assert terminal.run("abort", asked.id, "--reason", "again").returncode == 5


def test_base_models_and_config(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, terminal: Terminal, tmp_path: Path
) -> None:
    trainer.version(book, "one")
    assert "No base model is registered" in terminal.run("base", "list").stdout
    model = tmp_path / "tiny.gguf"
    model.write_bytes(b"weights")
    assert "is registered" in terminal.run("base", "add", "mine", str(model)).stdout
    assert "is registered" in terminal.run("base", "add", "hub", "org/model", "--revision", "v2").stdout
    assert "org/model@v2" in terminal.run("base", "list").stdout
    assert "those that were registered" in terminal.run("base", "use", "mine", "--reason", "x", "--yes").stdout
    assert [one.get("used", False) for one in terminal.json("base", "list")["base_models"]] == [True, False]
    assert terminal.run("base", "verify", "mine").returncode == 0
    model.write_bytes(b"others")
    changed = terminal.run("base", "verify", "mine")
    assert (changed.returncode, "has changed" in changed.stdout) == (1, True)

    assert "the defaults hold" in terminal.run("config", "show").stdout
    new = tmp_path / "new.yaml"
    new.write_text("trash_days: 7\n")
    assert "says what was asked for" in terminal.run("config", "set", str(new), "--reason", "x", "--yes").stdout
    assert terminal.json("config", "show")["yaml"] == server.home.config.read_text() == "trash_days: 7\n"
    new.write_text("trash_day: 7\n")
    wrong = terminal.run("config", "set", str(new), "--reason", "x", "--yes")
    assert (wrong.returncode, "trash_day" in wrong.stderr) == (2, True)
