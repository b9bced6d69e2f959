"""How an export gets from who writes it to who reads it, and what it says of its filter."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import BinaryIO

import pytest

from guessbook.clients.dashboard import export
from guessbook.clients.dashboard.view import View
from guessbook.clients.errors import Unreachable


async def read(pieces: AsyncGenerator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_what_is_written_is_read_piece_by_piece() -> None:
    lines = [f"line {number}\n".encode() for number in range(100_000)]
    assert asyncio.run(read(export.pieces(lambda file: file.writelines(lines), asyncio.Semaphore(1)))) == b"".join(
        lines
    )


def test_an_error_in_the_middle_reaches_the_reader_behind_what_was_written() -> None:
    def written(file: BinaryIO) -> None:
        file.write(b"the beginning")
        raise Unreachable("the server went away")

    async def reading() -> None:
        pieces = export.pieces(written, asyncio.Semaphore(1))
        assert await anext(pieces) == b"the beginning"
        with pytest.raises(Unreachable):
            await anext(pieces)

    asyncio.run(reading())


def test_who_stops_reading_stops_the_writing() -> None:
    ended = threading.Event()

    def written(file: BinaryIO) -> None:
        try:
            while True:
                file.write(b"x" * export.PIECE)
        except BrokenPipeError:
            ended.set()
            raise

    async def reading() -> None:
        pieces = export.pieces(written, asyncio.Semaphore(1))
        await anext(pieces)
        await pieces.aclose()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(reading())


def test_an_export_that_nobody_reads_keeps_its_place_and_no_thread_of_others() -> None:
    async def reading() -> None:
        places = asyncio.Semaphore(export.AT_ONCE)
        stalled = [export.pieces(lambda file: file.writelines([b"x" * 10**7]), places) for _ in range(export.AT_ONCE)]
        for pieces in stalled:
            await anext(pieces)
        assert places.locked()
        assert await asyncio.to_thread(lambda: 1) == 1
        for pieces in stalled:
            await pieces.aclose()
        assert not places.locked()
        assert await read(export.pieces(lambda file: file.writelines([b"next"]), places)) == b"next"

    asyncio.run(reading())


def test_a_filter_in_words() -> None:
    assert export.words(View.parse("sort=-loss&example=3")) == ""
    said = export.words(View.parse("state=regressed&q=capital&category=geo&box=0,0.5,0.1,0.2&change=broken&held_out=1"))
    assert said == (
        "regressed, with “capital” in prompt, answer or a guess, of category “geo”, broken since the snapshot compared with, "
        "confidence 0 to 0.5, variability 0.1 to 0.2, held out"
    )
