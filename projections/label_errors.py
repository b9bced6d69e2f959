"""Examples whose expected answer is likely wrong, by how the model took them. Pure; knows what was watched.

Two measures, each with its source; why the thresholds are where they are: docs/evolution_tracking.md, "Insights".
"""

import re

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.insight import counted, quoted, tell
from guessbook.projections.repeats import plain
from guessbook.projections.watched import Watched
from guessbook.proto.history_pb2 import Insight

RECENT = 3  # guesses in a row that are one and the same other answer
SURE = 0.9  # a guess this confident counts as sure, however sure the right ones are
NEIGHBOURS = 8  # others that an example needs to be compared with
FEW = 0.25  # of a category: where more are suspected, it isn't their labels
MOSTLY = 0.8  # share of the neighbours that must be learned
OUTLIER = 3.5  # robust standard deviations above the median (Iglewicz and Hoaglin 1993)
NARROW = 0.3  # nats: a category's losses are never taken to lie closer together than this
LOW_CONFIDENCE = 0.2  # mean probability of the expected answer, over the snapshots
LOW_VARIABILITY = 0.1  # its standard deviation
_TO_SIGMA = 1.4826  # from the median absolute deviation to a normal distribution's standard deviation
_WORD = re.compile(r"\w+")


def label_errors(watched: Watched, suspected: NDArray[np.bool_]) -> tuple[Insight | None, NDArray[np.intp]]:
    """The insight and the columns it is about. `suspected` marks columns that were never right and that nothing else explains."""
    sure, hard = other_answers(watched, suspected), hard_to_learn(watched, suspected)
    columns = list(dict.fromkeys([*sure, *hard]))
    if not columns:
        return None, np.array([], dtype=np.intp)
    column_of = {int(watched.index[column]): column for column in columns}
    measures = []
    if sure:
        measures.append(f"{len(sure)} by confident disagreement (Northcutt et al. 2021)")
    if hard:
        measures.append(f"{len(hard)} as hard to learn among examples that were learned (Swayamdipta et al. 2020)")
    insight = tell(
        "label_error",
        watched.texts,
        column_of,
        lambda index: "; ".join(said[column_of[index]] for said in (sure, hard) if column_of[index] in said),
        sentence=f"{counted(len(columns), 'expected answer is', 'expected answers are')} likely wrong.",
        evidence=f"Never right at {len(watched.snapshots)} snapshots: {', '.join(measures)}.",
        advice="Read them. Correct what is wrong; what is right and merely rare needs more examples like it.",
    )
    return insight, np.array(columns, dtype=np.intp)


def other_answers(watched: Watched, suspected: NDArray[np.bool_]) -> dict[int, str]:
    """Columns where the model keeps giving one other answer, as sure of it as of what it gets right; the surest first.

    The idea of confident learning (Northcutt et al. 2021): what counts as sure is the mean confidence of the right answers of the same kind.
    """
    confidence, right = watched.snapshots[-1].confidence[watched.slot], watched.correct[-1]
    exact = suspected & ~watched.judged_by_loss
    overall = _sure(confidence[right])
    found: dict[int, float] = {}
    for group in watched.groups:
        if not exact[group].any():
            continue
        needed = _sure(confidence[group][right[group]]) or overall
        if needed is None:
            continue
        sure = group[exact[group] & (confidence[group] >= needed)].tolist()
        kept = [column for column in sure if _keeps_another_answer(watched, column)]
        if len(kept) <= FEW * len(group):
            found |= dict.fromkeys(kept, needed)
    return {
        column: f"keeps answering {quoted(watched.guess(-1, column))} with confidence {confidence[column]:.2f} "
        f"(right answers of its kind have {found[column]:.2f}); expected is {quoted(watched.expected(column))}"
        for column in sorted(found, key=lambda column: -confidence[column])
    }


def hard_to_learn(watched: Watched, suspected: NDArray[np.bool_]) -> dict[int, str]:
    """Columns whose answer stays improbable while the others of their category are learned; the farthest out first.

    The hard-to-learn region of Swayamdipta et al. (2020), low confidence and low variability, where they found most of the wrong labels.
    """
    right, mean, probability = watched.correct[-1], watched.loss.mean(axis=0), np.exp(-watched.loss)
    hard = suspected & np.isfinite(mean)
    hard &= (probability.mean(axis=0) <= LOW_CONFIDENCE) & (probability.std(axis=0) <= LOW_VARIABILITY)
    found: dict[int, tuple[float, str]] = {}
    for category in watched.groups:
        if not hard[category].any():
            continue
        group = category[np.isfinite(mean[category])]
        if len(group) <= NEIGHBOURS:
            continue
        learned = (right[group].sum() - right[group]) / (len(group) - 1)
        median = float(np.median(mean[group]))
        spread = max(_TO_SIGMA * float(np.median(np.abs(mean[group] - median))), NARROW)
        score = (mean[group] - median) / spread
        for place in np.flatnonzero(hard[group] & (learned >= MOSTLY) & (score >= OUTLIER)).tolist():
            column = int(group[place])
            if _is_expected(watched, column):
                continue
            said = f"mean loss {mean[column]:.2f} where its kind has {median:.2f} and {learned[place]:.0%} of the others are right"
            guessed = f"guesses {quoted(watched.guess(-1, column))}, expected is {quoted(watched.expected(column))}"
            found[column] = (float(score[place]), f"{said}; {guessed}")
    return {column: said for column, (_, said) in sorted(found.items(), key=lambda pair: -pair[1][0])}


def _sure(confidences: NDArray[np.float32]) -> float | None:
    """What counts as sure, from the right guesses' confidences; None where there are too few of them to say."""
    return min(float(confidences.mean()), SURE) if len(confidences) >= NEIGHBOURS else None


def _keeps_another_answer(watched: Watched, column: int) -> bool:
    """Whether the last guesses are the same, and another answer than the expected one."""
    guess = plain(watched.guess(-1, column))
    if not guess or _is_expected(watched, column):
        return False
    made = np.flatnonzero(watched.guessed[:, column]).tolist()[-RECENT:]
    return len(made) == RECENT and all(plain(watched.guess(number, column)) == guess for number in made)


def _is_expected(watched: Watched, column: int) -> bool:
    """Whether the last guess is the expected answer in more or fewer words."""
    said, expected = _words(watched.guess(-1, column)), _words(watched.expected(column))
    return bool(said.strip()) and (said in expected or expected in said)


def _words(text: str) -> str:
    """So that one text's words are looked for in another's, and not its letters."""
    return f" {' '.join(_WORD.findall(plain(text)))} "
