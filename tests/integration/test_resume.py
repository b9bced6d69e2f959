"""Pause, kill and resume on a tiny model: the finished adapter is that of an undisturbed run, bit by bit."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from assigned import STEPS, Book, Killed, adapter, assert_identical, assign, tiny_config
from tiny_model import make_tiny_model

from guessbook.proto.events_pb2 import Event, PauseRequested
from guessbook.proto.history_pb2 import Job
from guessbook.store.home import Home
from guessbook.trainer import checkpoint
from guessbook.trainer.orders import Ending, Orders


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """So small a model is faster on one thread, all the more on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> tuple[Home, Book]:
    """A whole run with snapshots, from start to end."""
    home, book = Home(tmp_path_factory.mktemp("whole")), Book()
    assert assign(home, model_folder, tiny_config(), book).carry_out() == (Ending.COMPLETED, 0)
    return home, book


# ---- pause, resume, kill ----


def resume(home: Home, model: Path, book: Book, step: int) -> tuple[Ending, int]:
    return assign(home, model, tiny_config(), book, resume_step=step).carry_out()


@pytest.mark.parametrize("step", [3, 4, 5])
def test_pause_and_resume_ends_with_the_weights_of_an_undisturbed_run(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path, step: int
) -> None:
    home = Home(tmp_path)
    orders = Orders(Job(), threading.Event())

    def pause(event: Event) -> None:
        if event.step_completed.step == step - 1:
            orders.apply(Event(position=77, pause_requested=PauseRequested()))

    book = Book(pause)
    first = assign(home, model_folder, tiny_config(), book, orders)
    assert first.carry_out() == (Ending.PAUSED, 77)
    assert first.progress.step == step
    assert book.names()[-1] == "checkpoint_saved"
    assert first.last_checkpoint.is_dir()

    again = Book()
    assert resume(home, model_folder, again, step) == (Ending.COMPLETED, 0)
    assert again.bodies("job_resumed")[0].step == step
    assert "run_started" not in again.names()
    assert [done.step for done in again.bodies("step_completed")] == list(range(step + 1, STEPS + 1))
    assert 0 not in [started.step for started in again.bodies("snapshot_started")]
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


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


def test_a_trainer_that_is_told_to_exit_saves_the_step_it_is_at(model_folder: Path, tmp_path: Path) -> None:
    leaving = threading.Event()

    def leave(event: Event) -> None:
        if event.step_completed.step == 2:
            leaving.set()

    book = Book(leave)
    job = assign(Home(tmp_path), model_folder, tiny_config(), book, Orders(Job(), leaving))
    assert job.carry_out() == (Ending.LEFT, 0)
    assert book.bodies("checkpoint_saved")[-1].step == 3


def test_a_run_that_has_its_version_gets_no_second_one(undisturbed_run: tuple[Home, Book], model_folder: Path) -> None:
    """Its trainer was killed before it could say that the job is completed."""
    home, _ = undisturbed_run
    book = Book()
    assigned = assign(home, model_folder, tiny_config(), book, resume_step=STEPS, has_version=True)
    assert assigned.carry_out() == (Ending.COMPLETED, 0)
    assert book.names() == ["job_resumed"]
