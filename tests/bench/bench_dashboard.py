"""`make bench-dashboard`: how soon the dashboard shows what happened and what was asked for, with 100,000 examples and 12 snapshots, and what it costs.

Server, dashboard and browser are real processes; a scripted trainer goes on with the run. What is asked for, is asked of a page at rest: right after
another press it takes some 100 ms longer, since what that one changed is still being drawn. An event's time is the moment at which the trainer recorded
it; it is over when the document shows its step, or a later one. The tab has the page Training open, where most is live. CPU is that of 50 events a
second, in shares of one core; memory is the dashboard's after an hour's worth of events. Where there is one number it is a p95. Figures go to standard
error; the last line of standard output is one JSON object.
"""

import argparse
import bisect
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.bench_trajectories import write
from bench.process_use import cpu_seconds, descendants, resident_mb
from bench.tab import Rows, Tab, chromium, other, timed
from bench.trajectories import CATEGORIES, RUN, STEPS, MadeRun
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Browser
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.dashboard.states import BY_WORD
from guessbook.proto.events_pb2 import Event, StepCompleted

RATES = (50, 300)  # events a second
HOUR_EVENTS = 36_000  # a training of ten steps a second
SORTS = ["loss", "-loss", "change", "learned", "-confidence", "-variability"]
STATES = ["learned", "improving", "struggling", "not_learned"]
FIRST_ROWS = 4  # those whose place says that the list is the one that was asked for
LOSSES = 8  # per-example losses of one step

Percentiles = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=25, help="how often each kind of question is asked")
    parser.add_argument("--seconds", type=float, default=30, help="how long events come at each rate")
    asked = parser.parse_args(arguments)
    random.seed(7)
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-", dir=".") as name:
        folder = Path(name).absolute()
        # The run's trainer is lost at once: the scripted one takes it up again.
        server = ServerProcess(folder / "home", trainer_grace=0.2, start_grace=0.2, base_model="none")
        write(server.home.log, MadeRun(asked.examples))
        with (
            server,
            server.client() as book,
            Dashboard(server.home.root, server.address) as dashboard,
            chromium() as browser,
        ):
            result = _asked(browser, dashboard, book, asked.examples, asked.times)
            trainer = ScriptedTrainer(book, folder / "trainer.spool")
            trainer.take_up_again(STEPS[-1])
            result |= _live(browser, dashboard, Producing(trainer), asked.seconds)
            _say("server's memory after that, MB", server.resident_mb())
            trainer.close()
    print(json.dumps(result))
    return 0


# ---- what is asked for ----


