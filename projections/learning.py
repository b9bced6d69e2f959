"""What all snapshots together say of each example: when it was learned, whether it was forgotten, and its place on the data map.

Definitions and sources: docs/evolution_tracking.md. Knows snapshots; arrays have one place per slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.evolution import SnapshotColumns
from guessbook.projections.states import Flags

NEVER = -1

Steps = NDArray[np.int32]  # NEVER where there is none
Counts = NDArray[np.int32]
Measures = NDArray[np.float64]


@dataclass(frozen=True)
class Learning:
    """Up to and including some snapshot."""

    right: Flags  # at the last time it was seen
    first_learned: Steps  # right for the first time
    learned: Steps  # right ever since
    regressed: Steps  # became wrong, and is still
    forgetting: Counts  # changes from right to wrong (Toneva et al. 2019)
    guesses: Counts
    right_guesses: Counts
    # Of the expected answer's probability over the snapshots (Swayamdipta et al. 2020).
    seen: Counts
    mean: Measures
    squares: Measures  # sum of squared distances from the mean

    @classmethod
    def of(cls, snapshots: Sequence[SnapshotColumns], slots: int) -> "Learning":
        """What snapshots say, given in order of step. Goes on from what is known of the newest complete one of them."""
        complete = [number for number, snapshot in enumerate(snapshots) if snapshot.complete]
        learning, begin = cls._nothing(slots), -1
        for number in reversed(complete):
            known = _KNOWN.get(snapshots[number])
            if known:
                learning, begin = known, number
                break
        for number in range(begin + 1, len(snapshots)):
            learning = learning._after(snapshots[number])
            if complete and number == complete[-1]:
                _KNOWN[snapshots[number]] = learning
                if begin >= 0:
                    _KNOWN.pop(snapshots[begin], None)
        return learning

    @classmethod
    def _nothing(cls, slots: int) -> "Learning":
        never, zero = np.full(slots, NEVER, dtype=np.int32), np.zeros(slots, dtype=np.int32)
        none = np.zeros(slots, dtype=np.float64)
        return cls(none.astype(np.bool_), never, never, never, zero, zero, zero, zero, none, none)

    def _after(self, snapshot: SnapshotColumns) -> "Learning":
        step = np.int32(snapshot.step)
        right = np.where(snapshot.seen, snapshot.correct, self.right)
        got, lost = right & ~self.right, self.right & ~right
        told = ~np.isnan(snapshot.expected_probability)
        probability = np.where(told, snapshot.expected_probability, self.mean)
        count = self.seen + told
        mean = self.mean + (probability - self.mean) / np.maximum(count, 1)
        return Learning(
            right=right,
            first_learned=np.where(got & (self.first_learned == NEVER), step, self.first_learned),
            learned=np.where(got, step, np.where(lost, NEVER, self.learned)),
            regressed=np.where(lost, step, np.where(got, NEVER, self.regressed)),
            forgetting=self.forgetting + lost,
            guesses=self.guesses + snapshot.guessed,
            right_guesses=self.right_guesses + (snapshot.guessed & snapshot.correct),
            seen=count,
            mean=mean,
            squares=self.squares + (probability - self.mean) * (probability - mean),  # Welford 1962
        )

    def place(self, slot: int) -> tuple[float, float, float]:
        """Confidence, variability and correctness of one slot."""
        return float(self.confidence[slot]), float(self.variability[slot]), float(self.correctness[slot])

    @cached_property
    def confidence(self) -> Measures:
        """Mean probability of the expected answer; NaN where it was never seen."""
        return np.where(self.seen > 0, self.mean, np.nan)

    @cached_property
    def variability(self) -> Measures:
        """Its standard deviation, over all snapshots as the population."""
        return np.sqrt(_share(self.squares, self.seen))

    @cached_property
    def correctness(self) -> Measures:
        """The share of guesses that were right."""
        return _share(self.right_guesses, self.guesses)


def _share(part: NDArray[np.generic], whole: Counts) -> Measures:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


# What a complete snapshot and those before it say never changes, and is dropped with it.
_KNOWN: WeakKeyDictionary[SnapshotColumns, Learning] = WeakKeyDictionary()
