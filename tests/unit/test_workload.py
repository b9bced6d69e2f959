"""The steps and snapshots of a job, as they are estimated, are those that the trainer takes."""

import pytest

from guessbook.projections import workload
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.trainer import schedule


def config(**asked: object) -> TrainingConfig:
    given = {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 3,
        "num_train_epochs": 2.5,
        "snapshots": True,
    }
    return TrainingConfig(**(given | asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("examples", [1, 4, 12, 13, 1000])
@pytest.mark.parametrize("asked", [{}, {"max_steps": 7}, {"gradient_accumulation_steps": 1}])
def test_the_steps_are_the_trainers(asked: dict[str, object], examples: int) -> None:
    assert workload.total_steps(config(**asked), examples) == schedule.total_steps(config(**asked), examples)


@pytest.mark.parametrize("total", [1, 10, 260, 12_000])
@pytest.mark.parametrize("done", [0, 1, 10, 249, 5_000, 11_999])
@pytest.mark.parametrize("asked", [{}, {"snapshot_steps": [5, 10, 250]}, {"snapshots": False}])
def test_the_snapshots_are_the_trainers(asked: dict[str, object], done: int, total: int) -> None:
    when = schedule.schedule_of(config(**asked))
    due = sum(schedule.snapshot_due(when, step, total) for step in range(done + 1, total + 1))
    assert workload.snapshots_left(config(**asked), total, done) == due


def test_processes_train_side_by_side() -> None:
    assert workload.examples_per_step(config(num_processes=2)) == 24
    assert workload.total_steps(config(num_processes=2, num_train_epochs=1.0), 48) == 2
