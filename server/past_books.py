"""Books of the past, kept at intervals while the log is folded, so that any past point is near. Knows the folds, no log.

A kept book shares everything with its neighbours but what changed between them, so keeping one costs little.
"""

from bisect import bisect_right
from collections.abc import Sequence

from guessbook.projections.book import Book

EVERY = 8192  # events between two kept books, as long as there are not too many
MOST = 512  # kept books; then every second one is dropped, and the interval doubles


class PastBooks:
    """Handed every book that the log's fold passes through, it keeps some of them."""

    def __init__(self, every: int = EVERY, most: int = MOST) -> None:
        self._books: list[Book] = []
        self._every = every
        self._most = most

    @property
    def books(self) -> list[Book]:
        """The kept books, ascending. Nobody may change them."""
        return self._books.copy()

    def restore(self, books: Sequence[Book]) -> None:
        """Keeps books that were kept before, ascending. Nobody else may change them. Behind what can't be read any more, the first must stay."""
        self._books = list(books)

    def pass_by(self, book: Book) -> None:
        """Keeps the book if the last kept one is far enough behind it. Called with ascending positions."""
        last = self._books[-1].position if self._books else 0
        if book.position - last < self._every:
            return
        self._books.append(book.fork())
        if len(self._books) > self._most:
            del self._books[1::2]
            self._every *= 2

    def before(self, position: int) -> Book:
        """The nearest book at or before a position, to be folded on by the caller alone."""
        found = bisect_right(self._books, position, key=lambda book: book.position)
        return self._books[found - 1].fork() if found else Book()
