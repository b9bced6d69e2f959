"""Subscriptions that are cut off, and such as nobody wakes."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from durability import subscription_cuts
from durability.ledger import table
from durability.seeds import seed
from made_events import run_start, step

from guessbook.proto.log_pb2 import ReadRequest
from guessbook.server import log_service
from guessbook.server.follower import Follower
from guessbook.server.live_book import LiveBook
from guessbook.server.log_service import LogService
from guessbook.store.log import Append, Log
from guessbook.store.verify import verify

POLL_S = 0.02


def test_a_subscription_that_is_cut_off_goes_on_without_gap_or_duplicate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = subscription_cuts.attack(tmp_path, 60, seed(capsys, "cut subscriptions"))
    assert result.clean, table([result])


def test_polling_alone_delivers_when_every_wake_up_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(follower: Follower, timeout: float | None = None) -> bool:
        await asyncio.sleep(POLL_S)
        return False

    async def follow(live: LiveBook, wanted: int) -> list[bytes]:
        service = LogService(live, cast("Any", None), cast("Any", None))
        frames: list[bytes] = []
        async for answer in service.Subscribe(ReadRequest(), cast("Any", None)):
            frames += answer.frames
            if len(frames) == wanted:
                break
        return frames

    async def run() -> list[bytes]:
        live = LiveBook(Log(tmp_path / "log"), lambda failed: None)
        following = asyncio.create_task(follow(live, 20))
        for number in range(20):
            event = step(number) if number else run_start(1)
            await live.append(Append([event], "a"))
        frames = await asyncio.wait_for(following, 20)
        live.close()
        return frames

    monkeypatch.setattr(Follower, "moved", deaf)
    monkeypatch.setattr(log_service, "HEARTBEAT_S", POLL_S)
    assert len(asyncio.run(run())) == 20
    assert verify(tmp_path / "log").ok
