"""Saved books over real logs: a start folds only what is new, and what doesn't fit is not used and made anew."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest
from book_content import content
from made_events import run_start, step

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.server import book_file, saved_books
from guessbook.server.live_book import LiveBook
from guessbook.server.past_books import PastBooks
from guessbook.server.saved_books import SavedBooks
from guessbook.store.log import Append, Log
from guessbook.store.verify import verify

STEPS = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of a run, in frames of many sizes; it is verified."""
    place = tmp_path / "home" / "log"
    _fill(place, seed=1)
    assert verify(place).ok
    return place


def _fill(place: Path, seed: int) -> None:
    log, dice = Log(place), random.Random(seed)
    events = [run_start(1), *(step(number, examples=[0], losses=[dice.random()]) for number in range(1, STEPS))]
    while events:
        count = dice.randint(1, 20)
        log.commit([Append(events[:count], "a")], now_us=1_000_000)
        events = events[count:]
    log.close()


def _saved(log: Log, cache: Path, to: int, every: int = 50) -> list[Book]:
    """Saves the books that are kept on the way to a position."""
    kept, book = PastBooks(every), Book()
    for event in log.read_all(to_position=to):
        book = book_fold.apply(book, event)
        kept.pass_by(book)
    books = [*kept.books, book]
    SavedBooks(log, cache).save(books)
    return books


@pytest.mark.parametrize("to", [1, 7, 150, STEPS])
def test_a_start_goes_on_from_the_saved_books(folder: Path, tmp_path: Path, to: int) -> None:
    log = Log(folder)
    books = _saved(log, tmp_path / "cache", to)
    loaded = SavedBooks(log, tmp_path / "cache").load()
    assert [content(book) for book in loaded] == [content(book) for book in books]
    whole = content(book_fold.fold(log.read_all()))
    for book in loaded:
        assert content(book_fold.fold(log.read_all(book.position + 1), book.fork())) == whole
    log.close()


def test_what_does_not_fit_is_not_used_and_made_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, cache = Log(folder), tmp_path / "cache"
    good = content(_saved(log, cache, STEPS)[-1])
    (place,) = cache.iterdir()
    data = place.read_bytes()

    def used() -> bool:
        return bool(SavedBooks(log, cache).load())

    assert used()
    for bad in (b"", data[:-1], data[: len(data) // 2], data[:100] + b"x" + data[101:], b"GBB1" + data):
        place.write_bytes(bad)
        assert not used()
        _saved(log, cache, STEPS)
        assert content(SavedBooks(log, cache).load()[-1]) == good
    monkeypatch.setattr(book_file, "code_version", lambda: "of another day")
    assert not used()
    monkeypatch.undo()
    log.close()


def test_books_of_another_log_or_another_past_are_not_used(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "log"
    _fill(other, seed=2)
    log, stranger, cache = Log(folder), Log(other), tmp_path / "cache"
    _saved(stranger, cache, STEPS)
    (place,) = cache.iterdir()
    shutil.copy(place, cache / f"books-{log.log_id}")
    assert not SavedBooks(log, cache).load()
    assert SavedBooks(stranger, cache).load()
    stranger.close()
    log.close()


def test_books_from_behind_the_end_are_not_used(folder: Path, tmp_path: Path) -> None:
    """As after an older copy of the log was put in its place."""
    older = tmp_path / "older"
    shutil.copytree(folder, older)
    log, cache = Log(folder), tmp_path / "cache"
    log.commit([Append([step(STEPS)], "a")], now_us=2_000_000)
    _saved(log, cache, STEPS + 1)
    log.close()
    copy = Log(older)
    assert not SavedBooks(copy, cache).load()
    copy.commit([Append([step(STEPS + 1)], "a")], now_us=2_000_000)  # as long, and another
    assert not SavedBooks(copy, cache).load()
    copy.close()


def test_a_cache_that_cannot_be_written_costs_only_time(folder: Path, tmp_path: Path) -> None:
    log, cache = Log(folder), tmp_path / "cache"
    cache.write_text("not a folder")
    _saved(log, cache, 10)
    assert not SavedBooks(log, cache).load()
    log.close()


def test_a_server_folds_only_what_came_after_its_last_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It saves while it runs, and at a stop; a kill loses what came since."""
    monkeypatch.setattr(saved_books, "AT_LEAST", 100)
    monkeypatch.setattr(saved_books, "AT_STOP", 20)
    folder = tmp_path / "log"
    saved_at = []

    async def run(first: int, last: int, *, killed: bool) -> tuple[int, Book]:
        live = LiveBook(Log(folder), lambda failed: None)
        folded_from = live.fold.kept.books[-1].position if live.fold.kept.books else 0
        for number in range(first, last):
            await live.append(Append([step(number, examples=[0], losses=[0.5]) if number else run_start(1)], "a"))
        book = live.book.fork()
        if live.fold._saving:
            await live.fold._saving
        if killed:
            monkeypatch.setattr(live.fold, "save", lambda: None)
        live.close()
        return folded_from, book

    for first, last, killed in ((0, 60, False), (60, 65, False), (65, 250, True), (250, 255, True)):
        folded_from, book = asyncio.run(run(first, last, killed=killed))
        saved_at.append(folded_from)
        log = Log(folder)
        assert content(book) == content(book_fold.fold(log.read_all()))
        log.close()
    assert saved_at[:3] == [0, 60, 60]
    assert 160 <= saved_at[3] < 250  # saved by the way, before the kill
    assert verify(folder).ok
