"""Kept books: near every point, not too many, and as true as a fold from the start."""

import pytest
from made_events import RUN, beginning, numbered, step

from guessbook.projections import book as book_fold
from guessbook.projections import views
from guessbook.projections.book import Book
from guessbook.server.past_books import PastBooks


@pytest.mark.parametrize(("every", "most"), [(1, 1000), (7, 1000), (3, 8), (1000, 8)])
def test_any_past_point_is_reached_from_a_kept_book(every: int, most: int) -> None:
    events = numbered([*beginning(1), *(step(number, examples=[0], losses=[1.0]) for number in range(1, 200))])
    kept, book = PastBooks(every, most), Book()
    for event in events:
        book = book_fold.apply(book, event)
        kept.pass_by(book)
    for position in range(1, len(events) + 1, 3):
        near = kept.before(position)
        assert near.position <= position
        found = book_fold.fold(events[near.position : position], near)
        whole = book_fold.fold(events[:position])
        assert views.run(found, RUN) == views.run(whole, RUN)
        assert views.steps(found, RUN) == views.steps(whole, RUN)
        assert views.status(found) == views.status(whole)


def test_there_are_never_more_than_allowed() -> None:
    kept, book = PastBooks(1, 8), book_fold.fold(numbered(beginning(1)))
    for number in range(1, 1000):
        book = book_fold.apply(book, numbered([step(number)], book.position + 1)[0])
        kept.pass_by(book)
        assert len(kept._books) <= 8
    assert len(kept._books) > 2
