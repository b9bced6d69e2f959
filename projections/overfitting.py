"""Whether a run went on after it stopped learning the task: held-out examples against those that are trained on. Pure; knows what was watched.

Why the thresholds are where they are: docs/evolution_tracking.md, "Insights".
"""

import numpy as np

from guessbook.projections.insight import tell
from guessbook.projections.watched import Watched
from guessbook.proto.history_pb2 import Insight

HELD_OUT_NEEDED = 8
RISEN = 1.05  # times its lowest: so much the held-out loss must have risen
SURE_RISE = 2.0  # standard errors of the mean rise, example by example


def overfitting(watched: Watched) -> Insight | None:
    """Held-out loss that was lower once and rose surely while that of the trained examples fell. It names no examples: it is the run."""
    run, snapshots = watched.run, watched.snapshots
    held_out = slice(run.trained_slots, None)
    loss = np.array([snapshot.loss[held_out] for snapshot in snapshots])
    seen = np.flatnonzero(np.isfinite(loss).all(axis=0))
    if len(seen) < HELD_OUT_NEEDED:
        return None
    mean = loss[:, seen].mean(axis=1)
    best = int(np.argmin(mean))
    rise = loss[-1, seen] - loss[best, seen]
    error = float(rise.std(ddof=1)) / len(seen) ** 0.5
    trained = watched.loss.mean(axis=1)
    if mean[-1] < RISEN * mean[best] or rise.mean() <= SURE_RISE * error or trained[-1] >= trained[best]:
        return None
    right = [int(snapshots[number].correct[held_out][seen].sum()) for number in (best, -1)]

    insight = tell(
        "overfitting",
        watched.texts,
        [],
        lambda index: "",
        sentence=f"Held-out loss was lowest at step {watched.step[best]:,} and has risen since.",
        evidence=f"From {mean[best]:.2f} to {mean[-1]:.2f}, while that of the trained examples fell from {trained[best]:.2f} to {trained[-1]:.2f}. "
        f"Of {len(seen):,} held-out examples {right[0]:,} were right then, {right[1]:,} are now.",
        advice=f"Stop near step {watched.step[best]:,}, lower the learning rate, or add data: what came after taught the examples and not the task.",
    )
    insight.count, insight.step = len(seen), int(watched.step[best])
    return insight
