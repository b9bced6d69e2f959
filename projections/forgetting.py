"""What was right and is no longer, snapshot to snapshot, and what has been right for long. Pure; knows what was watched.

Why the thresholds are where they are: docs/evolution_tracking.md, "Insights".
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.insight import counted, parted, quoted, tell
from guessbook.projections.watched import Columns, Watched
from guessbook.proto.history_pb2 import Insight

DIP = 0.1  # share of the right examples that must be lost at once to tell of a loss that was made good
DIP_LEAST = 3
TRAINED_BEFORE = 20  # examples named as trained just before
OVERREPRESENTED = 1.5  # times a category's share of the data, to be named as what was trained before
LONG_AGO = 1 / 3  # of the run's steps: right since then at the latest
SETTLED = 3  # snapshots in a row that were right
WORTH_DROPPING = 0.1  # share of the examples that must be learned long ago to tell of it
WORTH_DROPPING_LEAST = 5


def forgotten(watched: Watched, unexplained: NDArray[np.bool_]) -> list[Insight]:
    """One insight an interval between snapshots in which examples were forgotten (Toneva et al. 2019); first where most are still wrong.

    An interval begins at the last snapshot that found its examples right, not at one that only measured them. It is left out if all that it took
    came back, unless that was a tenth of what was right. `unexplained` marks the columns to look at.
    """
    found = []
    for before, after, lost in _losses(watched, unexplained):
        # Of an example that was forgotten more than once only the last time is why it is wrong now.
        wrong = np.logical_not(watched.correct[after:, lost].any(axis=0))
        if wrong.any() or len(lost) >= max(DIP_LEAST, DIP * watched.correct[before].sum()):
            found.append((int(wrong.sum()), _forgotten_in(watched, before, after, lost, wrong)))
    return [insight for _, insight in sorted(found, key=lambda pair: -pair[0])]


def _losses(watched: Watched, unexplained: NDArray[np.bool_]) -> Iterator[tuple[int, int, Columns]]:
    """The intervals, each as the numbers of its two snapshots, and the columns that were right at the first and wrong at the second."""
    for after in range(1, len(watched.snapshots)):
        lost = np.flatnonzero(unexplained & watched.correct[after - 1] & ~watched.correct[after])
        begun = watched.last_right(after, lost)
        for before in np.unique(begun).tolist():
            yield before, after, lost[begun == before]


def _forgotten_in(watched: Watched, before: int, after: int, lost: Columns, wrong: NDArray[np.bool_]) -> Insight:
    rise = watched.loss[after, lost] - watched.loss[before, lost]
    ordered = lost[np.lexsort((-rise, ~wrong))]
    column_of = {int(watched.index[column]): int(column) for column in ordered}
    first, then = (int(watched.step[number]) for number in (before, after))
    visits = watched.visited(first, then)
    what = f"{counted(len(lost), 'example was', 'examples were')} right at step {first:,} and wrong at step {then:,}"
    still = (
        "still wrong" if wrong.all() else f"{wrong.sum():,} of them still wrong" if wrong.any() else "right again since"
    )
    insight = tell(
        "forgotten",
        watched.texts,
        column_of,
        lambda index: _what_became(watched, before, after, column_of[index]),
        sentence=f"{what}; {still}.",
        evidence=f"{len(lost):,} of {watched.correct[before].sum():,} that were right then. {_trained_between(watched, visits)}",
        advice="Look at what was trained just before. Mix the forgotten ones in again, or lower the learning rate.",
    )
    insight.step = then
    insight.trained_before.extend(index for index, _ in Counter(visits.tolist()).most_common(TRAINED_BEFORE))
    return insight


def _what_became(watched: Watched, before: int, after: int, column: int) -> str:
    again = np.flatnonzero(watched.correct[after:, column])
    later = f"right again at step {watched.step[after + again[0]]:,}" if len(again) else "not right since"
    figures = f"loss {watched.loss[before, column]:.2f} → {watched.loss[after, column]:.2f}"
    return f"{parted(watched.guess(before, column), watched.guess(after, column))}, {figures}; {later}"


def _trained_between(watched: Watched, visits: NDArray[np.uint32]) -> str:
    """What the steps between trained on; a category is named if it came far more often than its share."""
    if not len(visits):
        return "The log doesn't say what was trained between."
    said = f"Between lie {counted(len(visits), 'presentation', 'presentations')} of {counted(len(np.unique(visits)), 'example', 'examples')}"
    categories = np.array(list(watched.texts.categories), dtype=object)
    name, count = Counter(categories[visits].tolist()).most_common(1)[0]
    share, usual = count / len(visits), float((categories == name).mean())
    if name and share >= OVERREPRESENTED * usual:
        return f"{said}, {share:.0%} of them of {quoted(name)}, which is {usual:.0%} of the data."
    return f"{said}."


def learned_long_ago(watched: Watched) -> Insight | None:
    """Examples that have been right without a break since the run's first third, the lowest loss first."""
    early = np.flatnonzero(watched.step <= LONG_AGO * watched.step[-1])
    if not len(early) or len(watched.step) - early[-1] < SETTLED:
        return None
    since = int(early[-1])
    judged = watched.judged[since:].sum(axis=0) >= SETTLED
    columns = np.flatnonzero(watched.correct[since:].all(axis=0) & judged)
    if len(columns) < max(WORTH_DROPPING_LEAST, WORTH_DROPPING * len(watched.slot)):
        return None
    columns = columns[np.argsort(watched.loss[-1, columns], kind="stable")]
    column_of = {int(watched.index[column]): int(column) for column in columns}
    visits = watched.visited(int(watched.step[since]), int(watched.step[-1]))
    share = float(np.isin(visits, watched.index[columns]).mean()) if len(visits) else 0.0
    return tell(
        "learned_long_ago",
        watched.texts,
        column_of,
        lambda index: _right_since(watched, column_of[index]),
        sentence=f"{counted(len(columns), 'example has', 'examples have')} been right at every snapshot since step {watched.step[since]:,}.",
        evidence=f"{len(columns):,} of {len(watched.slot):,}, {watched.correct[0, columns].sum():,} of them right before training. "
        f"They took {share:.0%} of the training since then.",
        advice="Candidates to drop from the next round, or to show less often. Keep some of each kind, and watch whether they stay right.",
    )


def _right_since(watched: Watched, column: int) -> str:
    wrong = np.flatnonzero(~watched.correct[:, column])
    since = f"right since step {watched.step[wrong[-1] + 1]:,}" if len(wrong) else "right before training"
    return f"{since}, loss {watched.loss[-1, column]:.3f} now"
