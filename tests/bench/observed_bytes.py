"""What a run's snapshots take in the log, and what the same take as the JSON that `guessbook export --format json` writes."""

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from folded_book import FoldedBook
from made_events import numbered

from guessbook.clients.export import json_file
from guessbook.clients.export.selection import Filter, Selection
from guessbook.projections import book as book_fold
from guessbook.proto.events_pb2 import (
    DatasetRegistered,
    Event,
    ExamplesRegistered,
    JobLeased,
    JobQueued,
    RunStarted,
)
from guessbook.store.dataset import Example
from guessbook.store.log import Append, Log, Receipt
from guessbook.store.verify import verify

RUN, JOB, DATASET = "bench", "bench", "d" * 64
RUNS = 100
SNAPSHOT = ("snapshot_started", "examples_observed", "snapshot_completed")


def log_bytes(events: Sequence[Event]) -> float:
    """By how much the log's file is larger with the snapshots than without. What comes up to a snapshot's end is committed together.

    A file grows by pages and keeps some free ones, so the run is written many times over. Each commit is compressed by itself: repeating saves nothing.
    The texts of the examples, which the log has once for all runs on them and the JSON once a snapshot, are not in it.
    """
    commits = list(_commits(events))
    others = [[event for event in commit if event.WhichOneof("body") not in SNAPSHOT] for commit in commits]
    return (_used(commits) - _used([commit for commit in others if commit])) / RUNS


def json_bytes(events: Sequence[Event], examples: Sequence[Example]) -> int:
    """Of the export of the run: the events are folded, and the exporter writes what the book says."""
    book = book_fold.fold(numbered([*_beginning(examples), *map(_untouched, events)]))
    assert not book.misplaced, book.misplaced
    source = Selection(FoldedBook.client(book), RUN, None, Filter()).source()
    file = io.BytesIO()
    written = json_file.write(source, file)
    assert written == sum(len(event.examples_observed.example_index) for event in events)
    return len(file.getvalue())


def _beginning(examples: Sequence[Example]) -> list[Event]:
    dataset = DatasetRegistered(name="bench.jsonl", sha256=DATASET, form="question/answer", examples=len(examples))
    texts = ExamplesRegistered(
        id=[one.id for one in examples],
        prompt=[one.prompt for one in examples],
        expected=[one.expected for one in examples],
        category=[one.category for one in examples],
    )
    started = RunStarted(job=JOB, dataset=DATASET, examples=len(examples), tracked=range(len(examples)))
    return [
        Event(subject=f"dataset/{DATASET}", dataset_registered=dataset),
        Event(subject=f"dataset/{DATASET}", examples_registered=texts),
        Event(subject=f"job/{JOB}", job_queued=JobQueued(name="bench.jsonl", dataset=DATASET)),
        Event(subject=f"job/{JOB}", job_leased=JobLeased(trainer="bench", epoch=1, run=RUN)),
        Event(subject=f"run/{RUN}", run_started=started),
    ]


def _used(commits: Sequence[Sequence[Event]]) -> int:
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-") as name:
        folder = Path(name) / "log"
        log = Log(folder)
        for _ in range(RUNS):
            for commit in commits:
                _commit(log, commit)
        used = log.map_use().used_bytes
        log.close()
        assert verify(folder).ok
    return used


def _commit(log: Log, events: Sequence[Event]) -> None:
    append = Append([_untouched(event) for event in events], actor="bench")
    (receipt,), _ = log.commit([append], now_us=log.head.recorded_at_us + 1000)
    assert isinstance(receipt, Receipt)


def _untouched(event: Event) -> Event:
    """A copy; the log tells its events where they are."""
    copy = Event()
    copy.CopyFrom(event)
    return copy


def _commits(events: Iterable[Event]) -> Iterator[list[Event]]:
    """What was recorded up to the end of each snapshot, that included."""
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if event.HasField("snapshot_completed"):
            yield batch
            batch = []
    if batch:
        yield batch