def _asked(browser: Browser, dashboard: Dashboard, book: Guessbook, examples: int, times: int) -> dict[str, object]:
    def cold() -> float:
        tab = Tab(browser, dashboard.link, "/evolution")
        took = tab.first_rows_ms()
        tab.close()
        return took

    def warm() -> float:
        tab.reload()
        return tab.first_rows_ms()

    result: dict[str, object] = {}
    first = {"cold": _percentiles("first rows, cold", timed(max(5, times // 3), cold))["p95"]}
    tab = Tab(browser, dashboard.link, "/evolution")
    tab.first_rows_ms()
    first["warm"] = _percentiles("first rows, warm", timed(max(5, times // 3), warm))["p95"]
    result["first_rows_ms"] = first
    tab.page.wait_for_function("() => document.getElementById('line-word').textContent === 'Live'")
    jumps = [random.randrange(examples - 50) for _ in range(times)]
    result["jump_ms"] = _percentiles("jump", [tab.jump_ms(row) for row in jumps])["p95"]
    tab.jump_ms(0)
    result["sort_ms"] = _percentiles("sort", _sorts(tab, book, times))["p95"]
    result["filter_ms"] = _percentiles("filter", _filters(tab, book, times))["p95"]
    result["search_ms"] = _percentiles("search", _searches(tab, book, times))["p95"]
    tab.close()
    return result


def _sorts(tab: Tab, book: Guessbook, times: int) -> list[float]:
    took, sort = [], ""
    for _ in range(times):
        sort = other(SORTS, sort)
        took.append(tab.address_ms({"sort": sort}, _rows(book, sort=sort)))
    return took


def _filters(tab: Tab, book: Guessbook, times: int) -> list[float]:
    took: list[float] = []
    while len(took) < times:
        query = {"state": random.choice(STATES), "category": random.choice(CATEGORIES), "sort": random.choice(SORTS)}
        if rows := _rows(book, **query):  # a list without rows can't be told from one that isn't there yet
            took.append(tab.address_ms(query, rows))
    return took


def _searches(tab: Tab, book: Guessbook, times: int) -> list[float]:
    tab.address_ms({}, {0: 0})
    numbers = random.sample(range(1000, 10_000), times)
    return [tab.search_ms(f"{number}.", _rows(book, search=f"{number}.")) for number in numbers]


def _rows(book: Guessbook, *, state: str = "", category: str = "", sort: str = "index", search: str = "") -> Rows:
    """The first rows of the list as the server has it."""
    states = [BY_WORD[state]] if state else []
    page = book.examples(RUN, states=states, category=category, sort=sort, search=search, limit=FIRST_ROWS)
    return {row: example.index for row, example in enumerate(page.examples)}


# ---- what happens ----


class Producing:
    """A trainer that goes on with its run, and knows when it recorded each step."""

    def __init__(self, trainer: ScriptedTrainer) -> None:
        self._trainer = trainer
        self.recorded: list[tuple[float, int]] = []  # seconds since 1970, step
        self._step = STEPS[-1]

    def at_rate(self, rate: float, seconds: float) -> None:
        """Steps at even distances, however long recording one takes."""
        begin = time.perf_counter()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            self._record()
        self._trainer.producer.flush(60)

    def at_once(self, many: int) -> None:
        for _ in range(many):
            self._record()
        self._trainer.producer.flush(60)

    def _record(self) -> None:
        self._step += 1
        body = StepCompleted(
            step=self._step,
            loss=random.random(),
            learning_rate=1e-4,
            grad_norm=1.0,
            tokens_per_second=1000,
            epoch=1,
            example_index=[random.randrange(1000) for _ in range(LOSSES)],
            example_loss=[random.random() for _ in range(LOSSES)],
        )
        self.recorded.append((time.time(), self._step))
        self._trainer.producer.record(Event(subject=f"run/{self._trainer.run}", step_completed=body))


def _live(browser: Browser, dashboard: Dashboard, producing: Producing, seconds: float) -> dict[str, object]:
    tab = Tab(browser, dashboard.link, "/")
    producing.at_rate(10, 2)
    tab.wait_for_step(producing.recorded[-1][1])
    shares: dict[int, list[float]] = {}
    percentiles: dict[str, Percentiles] = {}
    for rate in RATES:
        producing.recorded.clear()
        before, begin = _cpu(dashboard), time.perf_counter()
        producing.at_rate(rate, seconds)
        tab.wait_for_step(producing.recorded[-1][1])
        took = time.perf_counter() - begin
        shares[rate] = [(after - was) / took for after, was in zip(_cpu(dashboard), before, strict=True)]
        _say(f"{rate} events/s: share of a core, dashboard and browser", shares[rate])
        percentiles[str(rate)] = _percentiles(f"{rate} events/s: event to DOM", _delays(producing, tab))
    producing.at_once(HOUR_EVENTS)
    tab.wait_for_step(producing.recorded[-1][1])
    memory = resident_mb(dashboard.pid)
    tab.close()
    return {
        "event_to_dom_ms": percentiles,
        "server_cpu_share": round(shares[RATES[0]][0], 3),
        "browser_cpu_share": round(shares[RATES[0]][1], 3),
        "rss_mb": round(memory, 1),
    }


def _delays(producing: Producing, tab: Tab) -> list[float]:
    """Milliseconds until each event's step, or a later one, was shown."""
    shown = tab.steps_shown()
    steps = [step for step, _ in shown]
    return [1000 * (shown[bisect.bisect_left(steps, step)][1] - at) for at, step in producing.recorded]


def _cpu(dashboard: Dashboard) -> tuple[float, float]:
    """Seconds that the dashboard used, and all processes of the browser."""
    return cpu_seconds(dashboard.pid), sum(cpu_seconds(pid) for pid in descendants(os.getpid(), "chrom"))


def _percentiles(what: str, milliseconds: Sequence[float]) -> Percentiles:
    twentieths = statistics.quantiles(milliseconds, n=20, method="inclusive")
    found = {"p50": round(statistics.median(milliseconds), 1), "p95": round(twentieths[-1], 1)}
    _say(f"{what}: ms, p50 and p95 of {len(milliseconds)}", tuple(found.values()))
    return found


def _say(what: str, value: object) -> None:
    print(f"{what}: {value}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
