"""The plug is pulled in mid-training, of the server and of the trainer: real processes, SIGKILL."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.processes import TrainerProcess
from made_events import write_questions
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h

STEPS = 120


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home", start_grace=30) as process:
        yield process


def _submit(book: Guessbook, folder: Path, model: Path) -> str:
    config = e.TrainingConfig(
        base_model=str(model), max_steps=STEPS, save_steps=10, snapshot_steps=[25], max_new_tokens=4, lora_dropout=0.1
    )
    return book.submit(write_questions(folder / "sums.jsonl", 8), config=config).job.id


def _wait_for(book: Guessbook, wanted: str, *, step: int = 0) -> e.Event:
    """The first event of a kind in the log, waited for; of a step, the first from a number on."""
    for answer in book.subscribe(1):
        for event in answer.events:
            if event.WhichOneof("body") == wanted and (not step or event.step_completed.step >= step):
                return event
    raise AssertionError("a subscription does not end")


def _kinds(book: Guessbook, kind: str) -> list[e.Event]:
    return [event for event in book.read() if event.WhichOneof("body") == kind]


def _adapter(book: Guessbook) -> list[str]:
    """The content hash of each version's adapter weights, in order."""
    versions = reversed(book.versions().versions)
    return [file.sha256 for version in versions for file in version.files if file.path == "adapter_model.safetensors"]


def test_a_killed_server_stops_no_training_and_loses_and_doubles_nothing(
    server: ServerProcess, tmp_path: Path, model: Path
) -> None:
    with server.client() as book:
        _submit(book, tmp_path, model)
        with TrainerProcess(server.home.root, server.address, "box"):
            _wait_for(book, "step_completed", step=20)
            server.kill()
            assert server.verify().ok
            last = server.verify().head
            # The trainer alone makes checkpoints: one that the log can't know of yet proves that it went on.
            checkpoints = server.home.checkpoints / "run-0001"
            known = {folder.name for folder in checkpoints.iterdir()}
            while {folder.name for folder in checkpoints.iterdir()} <= known:
                time.sleep(0.01)
            server.start()
            with server.client() as after:
                _wait_for(after, "job_completed")
                steps = [event.step_completed.step for event in _kinds(after, "step_completed")]
                assert steps == list(range(1, STEPS + 1))
                assert not _kinds(after, "job_interrupted")
                positions = [event.position for event in after.read()]
                assert positions == list(range(1, len(positions) + 1))
                assert positions[-1] > last
                assert [snapshot.step for snapshot in after.run().snapshots] == [0, 25, STEPS]


def test_a_killed_trainers_job_is_interrupted_and_ends_as_if_nothing_had_happened(
    server: ServerProcess, tmp_path: Path, model: Path
) -> None:
    with server.client() as book:
        killed = _submit(book, tmp_path, model)
        with TrainerProcess(server.home.root, server.address, "box") as trainer:
            _wait_for(book, "step_completed", step=35)
            trainer.kill()
            _wait_for(book, "job_interrupted")
            assert book.jobs().jobs[0].state == h.JOB_STATE_INTERRUPTED
        undisturbed = _submit(book, tmp_path, model)
        with TrainerProcess(server.home.root, server.address, "box"):
            resumed = _wait_for(book, "job_resumed").job_resumed
            assert resumed.step in (30, 40, 50)
            last = next(event for event in _follow(book, "job_completed") if event.subject == f"job/{undisturbed}")
        assert last
        assert [job.state for job in book.jobs().jobs] == [h.JOB_STATE_COMPLETED] * 2
        assert {job.id for job in book.jobs().jobs} == {killed, undisturbed}
        first, second = _adapter(book)
        assert first == second
        assert list(book.steps("run-0001").step) == list(range(1, STEPS + 1))
        assert book.steps("run-0001").loss == book.steps("run-0002").loss
        stories = [book.trajectory(run, "e3") for run in ("run-0001", "run-0002")]
        guesses = [[(seen.step, seen.guess, seen.loss) for seen in story.observations] for story in stories]
        assert guesses[0] == guesses[1]
        assert stories[0].visits == stories[1].visits


def _follow(book: Guessbook, kind: str) -> Iterator[e.Event]:
    for answer in book.subscribe(1):
        yield from (event for event in answer.events if event.WhichOneof("body") == kind)
