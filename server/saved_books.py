"""Kept books saved beside the log, so that a start folds only what came after them, and the past is as near as before. Knows files, folds and the log.

They are a cache: what is deleted, damaged, of another log or folded by other code is not used, and made anew. Only the book at the end of what was archived
may be needed: where the archive was moved away, nothing else can be folded up to there.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from guessbook.projections.book import Book
from guessbook.server import book_file
from guessbook.server.book_file import BadBooks
from guessbook.store.errors import LogError
from guessbook.store.log import Log

AT_LEAST = (
    50_000  # new events before books are saved again while the log grows: folding them takes a quarter of a second
)
SHARE = 4  # and at least this part of the log, so that all saving together costs no more than some few times the log
CUT_SUFFIX = ".book"
AT_STOP = 10_000  # new events that are worth saving at a stop

_log = logging.getLogger(__name__)


class SavedBooks:
    """The saved books of a log, in the folder of caches."""

    def __init__(self, log: Log, cache: Path) -> None:
        self._storage = log
        self._place = cache / f"books-{log.log_id}"
        self._position = 0  # of the last saved book
        self.wanted_cut = 0  # where what is archived ends, if the book there must be made anew

    def load(self) -> list[Book]:
        """The saved books that are of this log and of this code, ascending; none where there are none."""
        found = [(position, place) for place in self._places() if (position := self._fitting(place))]
        cut = self._storage.archived_to
        self.wanted_cut = 0 if (cut, cut_place(self._storage, cut)) in found else cut
        for position, place in sorted(found, reverse=True):
            try:
                books = book_file.read(place)
            except Exception as error:  # noqa: BLE001 - what an unpickler raises is unknown, and the log can always be folded
                _log.warning("the saved books in %s are not used: %r", place, error)
                continue
            self._position = position
            return books
        return []

    def due(self, position: int) -> bool:
        """Whether so much is new that the books should be saved, as long as the server runs."""
        return position - self._position >= max(AT_LEAST, self._position // SHARE)

    def due_at_stop(self, position: int) -> bool:
        return position - self._position >= AT_STOP

    def save(self, books: Sequence[Book]) -> None:
        """Saves books, ascending, that nobody changes meanwhile. What fails is told and costs no more than a longer start."""
        position = books[-1].position
        try:
            book_file.write(self._place, books, self._storage.log_id, self._storage.chain_hash_at(position))
        except Exception as error:  # noqa: BLE001 - a cache that can't be written must not stop who writes the log
            _log.warning("the books up to position %d were not saved; the next start folds more: %r", position, error)
        self._position = position

    def save_cut(self, book: Book) -> None:
        """Saves the book at a position up to which the log is about to be archived, durable when this returns. Raises OSError."""
        place = cut_place(self._storage, book.position)
        chain_hash = self._storage.chain_hash_at(book.position)
        book_file.write(place, [book], self._storage.log_id, chain_hash, durable=True)

    def _places(self) -> list[Path]:
        cut = self._storage.archived_to
        for torn in self._place.parent.glob(f"{self._place.name}-*.tmp"):
            torn.unlink()
        for older in set(self._storage.archive_folder.glob(f"*{CUT_SUFFIX}")) - {cut_place(self._storage, cut)}:
            older.unlink()  # of an archive that another one follows, or that was never recorded
        return [place for place in (self._place, cut_place(self._storage, cut)) if place.exists()]

    def _fitting(self, place: Path) -> int:
        """The position of a file's last book if it fits, else 0."""
        log = self._storage
        try:
            facts = book_file.facts(place)
            if facts.code != book_file.code_version():
                raise BadBooks("they were folded by other code")
            if facts.position > log.head.position or log.chain_hash_at(facts.position).hex() != facts.chain_hash:
                raise BadBooks("they are of another log, or of another past of this one")
        except (BadBooks, LogError) as reason:
            _log.info("the saved books in %s are not used: %s", place, reason)
            return 0
        return facts.position


def cut_place(log: Log, position: int) -> Path:
    """Where the book at the end of what was archived lies: beside the archive, as it may have to replace it."""
    return log.archive_folder / f"{position:012d}{CUT_SUFFIX}"
