"""A training's scalars in TensorBoard as well: what arrives there, and what is said where a mirror is missing."""

import threading
from pathlib import Path
from typing import Any

import pytest
from made_events import write_questions
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_model import make_tiny_model

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event, SnapshotCompleted, TrainingConfig
from guessbook.proto.history_pb2 import Job
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.trainer import mirror
from guessbook.trainer.assignment import Assignment
from guessbook.trainer.errors import UnusableSetting
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Past

pytestmark = pytest.mark.usefixtures("one_thread")


def train(folder: Path, *mirrors: str) -> tuple[Path, list[Event]]:
    """Three steps of a job on the tiny model. Returns the run's folder and its events."""
    home, events = Home(folder / "home"), list[Event]()
    home.root.mkdir()
    config = TrainingConfig(
        base_model=str(make_tiny_model(folder / "model")),
        learning_rate=1e-2,
        max_steps=3,
        per_device_train_batch_size=3,
        gradient_accumulation_steps=1,
        max_length=64,
        lora_r=4,
        lora_alpha=8,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        seed=7,
        dtype="float32",
        save_steps=100,
        snapshots=True,
        max_new_tokens=4,
        report_to=mirrors,
    )
    dataset = Artifacts(home.artifacts).put(write_questions(folder / "sums.jsonl", 6))
    job = Job(id="job-1", dataset=dataset, config=config)
    lease = LeaseJobResponse(job=job, run="run-1", dataset_name="sums.jsonl")
    assignment = Assignment(
        lease, lambda step: Past(), home, Orders(job, threading.Event()), events.append, lambda: None
    )
    assert assignment.carry_out() == (Ending.COMPLETED, 0)
    return assignment.folder, events


def of_kind(events: list[Event], name: str) -> list[Any]:
    return [getattr(event, name) for event in events if event.WhichOneof("body") == name]


def test_steps_and_snapshots_arrive_in_tensorboard_as_they_are_in_the_book(tmp_path: Path) -> None:
    folder, events = train(tmp_path, "tensorboard")
    (written,) = folder.rglob("events.out.tfevents.*")
    there = EventAccumulator(str(written))
    there.Reload()

    def scalar(name: str) -> list[tuple[int, float]]:
        return [(one.step, one.value) for one in there.Scalars(name)]

    steps, snapshots = of_kind(events, "step_completed"), of_kind(events, "snapshot_completed")
    assert scalar("train/loss") == [(step.step, step.loss) for step in steps]
    assert scalar("train/snapshot_loss") == [(one.step, one.mean_loss) for one in snapshots]
    assert [step for step, _ in scalar("train/snapshot_accuracy")] == [0, 3]


def test_without_being_asked_nothing_is_mirrored(tmp_path: Path) -> None:
    folder, _ = train(tmp_path)
    assert list(folder.rglob("*tfevents*")) == []


def test_a_missing_mirror_is_told_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "find_spec", lambda name: None)
    with pytest.raises(UnusableSetting, match="mlflow") as told:
        train(tmp_path, "mlflow")
    assert "pip install mlflow" in told.value.hint


def test_a_mirror_that_is_out_of_order_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[Event] = []

    def broken(figures: dict[str, float]) -> None:
        raise OSError("no route")

    done = Event(snapshot_completed=SnapshotCompleted(step=3, examples=4, correct=1, held_out=2, held_out_correct=1))
    mirror.mirrored(taken.append, broken)(done)
    assert taken == [done]
    assert "no route" in caplog.text
    assert mirror.scalars(done)["snapshot_accuracy"] == 0.25
    assert mirror.scalars(done)["held_out_accuracy"] == 0.5
