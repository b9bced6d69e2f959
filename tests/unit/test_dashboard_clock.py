"""Times on the pages: one form, in a zone that is named; in Python and in the browser alike."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guessbook.clients.dashboard.clock import Clock

ASSETS = Path(__file__).parents[2] / "clients" / "dashboard" / "assets"
NOON_US = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1e6)
DAY_US = 86400 * 1_000_000


@pytest.fixture
def zurich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The zone of this machine, for as long as the test."""
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_machine_s_zone_is_named_and_its_summer_time_kept(zurich: None) -> None:
    clock = Clock.here(NOON_US)
    summer_us = NOON_US - 150 * DAY_US
    assert [clock.moment(NOON_US), clock.moment(NOON_US, seconds=True), clock.moment(0)] == [
        "today 13:00",
        "today 13:00:00",
        "–",
    ]
    assert [clock.moment(summer_us), clock.moment(NOON_US - 400 * DAY_US)] == ["26 Jun 14:00", "19 Oct 2025 14:00"]
    assert [clock.exact(NOON_US), clock.exact(summer_us)] == ["2026-11-23 13:00:00 CET", "2026-06-26 14:00:00 CEST"]
    shown: Any = clock.shown(NOON_US)
    assert (shown.children, shown.title) == ("today 13:00", "2026-11-23 13:00:00 CET")


def test_the_browser_tells_them_alike() -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    times = [time.time_ns() // 1000, NOON_US - 400 * DAY_US]
    script = (
        "const window = { guessbook: {} };"
        + (ASSETS / "clock.js").read_text()
        + ";const { moment, exact, ago } = window.guessbook;"
        + "process.stdout.write(JSON.stringify([...JSON.parse(process.argv[1]).map(moment), exact(0),"
        + " ...[1, 59, 7199, 7200, 200000].map((s) => ago(Date.now() - 1000 * s))]))"
    )
    told = subprocess.run(
        [node, "-e", script, "--", json.dumps(times)],
        capture_output=True,
        check=True,
        timeout=30,
        env={**os.environ, "TZ": "UTC"},
    )
    clock = Clock.of("UTC", "", times[0])
    assert json.loads(told.stdout) == [
        *(clock.moment(each, seconds=True) for each in times),
        "1970-01-01 00:00:00 UTC",
        *("just now", "59 s ago", "119 min ago", "2 h ago", "2 days ago"),
    ]
