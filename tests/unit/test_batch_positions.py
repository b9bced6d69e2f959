"""Where an example stood in the step that trained on it last, counted by hand."""

import pytest
from made_events import RUN, beginning, numbered, step

from guessbook.projections import book as book_fold
from guessbook.projections.batch_positions import NEVER, batch_positions


@pytest.mark.parametrize(
    ("until", "places"),
    [
        (0, [NEVER, NEVER, NEVER, NEVER]),
        (1, [1, 0, NEVER, NEVER]),
        (2, [1, 0, 0, NEVER]),
        (3, [0, 2, 1, NEVER]),
        (9, [0, 2, 1, NEVER]),
    ],
)
def test_the_last_step_that_trained_on_an_example_counts(until: int, places: list[int]) -> None:
    steps = [
        step(1, examples=[1, 0], losses=[1.0, 1.0]),
        step(2, examples=[2], losses=[1.0]),
        step(3, examples=[0, 2, 1], losses=[1.0] * 3),
    ]
    book = book_fold.fold(numbered([*beginning(4), *steps]))
    assert batch_positions(book.evolution.by_run[RUN], until).tolist() == places


def test_a_run_that_tracks_nothing_has_none() -> None:
    book = book_fold.fold(numbered(beginning(0)))
    assert batch_positions(book.evolution.by_run[RUN], 5).tolist() == []
