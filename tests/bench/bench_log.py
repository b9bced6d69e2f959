"""`make bench-log`: what the log and its server do on this machine, beside umadb and bare LMDB in the same run.

Everything is measured over gRPC with an fsync before each ack, unless it says otherwise. Figures go to standard error as they come; the last line of
standard output is one JSON object.
"""

import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import load, rivals
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.projections import book as book_fold
from guessbook.proto.history_pb2 import At, RunStep
from guessbook.proto.log_pb2 import Frame
from guessbook.store.log import Log
from guessbook.store.recorded import events_of
from guessbook.store.verify import verify

# Batch size -> events per producer: a few seconds each.
EVENTS = {1: 1500, 10: 15_000, 100: 100_000, 1000: 200_000}
UMA_EVENTS = {1: 300, 10: 3000, 100: 20_000, 1000: 60_000}
MILLION_RUNS, MILLION_STEPS = 4, 250_000
MILLION_BATCH = 1000
PAST_POINTS = 60


def main() -> int:
    random.seed(7)
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-", dir=".") as name:
        folder = Path(name).absolute()
        result: dict[str, object] = {
            "machine": f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}"
        }
        result["fdatasync_ms"] = _milliseconds(load.fdatasync_times(folder, 500))
        result |= _appends(folder)
        result |= _million(folder)
        result |= _others(folder)
    print(json.dumps(result))
    return 0


def _appends(folder: Path) -> dict[str, object]:
    with ServerProcess(folder / "appends") as server:
        token = server.home.token()
        alone = {
            str(size): round(load.durable_rate(server.address, token, f"one-{size}", size, 1, events))
            for size, events in EVENTS.items()
        }
        _say("durable events/s, one producer", alone)
        eight = {
            str(size): round(load.durable_rate(server.address, token, f"eight-{size}", size, 8, events // 4))
            for size, events in EVENTS.items()
        }
        _say("durable events/s, 8 producers", eight)
        acks = _milliseconds(load.ack_times(server.address, token, "acks", 1000))
        _say("ms to an ack, one in flight", acks)
    return {"durable_events_per_s": alone, "durable_events_per_s_8_producers": eight, "ack_ms": acks}


def _million(folder: Path) -> dict[str, object]:
    """A log of a million step events: reading it, its past, rebuilding from it, its size."""
    events = MILLION_RUNS * MILLION_STEPS
    with ServerProcess(folder / "million") as server:
        for number in range(MILLION_RUNS):
            label = f"long-{number}"
            load.durable_rate(server.address, server.home.token(), label, MILLION_BATCH, 1, MILLION_STEPS)
        with server.client() as book:
            begin = time.perf_counter()
            count = sum(1 for _ in book.read())
            catch_up = round(count / (time.perf_counter() - begin))
            _say("catch-up events/s", catch_up)
            past = _milliseconds(_past_points(book), percentiles=(50, 95))
            _say("ms to the state at a random past step", past)
        memory = server.resident_mb()
        size = (server.home.log / "data.mdb").stat().st_blocks * 512 / events
        _say("server RSS, MB; bytes per step event", (memory, size))
    rebuild, parse = _rebuild(server.home.log)
    assert verify(server.home.log).ok
    return {
        "catch_up_events_per_s": catch_up,
        "past_step_ms": past,
        "rebuild_events_per_s": rebuild,
        "parse_events_per_s": parse,
        "bytes_per_step_event": round(size, 1),
        "server_rss_mb": round(memory),
    }


def _past_points(book: Guessbook) -> list[float]:
    took = []
    for _ in range(PAST_POINTS):
        run = f"long-{random.randrange(MILLION_RUNS)}-0"
        step = random.randrange(1, MILLION_STEPS)
        begin = time.perf_counter()
        found = book.run(run, At(run_step=RunStep(run=run, step=step)))
        took.append(time.perf_counter() - begin)
        assert found.step == step
    return took


def _rebuild(folder: Path) -> tuple[int, int]:
    """Events a second of folding the whole log from nothing, and of only parsing it, which is the limit."""
    log = Log(folder)
    try:
        begin = time.perf_counter()
        book = book_fold.fold(log.read_all())
        rebuild = round(book.position / (time.perf_counter() - begin))
        frames, after = [], 1
        while after <= log.head.position:
            more, after = log.read_raw(after)
            frames += more
        begin = time.perf_counter()
        count = sum(len(events_of(Frame.FromString(raw))) for raw in frames)
        parse = round(count / (time.perf_counter() - begin))
    finally:
        log.close()
    _say("rebuild, parse events/s", (rebuild, parse))
    return rebuild, parse


def _others(folder: Path) -> dict[str, object]:
    place = folder / "others"
    place.mkdir()
    with rivals.umadb_server(place) as url:
        alone = {str(size): round(rivals.umadb_rate(url, size, 1, events)) for size, events in UMA_EVENTS.items()}
        eight = {str(size): round(rivals.umadb_rate(url, size, 8, events // 4)) for size, events in UMA_EVENTS.items()}
    _say("umadb, one producer and 8", (alone, eight))
    bare = {str(size): round(rivals.lmdb_rate(place, size, events)) for size, events in EVENTS.items()}
    _say("bare LMDB", bare)
    return {"umadb_events_per_s": alone, "umadb_events_per_s_8_producers": eight, "lmdb_events_per_s": bare}


def _milliseconds(seconds: Sequence[float], percentiles: tuple[int, int] = (50, 99)) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {f"p{percent}": round(1000 * cuts[percent - 1], 3) for percent in percentiles}


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _say(what: str, figure: object) -> None:
    print(f"{what}: {figure}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
