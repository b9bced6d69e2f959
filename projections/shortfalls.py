"""Examples that the run didn't bring to a right answer: never learned, memorised but not given, cut off. Pure; knows what was watched.

Why the thresholds are where they are: docs/evolution_tracking.md, "Insights".
"""

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.insight import counted, in_common, quoted, tell
from guessbook.projections.watched import Watched
from guessbook.proto.history_pb2 import EXAMPLE_STATE_IMPROVING, Insight

PRESENTATIONS_NEEDED = 3  # an example that was trained on less often had no chance yet
MOST = 0.5  # where more than this share was never right, it is the run and not the examples
KNOWN_ACCURACY = 0.9  # share of the expected tokens that come first, the right beginning given
KNOWN_SNAPSHOTS = 2
SHOWN_WORDS = 8


def never_right(watched: Watched) -> NDArray[np.bool_]:
    """Marks columns that were wrong at every snapshot, and were judged after they were trained on often enough."""
    return ~watched.correct.any(axis=0) & watched.had_chance(PRESENTATIONS_NEEDED)


def never_learned(watched: Watched, wrong: NDArray[np.bool_]) -> Insight | None:
    """Of the columns that are marked, the highest loss first."""
    columns = np.flatnonzero(wrong)
    if not len(columns):
        return None
    first, now, times = watched.loss[0], watched.loss[-1], watched.presentations
    column_of = {
        int(watched.index[column]): int(column) for column in columns[np.argsort(-now[columns], kind="stable")]
    }
    falling = int((watched.snapshots[-1].state[watched.slot[columns]] == EXAMPLE_STATE_IMPROVING).sum())
    judged = int(watched.had_chance(PRESENTATIONS_NEEDED).sum())

    def detail(index: int) -> str:
        column = column_of[index]
        figures = f"loss {first[column]:.2f} → {now[column]:.2f}, trained on {times[column]:,} times"
        return f"last guess {quoted(watched.guess(-1, column))}; {figures}"

    return tell(
        "never_learned",
        watched.texts,
        column_of,
        detail,
        sentence=f"{counted(len(columns), 'example was', 'examples were')} never right.",
        evidence=f"{len(columns):,} of {judged:,} that were trained on at least {PRESENTATIONS_NEEDED} times and judged after that; {falling:,} still improve. "
        f"Their median loss went from {np.median(first[columns]):.2f} to {np.median(now[columns]):.2f}.",
        advice=_what_helps(len(columns), falling, judged),
    )


def _what_helps(wrong: int, falling: int, judged: int) -> str:
    if wrong > MOST * judged:
        return (
            "So many are the run and not the examples: train for more steps or with a higher learning rate, "
            "or look whether right answers are judged too strictly."
        )
    if 2 * falling > wrong:
        return "Most of them still improve: more steps may be all they need."
    return "Look at the hardest: add examples like them, say them in other words, or check their answers."


def memorised(watched: Watched, unexplained: NDArray[np.bool_]) -> tuple[Insight | None, NDArray[np.intp]]:
    """Columns whose expected answer the model knows, its beginning given, and doesn't give freely; the lowest loss first."""
    known = unexplained & ~watched.judged_by_loss & watched.had_chance(PRESENTATIONS_NEEDED)
    known &= watched.guessed[-KNOWN_SNAPSHOTS:].all(axis=0)
    for snapshot in watched.snapshots[-KNOWN_SNAPSHOTS:]:
        known &= ~snapshot.correct[watched.slot] & (snapshot.loss[watched.slot] < watched.run.learned_loss)
        known &= snapshot.token_accuracy[watched.slot] >= KNOWN_ACCURACY
    columns = np.flatnonzero(known)
    if not len(columns):
        return None, columns
    columns = columns[np.argsort(watched.loss[-1, columns], kind="stable")]
    column_of = {int(watched.index[column]): int(column) for column in columns}
    insight = tell(
        "memorised",
        watched.texts,
        column_of,
        lambda index: f"{_departure(watched, column_of[index])}; loss {watched.loss[-1, column_of[index]]:.2f}",
        sentence=f"{counted(len(columns), 'answer is', 'answers are')} known word by word and still not given freely.",
        evidence=f"With the right beginning given the loss is under {watched.run.learned_loss:g} and at least {KNOWN_ACCURACY:.0%} of the tokens are right; "
        f"the free guess is wrong, at each of the last {KNOWN_SNAPSHOTS} snapshots.",
        advice="See where the guess leaves the answer. Right in other words: judge by another scorer. Ends too early: allow more new tokens. "
        "Astray in its first words: train for longer.",
    )
    return insight, columns


def _departure(watched: Watched, column: int) -> str:
    """Where the guess leaves the expected answer, by words."""
    guess, expected = watched.guess(-1, column).split(), watched.expected(column).split()
    same = in_common(guess, expected)
    said, wanted = (" ".join(words[same : same + SHOWN_WORDS]) for words in (guess, expected))
    if not wanted:
        return f"goes on after the expected answer with {quoted(said)}" if said else "differs in white space alone"
    if not said:
        return f"ends before {quoted(wanted)}"
    return f"says {quoted(said)} where {quoted(wanted)} is expected, at word {same + 1}"


def too_long(watched: Watched, count: int, max_length: int) -> Insight | None:
    """Examples whose expected answer `max_length` cut; of the `count` of them the log names the first 10,000."""
    if not count:
        return None
    texts = watched.texts
    insight = tell(
        "too_long",
        texts,
        sorted(watched.run.cut),
        lambda index: (
            f"expected answer of {len(texts.expected[index]):,} characters, prompt of {len(texts.prompts[index]):,}"
        ),
        sentence=f"{counted(count, 'expected answer was', 'expected answers were')} cut: longer than max_length leaves room for.",
        evidence=f"{count:,} of {len(texts.ids):,} examples don't fit into {max_length:,} tokens. No guess can equal them.",
        advice="Raise max_length, or shorten or split these examples.",
    )
    insight.count = count
    return insight
