"""A smaller batch that makes the same updates. Pure arithmetic."""

from guessbook.proto.events_pb2 import BatchSizeReduced, TrainingConfig


def reduced(config: TrainingConfig) -> BatchSizeReduced | None:
    """At most half of each micro-batch and as many more of them; None: they have one example each, which can't be halved.

    Their product stays, and with it the examples of each step, the number of steps and the schedule: the batch becomes its largest divisor up to half of it.
    """
    batch, accumulation = config.per_device_train_batch_size, config.gradient_accumulation_steps
    smaller = next((size for size in range(batch // 2, 0, -1) if batch % size == 0), None)
    if smaller is None:
        return None
    return BatchSizeReduced(
        per_device_train_batch_size=smaller, gradient_accumulation_steps=accumulation * (batch // smaller)
    )
