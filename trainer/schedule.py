"""How many steps a run has and at which of them a snapshot is due. Pure arithmetic."""

import math
import random

from guessbook.proto.events_pb2 import TrainingConfig

DEFAULT_STEPS = frozenset({10, 25, 50, 100, 250, 500, 1000, 2500})
THEN_EVERY = 5000


def total_steps(config: TrainingConfig, examples: int) -> int:
    """The number of optimizer steps; a last, smaller batch or accumulation counts as one, as in transformers."""
    if config.max_steps:
        return config.max_steps
    batches = math.ceil(examples / config.per_device_train_batch_size)
    steps_per_epoch = math.ceil(batches / config.gradient_accumulation_steps)
    return math.ceil(steps_per_epoch * config.num_train_epochs)


def snapshot_due(config: TrainingConfig, step: int, total: int) -> bool:
    """Whether the schedule asks for a snapshot after `step`. Steps 0 and `total` always have one, unless there are none."""
    if not config.snapshots:
        return False
    if step in (0, total):
        return True
    if config.snapshot_steps:
        return step in config.snapshot_steps
    return step in DEFAULT_STEPS or step % THEN_EVERY == 0


def tracked_indices(config: TrainingConfig, examples: int) -> list[int]:
    """The examples that snapshots look at, ascending: all, or a sample that depends on the seed alone."""
    if not config.snapshots:
        return []
    if not config.tracked_examples or config.tracked_examples >= examples:
        return list(range(examples))
    return sorted(random.Random(config.seed).sample(range(examples), config.tracked_examples))
