"""`make bench-trajectories`: what a book of many examples and snapshots costs to load, to ask and to search, on this machine.

The log is a real one, loaded by the server's own start; questions go over gRPC. Figures go to standard error as they come; the last line of standard
output is one JSON object.
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.trajectories import CATEGORIES, RUN, STEPS, WORDS, MadeRun
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.projections import book as book_fold
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event
from guessbook.store.log import Append, Log
from guessbook.store.verify import verify

QUESTIONS = 200
BATCH_EVENTS = 64
STATES = [h.EXAMPLE_STATE_LEARNED, h.EXAMPLE_STATE_IMPROVING, h.EXAMPLE_STATE_STRUGGLING, h.EXAMPLE_STATE_NOT_LEARNED]
SORTS = ["loss", "-loss", "learned", "change", "forgetting", "-variability", "confidence", "-presentations", "index"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000)
    asked = parser.parse_args(arguments)
    random.seed(7)
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-", dir=".") as name:
        folder = Path(name).absolute()
        result: dict[str, object] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "examples": asked.examples,
        }
        server = ServerProcess(folder / "home")
        made = MadeRun(asked.examples)
        result["log_mb"] = write(server.home.log, made)
        result["fold_s"] = _fold(server.home.log)
        begin = time.perf_counter()
        with server:
            result["load_s"] = round(time.perf_counter() - begin, 2)
            _say("s until the server that loads it answers", result["load_s"])
            result["loaded_rss_mb"] = round(server.resident_mb())
            with server.client() as book:
                _check(book, made)
                result |= _ask(book, asked.examples)
            result["rss_mb"] = round(server.resident_mb())
            _say("server RSS, MB, with the part of the log that is mapped", result["rss_mb"])
        assert verify(server.home.log).ok
    print(json.dumps(result))
    return 0


def write(folder: Path, made: MadeRun) -> float:
    """Writes the log that a server starts on. MB that it takes on the disk."""
    log = Log(folder)
    try:
        for events in _batches(made.events()):
            log.commit([Append(events, actor="bench")], now_us=log.head.recorded_at_us + 1000)
        size = sum(file.stat().st_blocks * 512 for file in folder.iterdir()) / 1e6
        _say("events in the log; MB", (log.head.position, size))
    finally:
        log.close()
    return round(size, 1)


def _batches(events: Iterator[Event]) -> Iterator[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH_EVENTS or event.HasField("examples_registered"):
            yield batch
            batch = []
    yield batch


def _fold(folder: Path) -> float:
    """Seconds for reading and folding the log alone."""
    log = Log(folder)
    try:
        begin = time.perf_counter()
        book = book_fold.fold(log.read_all())
        took = time.perf_counter() - begin
    finally:
        log.close()
    assert not book.misplaced_count
    _say("s for reading and folding the log alone", took)
    return round(took, 2)


def _check(book: Guessbook, made: MadeRun) -> None:
    """What the server says is what was made."""
    story = book.trajectory(RUN, f"#{made.examples // 2}")
    assert [(seen.step, seen.guess) for seen in story.observations] == made.told


def _ask(book: Guessbook, examples: int) -> dict[str, float]:
    def page() -> object:
        return book.examples(
            RUN,
            states=random.sample(STATES, random.randint(0, 3)),
            category=random.choice(["", "", *CATEGORIES]),
            sort=random.choice(SORTS),
            offset=random.randint(0, 500),
            limit=100,
        )

    def story() -> object:
        return book.trajectory(RUN, f"#{random.randrange(examples)}")

    def search() -> object:
        words = [str(random.randrange(10_000)), random.choice(WORDS.tolist()), f"{random.randrange(10)}.", "e"]
        return book.examples(RUN, search=random.choice(words), sort="loss", limit=100)

    def summary() -> object:
        return book.summarise_examples(
            RUN,
            states=random.sample(STATES, random.randint(0, 3)),
            category=random.choice(["", "", *CATEGORIES]),
            since_step=random.choice(STEPS),
            cells=40,
        )

    asked: dict[str, Callable[[], object]] = {"query": page, "trajectory": story, "search": search, "summary": summary}
    result = {}
    for name, question in asked.items():
        result[f"{name}_ms_first"] = _timed(question)
        took = sorted(_timed(question) for _ in range(QUESTIONS))
        result[f"{name}_ms_p50"], result[f"{name}_ms_p95"] = took[len(took) // 2], took[int(len(took) * 0.95)]
        _say(f"{name}: ms, first, p50 and p95", [result[f"{name}_ms_{which}"] for which in ("first", "p50", "p95")])
    return result


def _timed(question: Callable[[], object]) -> float:
    begin = time.perf_counter()
    question()
    return round((time.perf_counter() - begin) * 1000, 1)


def _say(what: str, value: object) -> None:
    print(f"{what}: {value}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
