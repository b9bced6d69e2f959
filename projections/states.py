"""In which state an example is, told from its losses and whether it was right. Definitions and reasons: docs/evolution_tracking.md. Knows no event and no run.

All arrays have one place per example. Every rule has a dead band or patience, so that a loss that wobbles doesn't flip a state.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_IMPROVING,
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_NOT_LEARNED,
    EXAMPLE_STATE_REGRESSED,
    EXAMPLE_STATE_STRUGGLING,
    EXAMPLE_STATE_UNKNOWN,
)

FALLEN = 0.95  # a loss has fallen when it is at most this share of its low
PATIENCE = 1  # so many observations without a fall don't yet end an improvement
LEARNED_LOSS = 0.5  # nats; where the run's config says nothing else
UNLEARNED = 1.2  # judged by its loss, an example is learned under LEARNED_LOSS, and stays so up to this multiple of it

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
States = NDArray[np.uint8]


@dataclass(frozen=True)
class Standing:
    """What was known of some examples before an observation."""

    first_loss: Floats  # NaN before the first observation
    low: Floats  # the loss when it last fell clearly; at first the first one
    since_low: NDArray[np.uint8]  # observations since then
    ever_learned: Flags

    def after(self, loss: Floats, correct: Flags) -> tuple["Standing", States]:
        """What is known after an observation, and the states then."""
        new = np.isnan(self.first_loss)
        fell = ~new & (loss <= FALLEN * self.low)
        since = np.where(fell | new, 0, np.minimum(self.since_low, 254) + 1).astype(np.uint8)
        now = Standing(
            first_loss=np.where(new, loss, self.first_loss),
            low=np.where(fell | new, loss, self.low),
            since_low=since,
            ever_learned=self.ever_learned | correct,
        )
        fallen = now.low < now.first_loss
        rules = [
            (correct, EXAMPLE_STATE_LEARNED),
            (self.ever_learned, EXAMPLE_STATE_REGRESSED),
            (new, EXAMPLE_STATE_UNKNOWN),
            (fallen & (since <= PATIENCE), EXAMPLE_STATE_IMPROVING),
            (fallen, EXAMPLE_STATE_STRUGGLING),
        ]
        conditions, choices = zip(*rules, strict=True)
        return now, np.select(conditions, choices, EXAMPLE_STATE_NOT_LEARNED).astype(np.uint8)


def learned_by_loss(loss: Floats, before: Flags, learned_loss: float) -> Flags:
    """Whether examples without an exact form are learned: two thresholds, so that a loss between them changes nothing."""
    return (loss < learned_loss) | (before & (loss < UNLEARNED * learned_loss))
