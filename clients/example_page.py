"""A page of examples as large as it was asked for: of long examples one answer holds fewer. Knows the client, not what is shown of them."""

from typing import Any

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import At, ListExamplesResponse


def example_page(
    book: Guessbook, run: str, at: At | None = None, *, limit: int, offset: int = 0, **wanted: Any
) -> ListExamplesResponse:
    """As `Guessbook.examples`, in as many answers as it takes, all as of the first one's position."""
    page = book.examples(run, at, offset=offset, limit=limit, **wanted)
    then = At(position=page.position)
    while missing := _missing(page, offset, limit):
        place = offset + len(page.examples)
        page.examples.extend(book.examples(run, then, offset=place, limit=missing, **wanted).examples)
    return page


async def example_page_async(
    book: AsyncGuessbook, run: str, at: At | None = None, *, limit: int, offset: int = 0, **wanted: Any
) -> ListExamplesResponse:
    """The same for asyncio."""
    page = await book.examples(run, at, offset=offset, limit=limit, **wanted)
    then = At(position=page.position)
    while missing := _missing(page, offset, limit):
        place = offset + len(page.examples)
        page.examples.extend((await book.examples(run, then, offset=place, limit=missing, **wanted)).examples)
    return page


def _missing(page: ListExamplesResponse, offset: int, limit: int) -> int:
    return max(min(limit, page.matching - offset) - len(page.examples), 0)
