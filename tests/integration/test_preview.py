"""The preview as clients have it: a program that is asked, and the command line that shows it."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from terminal import Terminal

from guessbook.clients import preview as previews
from guessbook.clients.errors import GuessbookError, Invalid
from guessbook.clients.preview import preview, preview_async
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.home import Home

RECORD = {"id": "sum", "question": "2+2?", "answer": "4"}
GIVEN, TRAINED = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n", "4<|im_end|>"


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    file = tmp_path / "facts.jsonl"
    file.write_text(json.dumps(RECORD) + "\nno JSON\n")
    return file


def program(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """In place of the preview's own."""
    monkeypatch.setattr(previews, "COMMAND", (sys.executable, "-c", code))


def test_a_file_and_its_lines_look_the_same(model_folder: Path, facts: Path, tmp_path: Path) -> None:
    config = TrainingConfig(base_model=str(model_folder), seed=2**60)
    answer = preview(facts, config, home=Home(tmp_path))
    assert answer == asyncio.run(preview_async(facts.read_text().splitlines(), config, home=Home(tmp_path)))
    (row,) = answer["rows"]
    assert [(piece["text"], piece["trained"]) for piece in row["pieces"]] == [(GIVEN, False), (TRAINED, True)]
    assert (row["line"], row["id"], row["trained_tokens"]) == (1, "sum", 2)
    assert [error["line"] for error in answer["errors"]] == [2]
    assert answer["memory"]
    assert answer["memory"]["total"] > 0
    assert answer.keys() == previews.Preview.__annotations__.keys()
    assert row.keys() == previews.Row.__annotations__.keys()
    assert row["pieces"][0].keys() == previews.Piece.__annotations__.keys()
    assert answer["memory"].keys() == previews.Memory.__annotations__.keys()


def test_a_model_that_is_not_on_this_machine_is_not_downloaded(facts: Path) -> None:
    with pytest.raises(Invalid, match="the tokenizer of nobody/no-model is not on this machine") as raised:
        preview(facts, TrainingConfig(base_model="nobody/no-model"))
    assert "hf download nobody/no-model" in raised.value.hint


def test_without_the_trainer_or_a_model_it_says_what_to_do(facts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match="no base model"):
        preview(facts, TrainingConfig())
    monkeypatch.setattr(previews, "NEEDS", ("no_such_library",))
    with pytest.raises(Invalid) as raised:
        preview(facts, TrainingConfig(base_model="m"))
    assert "pip install 'guessbook[trainer]'" in raised.value.hint


def test_a_program_that_takes_too_long_is_given_up(facts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, "import signal; signal.pause()")
    with pytest.raises(GuessbookError, match=r"no preview within 0.1 s") as raised:
        preview(facts, TrainingConfig(base_model="m"), deadline_s=0.1)
    assert "your file is unchanged" in raised.value.hint


def test_nobody_waiting_any_more_ends_the_program(facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    program(monkeypatch, f"import os, signal; open({str(pid)!r}, 'w').write(f'{{os.getpid()}}.'); signal.pause()")

    async def leave() -> None:
        task = asyncio.create_task(preview_async(facts, TrainingConfig(base_model="m")))
        while not (pid.exists() and pid.read_text().endswith(".")):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert not Path("/proc", pid.read_text().rstrip(".")).exists()


def test_a_program_that_dies_or_says_too_much_is_told(facts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, "import sys; sys.exit('no room')")
    with pytest.raises(GuessbookError, match="ended with 1:\nno room"):
        preview(facts, TrainingConfig(base_model="m"))
    program(monkeypatch, f"print('x' * {previews.ANSWER_LIMIT})")
    with pytest.raises(GuessbookError, match="too large"):
        preview(facts, TrainingConfig(base_model="m"))


def test_a_dry_run_shows_what_is_trained_and_the_memory(terminal: Terminal, model_folder: Path, facts: Path) -> None:
    document = terminal.json("submit", str(facts), "--dry-run", "--skip-bad-lines", "--model", str(model_folder))
    (row,) = document["tokens"]["rows"]
    assert [(piece["text"], piece["trained"]) for piece in row["pieces"]] == [(GIVEN, False), (TRAINED, True)]
    assert document["tokens"]["memory"]["total"] > 0
    assert "job" not in document


def test_a_dry_run_without_a_model_still_says_what_is_in_the_file(terminal: Terminal, facts: Path) -> None:
    document = terminal.json("submit", str(facts), "--dry-run", "--skip-bad-lines")
    assert document["examples"] == 1
    assert document["tokens"] == {"error": "no base model is named", "hint": document["tokens"]["hint"]}
    shown = terminal.run("submit", str(facts), "--dry-run", "--skip-bad-lines")
    assert "facts.jsonl" in shown.stdout
    assert "Not shown as tokens: no base model is named. Name one" in shown.stdout
