"""Where in its batch each example was trained on for the last time. Pure; knows the visits of a run."""

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.evolution import RunEvolution

NEVER = -1


def batch_positions(run: RunEvolution, step: int) -> NDArray[np.int64]:
    """By slot: the place, from 0, in the last step up to `step` that trained on the example; NEVER if none did."""
    ends = run.visits_until.rows()[: np.searchsorted(run.step.rows(), step, side="right")].astype(np.int64)
    visits = np.diff(ends, prepend=0)  # per step
    place = np.arange(visits.sum()) - np.repeat(ends - visits, visits)
    trained = run.visit_example.rows()[: len(place)]
    last = np.full(max(int(trained.max(initial=0)), int(run.tracked.max(initial=0))) + 1, NEVER, dtype=np.int64)
    last[trained] = place  # of an example that is there again, the last one stays
    return last[run.tracked]
