"""How many steps a run has and at which of them a snapshot is due. Pure arithmetic."""

import math

from guessbook.proto.events_pb2 import ScheduleChanged, TrainingConfig

DEFAULT_STEPS = frozenset({10, 25, 50, 100, 250, 500, 1000, 2500})
THEN_EVERY = 5000


def total_steps(config: TrainingConfig, examples: int) -> int:
    """The number of optimizer steps; a last, smaller batch or accumulation counts as one, as in transformers."""
    if config.max_steps:
        return config.max_steps
    batches = math.ceil(examples / (config.per_device_train_batch_size * max(1, config.num_processes)))
    steps_per_epoch = math.ceil(batches / config.gradient_accumulation_steps)
    return math.ceil(steps_per_epoch * config.num_train_epochs)


def schedule_of(config: TrainingConfig) -> ScheduleChanged:
    """What a config says of snapshots, in the form in which it may be changed later."""
    return ScheduleChanged(
        snapshots=config.snapshots,
        snapshot_steps=config.snapshot_steps,
        snapshot_budget_percent=config.snapshot_budget_percent,
        snapshot_budget_seconds=config.snapshot_budget_seconds,
    )


def snapshot_due(schedule: ScheduleChanged | TrainingConfig, step: int, total: int) -> bool:
    """Whether the schedule asks for a snapshot after `step`. Steps 0 and `total` always have one, unless there are none."""
    if not schedule.snapshots:
        return False
    if step in (0, total):
        return True
    if schedule.snapshot_steps:
        return step in schedule.snapshot_steps
    return step in DEFAULT_STEPS or step % THEN_EVERY == 0


def snapshots_ahead(schedule: ScheduleChanged, step: int, total: int) -> int:
    """How many snapshots are due at `step` and later, the one at `total` left out."""
    given = set(schedule.snapshot_steps) or DEFAULT_STEPS
    ahead = sum(step <= one < total for one in given)
    if not schedule.snapshot_steps:
        ahead += max(0, (total - 1) // THEN_EVERY - (step - 1) // THEN_EVERY)
    return ahead
