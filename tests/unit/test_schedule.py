from guessbook.proto.events_pb2 import ScheduleChanged, TrainingConfig
from guessbook.trainer.schedule import schedule_of, snapshot_due, snapshots_ahead, total_steps


def config(**fields: object) -> TrainingConfig:
    values = {"snapshots": True, "num_train_epochs": 1.0} | fields
    values = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "seed": 1} | values
    return TrainingConfig(**values)  # type: ignore[arg-type]


def due(config: TrainingConfig, total: int) -> list[int]:
    return [step for step in range(total + 1) if snapshot_due(config, step, total)]


def test_the_default_schedule_is_dense_first_and_always_has_start_and_end() -> None:
    assert due(config(), 60) == [0, 10, 25, 50, 60]
    assert due(config(), 11_000) == [0, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 11_000]
    assert due(config(), 3) == [0, 3]


def test_a_given_schedule_replaces_the_default_but_not_start_and_end() -> None:
    assert due(config(snapshot_steps=[2, 5, 99]), 8) == [0, 2, 5, 8]


def test_no_snapshots_means_none_at_all() -> None:
    assert due(config(snapshots=False), 60) == []


def test_total_steps_counts_a_last_smaller_batch_and_accumulation() -> None:
    assert total_steps(config(), 10) == 3
    assert total_steps(config(gradient_accumulation_steps=2), 10) == 2
    assert total_steps(config(num_train_epochs=2.5), 10) == 8
    assert total_steps(config(max_steps=7), 10) == 7


def test_the_snapshots_ahead_are_counted_without_the_last_one() -> None:
    for schedule in (ScheduleChanged(), ScheduleChanged(snapshot_steps=[2, 5, 5, 99, 12_000])):
        schedule.snapshots = True
        for step, total in [(10, 60), (11, 60), (5000, 20_000), (5001, 20_001), (1, 4999), (2, 3)]:
            due = [one for one in range(step, total) if snapshot_due(schedule, one, total)]
            assert snapshots_ahead(schedule, step, total) == len(due)


def test_a_config_says_its_schedule() -> None:
    asked = config(snapshot_steps=[3], snapshot_budget_percent=5.0, snapshot_budget_seconds=60.0)
    assert schedule_of(asked) == ScheduleChanged(
        snapshots=True, snapshot_steps=[3], snapshot_budget_percent=5.0, snapshot_budget_seconds=60.0
    )
