"""Pages of long examples: one answer ends early, and a page is whole all the same."""

import asyncio
from typing import Any, cast

import pytest
from folded_book import FoldedBook
from made_events import RUN, beginning, numbered

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.example_page import example_page, example_page_async
from guessbook.projections import book as book_fold
from guessbook.projections import examples
from guessbook.projections.book import Book
from guessbook.proto.history_pb2 import ListExamplesRequest, ListExamplesResponse

COUNT = 1000
LENGTH = 16_384  # characters of each text
GRPC_LIMIT = 16 * 1024 * 1024


def long_examples() -> Book:
    events = beginning(COUNT)
    for event in events:
        texts = event.examples_registered
        for place in range(len(texts.prompt)):
            texts.prompt[place] = texts.expected[place] = "x" * LENGTH
    return book_fold.fold(numbered(events))


class Asked:
    """A client for asyncio whose server is a fold in memory."""

    def __init__(self, book: Book) -> None:
        self._book = FoldedBook(book)

    async def examples(self, *asked: Any, **more: Any) -> ListExamplesResponse:
        return self._book.examples(*asked, **more)


def test_an_answer_ends_early_and_the_next_goes_on() -> None:
    book, listed = long_examples(), list[int]()
    while len(listed) < COUNT:
        page = examples.page(book, ListExamplesRequest(run=RUN, offset=len(listed), limit=COUNT))
        assert page
        assert page.examples
        assert page.matching == COUNT
        assert page.ByteSize() < GRPC_LIMIT / 2
        listed += [example.index for example in page.examples]
    assert listed == list(range(COUNT))


def test_a_page_is_as_large_as_it_was_asked_for() -> None:
    book = long_examples()
    asyncio_client = cast(AsyncGuessbook, Asked(book))
    for offset, limit, last in ((0, 300, 300), (100, 400, 500), (900, 300, COUNT), (COUNT, 10, COUNT)):
        page = example_page(FoldedBook.client(book), RUN, offset=offset, limit=limit)
        assert [example.index for example in page.examples] == list(range(offset, last))
        assert page.matching == COUNT
        assert asyncio.run(example_page_async(asyncio_client, RUN, offset=offset, limit=limit)) == page


def test_one_example_is_there_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "PAGE_BYTES", 10)
    page = examples.page(long_examples(), ListExamplesRequest(run=RUN))
    assert page
    assert [example.index for example in page.examples] == [0]
