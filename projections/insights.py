"""What a person should know about a run's examples: which insights there are, and what comes first. Pure; knows the folds.

What each means and why its thresholds are where they are: docs/evolution_tracking.md, "Insights". A false alarm costs more than silence: of what examples
did, nothing is said before SNAPSHOTS_NEEDED snapshots are complete, and of one example the clearest explanation alone.
"""

import numpy as np

from guessbook.projections.book import Book
from guessbook.projections.forgetting import forgotten, learned_long_ago
from guessbook.projections.label_errors import label_errors
from guessbook.projections.overfitting import overfitting
from guessbook.projections.repeats import contradictions, duplicates, same_prompts
from guessbook.projections.shortfalls import memorised, never_learned, never_right, too_long
from guessbook.projections.watched import Watched
from guessbook.proto.history_pb2 import Insight

SNAPSHOTS_NEEDED = 3


def insights(book: Book, run: str) -> list[Insight]:
    """What stands out in a run, what matters most first. Empty for a run that is unknown or where nothing does."""
    watched = Watched.of(book, run)
    if watched is None:
        return []
    groups = same_prompts(watched.texts)
    contradiction, contradictory = contradictions(watched.texts, groups)
    copies = duplicates(watched.texts, groups)
    started = book.runs.by_id[run].run
    cut = too_long(watched, started.cut_answers, started.config.max_length)
    if len(watched.snapshots) < SNAPSHOTS_NEEDED or not len(watched.slot):
        return [insight for insight in (contradiction, cut, copies) if insight]

    unexplained = ~np.isin(watched.index, [*contradictory, *watched.run.cut])
    lost = forgotten(watched, unexplained)
    known, columns = memorised(watched, unexplained)
    unexplained[columns] = False
    wrong_labels, columns = label_errors(watched, unexplained & never_right(watched))
    unexplained[columns] = False
    never = never_learned(watched, unexplained & never_right(watched))
    found = [
        contradiction,
        wrong_labels,
        cut,
        overfitting(watched),
        *lost,
        never,
        known,
        copies,
        learned_long_ago(watched),
    ]
    return [insight for insight in found if insight]
