"""All folds together: the state of everything at one position of the log."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from guessbook.projections import datasets, evolution, jobs, runs, versions
from guessbook.projections.datasets import Datasets
from guessbook.projections.evolution import Evolution
from guessbook.projections.fold import Misplaced
from guessbook.projections.jobs import Jobs
from guessbook.projections.runs import Runs
from guessbook.projections.versions import Versions
from guessbook.proto.events_pb2 import Event


@dataclass
class Book:
    """The fold of the log up to `position`. Two books of the same position are the same, whenever and wherever they were folded."""

    position: int = 0
    recorded_at_us: int = 0
    jobs: Jobs = field(default_factory=Jobs)
    runs: Runs = field(default_factory=Runs)
    evolution: Evolution = field(default_factory=Evolution)
    datasets: Datasets = field(default_factory=Datasets)
    versions: Versions = field(default_factory=Versions)
    # Events that make no sense where they stand. They are in the log, so they are shown, not dropped.
    misplaced_count: int = 0
    misplaced: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=100))


FOLDS = (jobs, runs, evolution, datasets, versions)


class Gap(Exception):
    """Events must be folded in order, each once."""


def apply(book: Book, event: Event) -> Book:
    """The book after one more event; the one given in is used up. Raises Gap, UnknownEvent."""
    if event.position != book.position + 1:
        raise Gap(f"the book is at position {book.position} and got the event at {event.position}")
    try:
        jobs.apply(book.jobs, event)
        runs.apply(book.runs, event)
        evolution.apply(book.evolution, event)
        datasets.apply(book.datasets, event)
        versions.apply(book.versions, event)
    except Misplaced as reason:
        book.misplaced_count += 1
        book.misplaced.append((event.position, str(reason)))
    book.position = event.position
    book.recorded_at_us = event.recorded_at_us
    return book


def fold(events: Iterable[Event]) -> Book:
    """The book of a log's events from its first on."""
    book = Book()
    for event in events:
        book = apply(book, event)
    return book
