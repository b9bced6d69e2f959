"""What is asked of a job takes effect at the next step, before the first one and in the middle of a snapshot, and costs no exactness."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from assigned import STEPS, Book, Killed, adapter, assert_identical, assign, past_of, tiny_config
from transformers import TrainerCallback

from guessbook.proto.events_pb2 import BatchSkipRequested, Event, PauseRequested
from guessbook.proto.history_pb2 import Job
from guessbook.store.home import Home
from guessbook.trainer import checkpoint
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.training import ExampleLossTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

PAUSE = Event(position=77, pause_requested=PauseRequested())
SKIP = Event(position=78, batch_skip_requested=BatchSkipRequested())


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> tuple[Home, Book]:
    home, book = Home(tmp_path_factory.mktemp("whole")), Book()
    assert assign(home, model_folder, tiny_config(), book).carry_out() == (Ending.COMPLETED, 0)
    return home, book


def asking(asked: Event, after: Event) -> tuple[Orders, Book]:
    """Something is asked as soon as a certain event was recorded."""
    orders = Orders(Job(), threading.Event())

    def ask(event: Event) -> None:
        if event.WhichOneof("body") == after.WhichOneof("body") and _step(event) == _step(after):
            orders.apply(asked)

    return orders, Book(ask)


def _step(event: Event) -> int:
    body: Any = getattr(event, event.WhichOneof("body") or "")
    return int(body.step)


def test_what_was_asked_before_takes_effect_before_a_model_is_loaded(tmp_path: Path) -> None:
    orders, book = Orders(Job(pending="pause", pending_position=5), threading.Event()), Book()
    assigned = assign(Home(tmp_path), Path("/nowhere"), tiny_config(), book, orders)
    assert assigned.carry_out() == (Ending.PAUSED, 5)
    assert not book.events
    assert assigned.last_checkpoint == ""


@pytest.mark.parametrize("step", [0, 5, STEPS])
def test_a_pause_ends_the_snapshot_at_hand_which_is_taken_anew_afterwards(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path, step: int
) -> None:
    home = Home(tmp_path)
    began = Event()
    began.snapshot_started.step = step
    orders, book = asking(PAUSE, began)
    first = assign(home, model_folder, tiny_config(), book, orders)
    assert first.carry_out() == (Ending.PAUSED, 77)
    assert first.progress.step == first.progress.saved == step
    assert bool(first.last_checkpoint) == bool(step)
    (failed,) = book.bodies("snapshot_failed")
    assert failed.step == step
    assert "interrupted" in failed.error
    assert [done.step for done in book.bodies("step_completed")] == list(range(1, step + 1))
    assert "version_created" not in book.names()

    again = Book()
    resumed = assign(home, model_folder, tiny_config(), again, past=past_of([book], step), resume_step=step)
    assert resumed.carry_out() == (Ending.COMPLETED, 0)
    completed = [done.step for one in (book, again) for done in one.bodies("snapshot_completed")]
    assert completed == [0, 2, 5, STEPS]
    figures = [
        {done.step: (done.correct, done.mean_loss) for done in one.bodies("snapshot_completed")}[step]
        for one in (again, undisturbed_run[1])
    ]
    assert figures[0] == figures[1]
    assert again.bodies("version_created")[0].final_accuracy >= 0
    assert_identical(adapter(*undisturbed_run), adapter(home, again))


def test_a_pause_at_the_last_step_without_a_snapshot_completes_the_run(model_folder: Path, tmp_path: Path) -> None:
    last = Event()
    last.step_completed.step = STEPS
    orders, book = asking(PAUSE, last)
    assigned = assign(Home(tmp_path), model_folder, tiny_config(snapshots=False), book, orders)
    assert assigned.carry_out() == (Ending.COMPLETED, 0)
    assert book.names()[-1] == "version_created"


def test_a_pause_before_the_first_step_makes_none(model_folder: Path, tmp_path: Path) -> None:
    begun = Event()
    begun.job_started.run = "run-1"
    orders = Orders(Job(), threading.Event())
    book = Book(lambda event: orders.apply(PAUSE) if event.HasField("job_started") else None)
    assigned = assign(Home(tmp_path), model_folder, tiny_config(snapshots=False), book, orders)
    assert assigned.carry_out() == (Ending.PAUSED, 77)
    assert book.names() == ["run_started", "job_started"]


# ---- a batch that is left out ----


class Watch(TrainerCallback):
    """What the optimizer and the adapter are before and after each update."""

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        self._keep(told)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        self._keep(told)

    def _keep(self, told: dict[str, Any]) -> None:
        optimizer = told["optimizer"].state_dict()["state"]
        state = {f"{place} {name}": one.clone() for place, own in optimizer.items() for name, one in own.items()}
        trained = {name: one.detach().clone() for name, one in told["model"].named_parameters() if one.requires_grad}
        self.states.append(state | trained)


def test_a_batch_that_is_skipped_changes_nothing_and_the_run_goes_on(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, home = Watch(), Home(tmp_path)
    begin = ExampleLossTrainer.__init__

    def watched(self: ExampleLossTrainer, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        self.add_callback(watch)

    monkeypatch.setattr(ExampleLossTrainer, "__init__", watched)
    before = Event()
    before.step_completed.step = 3
    orders, book = asking(SKIP, before)
    assert assign(home, model_folder, tiny_config(), book, orders).carry_out() == (Ending.COMPLETED, 0)
    whole = undisturbed_run[1].bodies("step_completed")
    steps = book.bodies("step_completed")
    (skipped,) = [event for event in book.events if event.HasField("batch_skipped")]
    assert (skipped.subject, skipped.causation, skipped.batch_skipped.step) == ("job/job-1", 78, 4)
    assert list(skipped.batch_skipped.example_index) == list(whole[3].example_index)
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert [list(step.example_index) for step in steps] == [list(step.example_index) for step in whole]
    assert [step.learning_rate for step in steps] == [step.learning_rate for step in whole]
    assert steps[3].loss == whole[3].loss  # it was looked at
    assert steps[4].loss != whole[4].loss
    for number in range(STEPS):
        one, other = watch.states[2 * number : 2 * number + 2]
        same = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        assert same == (number + 1 == 4)


@pytest.mark.parametrize("torn", [False, True])
def test_a_batch_that_was_skipped_is_skipped_again_after_a_kill(model_folder: Path, tmp_path: Path, torn: bool) -> None:
    """Also where the last checkpoint, which is behind that batch, is torn, and the run goes on from the one before."""
    before = Event()
    before.step_completed.step = 5
    orders, book = asking(SKIP, before)
    whole = Home(tmp_path / "whole")
    assign(whole, model_folder, tiny_config(), book, orders).carry_out()
    assert book.bodies("batch_skipped")[0].step == 6

    orders, killed = asking(SKIP, before)
    record = killed.record

    def kill(event: Event) -> None:
        record(event)
        if (event.checkpoint_saved if torn else event.step_completed).step == (8 if torn else 7):
            raise Killed

    killed.record = kill  # type: ignore[method-assign]
    home = Home(tmp_path / "killed")
    with pytest.raises(Killed):
        assign(home, model_folder, tiny_config(), killed, orders).carry_out()
    if torn:
        (checkpoint.place(home.checkpoints / "run-1", 8) / checkpoint.MARKER).unlink()
    again, known = Book(), partial(past_of, [killed])
    resumed = assign(home, model_folder, tiny_config(), again, past=known, resume_step=8 if torn else 4)
    assert resumed.carry_out()[0] is Ending.COMPLETED
    assert again.bodies("job_resumed")[0].step == 4
    assert [body.step for body in again.bodies("batch_skipped")] == [6]
    assert_identical(adapter(whole, book), adapter(home, again))
