"""The disaster drill: the data folder is gone, and everything goes on from the second location."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from server_process import ServerProcess
from tiny_model import make_tiny_model
from trainer_thread import Working, submit

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def train(server: ServerProcess, book: Guessbook, model: Path, **config: object) -> None:
    submit(book, server.home, model, max_length=64, learning_rate=1e-2, **config)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    assert book.jobs().jobs[0].state == JOB_STATE_COMPLETED


def story(book: Guessbook) -> tuple[list[bytes], list[bytes]]:
    """Every observation and every version, as the server tells them."""
    observations = [part.SerializeToString(deterministic=True) for part in book.observations("run-0001")]
    return observations, [version.SerializeToString(deterministic=True) for version in book.versions().versions]


def events(book: Guessbook, last: int) -> list[bytes]:
    return [event.SerializeToString(deterministic=True) for event in book.read() if event.position <= last]


def configure(book: Guessbook, text: str) -> None:
    asked = book.request_operation("change-config", reason="a second location", argument=text).operation
    for answer in book.subscribe(asked.position, [f"operation/{asked.id}"]):
        if any(event.HasField("operation_completed") for event in answer.events):
            break
    assert book.operations(id=asked.id).operations[0].stage == OPERATION_STAGE_COMPLETED


def test_all_is_gone_and_goes_on(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model")
    second = tmp_path / "second-location"
    second.mkdir()
    root = tmp_path / "home"
    with ServerProcess(root) as server, server.client() as book:
        configure(book, f"backup: {{places: [{{name: second, url: {second}, offsite: true}}]}}")
        train(server, book, model)
        made = book.create_backup("second").backups[0]
        assert made.sound
        before, log = story(book), events(book, made.head)
    shutil.rmtree(root)

    command = [sys.executable, "-m", "guessbook.clients.cli.main", "backup", "restore", "latest"]
    command += ["--place", str(second), "--to", str(root), "--reason", "the disk is gone"]
    restored = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert restored.returncode == 0, restored.stderr

    with ServerProcess(root) as server, server.client() as book:
        assert events(book, made.head) == log
        assert story(book) == before
        first_new = next(book.read(made.head + 1))
        assert isinstance(first_new, Event)
        assert first_new.log_restored.chain_hash == made.chain_hash
        assert first_new.log_restored.head == made.head
        train(server, book, model, from_version="latest")
        newest = book.versions().versions[0]
        assert (newest.number, newest.parent) == (2, book.versions().versions[1].name)
        assert story(book)[0] == before[0]
