"""Pause, stop, exit, kill and resume on a tiny model: the finished adapter is that of an undisturbed run, bit by bit.

Real processes are killed in tests/durability/test_exact_resume.py.
"""

import json
import threading
from pathlib import Path

import pytest
from assigned import STEPS, Book, Killed, adapter, assert_identical, assign, past_of, tiny_config

from guessbook.proto.events_pb2 import CancelRequested, Event, PauseRequested, StopRequested
from guessbook.proto.history_pb2 import Job
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.trainer import checkpoint
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Past

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> tuple[Home, Book]:
    """A whole run with snapshots, from start to end."""
    home, book = Home(tmp_path_factory.mktemp("whole")), Book()
    assert assign(home, model_folder, tiny_config(), book).carry_out() == (Ending.COMPLETED, 0)
    return home, book


def resume(home: Home, model: Path, book: Book, step: int) -> tuple[Ending, int]:
    return assign(home, model, tiny_config(), book, resume_step=step).carry_out()


@pytest.mark.parametrize(
    ("request_", "ending", "step"),  # in an epoch and at its end, at a snapshot and a checkpoint, and at neither
    [
        (Event(pause_requested=PauseRequested()), Ending.PAUSED, 2),
        (Event(pause_requested=PauseRequested()), Ending.PAUSED, 7),
        (Event(stop_requested=StopRequested()), Ending.STOPPED, 3),
        (Event(stop_requested=StopRequested(preempted_by="urgent", keep_place=True)), Ending.STOPPED, 4),
        (Event(cancel_requested=CancelRequested()), Ending.CANCELLED, 6),
        (None, Ending.LEFT, 5),  # the trainer is told to exit
    ],
)
def test_whatever_ends_it_the_run_goes_on_to_the_weights_of_an_undisturbed_one(
    undisturbed_run: tuple[Home, Book],
    model_folder: Path,
    tmp_path: Path,
    request_: Event | None,
    ending: Ending,
    step: int,
) -> None:
    home, leaving = Home(tmp_path), threading.Event()
    orders = Orders(Job(), leaving)

    def end(event: Event) -> None:
        if event.step_completed.step == step:
            if request_ is None:
                leaving.set()
            else:
                request_.position = 77
                orders.apply(request_)

    book = Book(end)
    first = assign(home, model_folder, tiny_config(), book, orders)
    assert first.carry_out() == (ending, 77 if request_ else 0)
    assert first.progress.step == first.progress.saved == step
    assert book.names()[-1] == "checkpoint_saved"
    assert first.last_checkpoint == str(checkpoint.place(home.checkpoints / "run-1", step))
    assert checkpoint.is_complete(Path(first.last_checkpoint))

    again, past = Book(), past_of([book], step)
    assert (
        assign(home, model_folder, tiny_config(), again, past=past, resume_step=step).carry_out()[0] is Ending.COMPLETED
    )
    assert again.bodies("job_resumed")[0].step == step
    assert "run_started" not in again.names()
    assert [done.step for done in again.bodies("step_completed")] == list(range(step + 1, STEPS + 1))
    completed = [done.step for one in (book, again) for done in one.bodies("snapshot_completed")]
    assert completed == [0, 2, 5, STEPS]
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


# ---- killed ----


def test_a_kill_resumes_from_the_last_checkpoint_that_the_log_knows(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path)

    def kill(event: Event) -> None:
        if event.checkpoint_saved.step == 8:
            raise Killed

    with pytest.raises(Killed):
        assign(home, model_folder, tiny_config(), Book(kill)).carry_out()
    folder = home.checkpoints / "run-1"
    assert checkpoint.last_complete(folder, at_most=99) == checkpoint.place(folder, 8)

    again = Book()  # the log did not get to know of step 8
    assert resume(home, model_folder, again, 4) == (Ending.COMPLETED, 0)
    assert [done.step for done in again.bodies("step_completed")] == [5, 6, 7, 8, 9]
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


def test_a_torn_checkpoint_is_passed_over(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path)

    def kill(event: Event) -> None:
        if event.checkpoint_saved.step == 8:
            raise Killed

    with pytest.raises(Killed):
        assign(home, model_folder, tiny_config(), Book(kill)).carry_out()
    torn = checkpoint.place(home.checkpoints / "run-1", 8) / "optimizer.pt"
    torn.write_bytes(torn.read_bytes()[:-100])
    again = Book()
    assert resume(home, model_folder, again, 8) == (Ending.COMPLETED, 0)
    assert again.bodies("job_resumed")[0].step == 4
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


def test_however_long_the_server_was_away_the_last_checkpoint_that_it_knows_is_there(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    """It heard of the first one, and of nothing after that; then the trainer is lost too."""
    home = Home(tmp_path)

    def kill(event: Event) -> None:
        if event.step_completed.step == STEPS:
            raise Killed

    book = Book(kill)
    assigned = assign(home, model_folder, tiny_config(save_steps=2), book)
    assigned.all_told = lambda: len(book.bodies("checkpoint_saved")) < 2
    with pytest.raises(Killed):
        assigned.carry_out()
    folder = home.checkpoints / "run-1"
    assert {path.name for path in folder.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-6", "checkpoint-8"}
    again = Book()
    assert resume(home, model_folder, again, 2) == (Ending.COMPLETED, 0)
    assert again.bodies("job_resumed")[0].step == 2
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


def test_without_a_checkpoint_a_started_run_begins_anew(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home, book = Home(tmp_path), Book()
    assert resume(home, model_folder, book, 0) == (Ending.COMPLETED, 0)
    assert book.names()[:2] == ["job_resumed", "snapshot_started"]
    assert book.bodies("job_resumed")[0].step == 0
    assert_identical(adapter(*undisturbed_run), adapter(home, book))


def test_a_run_killed_before_its_version_makes_it_without_another_step(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path)

    def kill(event: Event) -> None:
        if event.HasField("version_created"):
            raise Killed

    with pytest.raises(Killed):
        assign(home, model_folder, tiny_config(), Book(kill)).carry_out()
    again = Book()
    assert resume(home, model_folder, again, STEPS) == (Ending.COMPLETED, 0)
    assert again.names() == ["job_resumed", "version_created"]
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


def test_a_run_that_has_its_version_gets_no_second_one(undisturbed_run: tuple[Home, Book], model_folder: Path) -> None:
    """Its trainer was killed before it could say that the job is completed."""
    home, _ = undisturbed_run
    book = Book()
    assigned = assign(home, model_folder, tiny_config(), book, past=Past(has_version=True), resume_step=STEPS)
    assert assigned.carry_out() == (Ending.COMPLETED, 0)
    assert book.names() == ["job_resumed"]


def test_the_same_adapter_is_stored_as_the_same_bytes_in_every_process(undisturbed_run: tuple[Home, Book]) -> None:
    home, book = undisturbed_run
    (version,) = book.bodies("version_created")
    (file,) = [file for file in version.files if file.path == "adapter_config.json"]
    config = json.loads(Artifacts(home.artifacts).path(file.sha256).read_text())
    assert config["target_modules"] == sorted(config["target_modules"])
    assert len(config["target_modules"]) > 1
