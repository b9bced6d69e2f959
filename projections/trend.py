"""Whether a run is getting better: two snapshots compared example by example. Definition: docs/evolution_tracking.md. Knows snapshots alone."""

from collections.abc import Sequence

import numpy as np

from guessbook.projections.evolution import SnapshotColumns

APART = 0.9  # the snapshot before must be at most this share of the way
SURE = 2.0  # standard errors
MOVED = 0.02  # of the mean loss: less is standing still, however sure


def trend(snapshots: Sequence[SnapshotColumns], slots: int) -> str:
    """learning, steady or worse, of the first `slots` examples; empty where there are no two snapshots to compare."""
    complete = [snapshot for snapshot in snapshots if snapshot.complete]
    earlier = [
        snapshot
        for snapshot in complete
        if snapshot.step <= APART * complete[-1].step and snapshot.step < complete[-1].step
    ]
    if not earlier:
        return ""
    before, now = earlier[-1], complete[-1]
    both = np.flatnonzero(before.seen[:slots] & now.seen[:slots])
    if not len(both):
        return ""
    finite_before, finite = np.isfinite(before.loss[both]), np.isfinite(now.loss[both])
    if (finite_before & ~finite).any():
        return "worse"
    gained = int((now.correct & ~before.correct)[both].sum())
    lost = int((before.correct & ~now.correct)[both].sum())
    if abs(gained - lost) > SURE * np.sqrt(gained + lost):  # McNemar 1947
        return "learning" if gained > lost else "worse"
    both = both[finite_before & finite]
    if not len(both):
        return "steady"
    change = now.loss[both].astype(np.float64) - before.loss[both]
    error = change.std() / np.sqrt(len(change))
    if abs(change.mean()) > max(SURE * error, MOVED * before.loss[both].mean()):
        return "learning" if change.mean() < 0 else "worse"
    return "steady"
