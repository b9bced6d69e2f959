"""The files that show the present: whatever goes wrong while they are made, they catch up."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from guessbook.projections import present
from guessbook.projections.book import Book
from guessbook.server import state_files
from guessbook.server.live_book import LiveBook
from guessbook.server.state_files import StateFiles
from guessbook.store.home import Home


def test_an_error_of_any_kind_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(state_files, "RETRY_S", 0.0)
    monkeypatch.setattr(state_files, "PAUSE_S", 0.0)
    shown, failures = present.current_state, [ValueError("a fold that can't be shown"), OSError("no room")]

    def fails_first(book: Book, now_us: int) -> present.Shown:
        if failures:
            raise failures.pop()
        return shown(book, now_us)

    monkeypatch.setattr(present, "current_state", fails_first)
    state = tmp_path / "control" / "current_state.json"

    async def run() -> None:
        files = StateFiles(cast(LiveBook, SimpleNamespace(book=Book())), Home(tmp_path))
        files.start()
        async with asyncio.timeout(10):
            while not state.exists():
                await asyncio.sleep(0.01)
        assert json.loads(state.read_text())["server_running"]
        await files.close()

    asyncio.run(run())
    assert not json.loads(state.read_text())["server_running"]
