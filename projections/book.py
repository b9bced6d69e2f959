"""All folds together: the state of everything at one position of the log."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from guessbook.projections import (
    backups,
    base_models,
    datasets,
    evolution,
    hooks,
    jobs,
    operations,
    queue,
    runs,
    trainers,
    versions,
)
from guessbook.projections.backups import Backups
from guessbook.projections.base_models import BaseModels
from guessbook.projections.datasets import Datasets
from guessbook.projections.evolution import Evolution
from guessbook.projections.fold import BODIES, Handlers, Misplaced, UnknownEvent
from guessbook.projections.hooks import Hooks
from guessbook.projections.jobs import Jobs
from guessbook.projections.operations import Operations
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
    base_models: BaseModels = field(default_factory=BaseModels)
    backups: Backups = field(default_factory=Backups)
    operations: Operations = field(default_factory=Operations)
    hooks: Hooks = field(default_factory=Hooks)
    # Events that make no sense where they stand. They are in the log, so they are shown, not dropped.
    misplaced_count: int = 0
    misplaced: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=100))

    def __post_init__(self) -> None:
        self.evolution.datasets = self.datasets

    def fork(self) -> "Book":
        """The same book; from now on both can be folded on by themselves. What they have in common is kept once."""
        return Book(
            self.position,
            self.recorded_at_us,
            self.jobs.fork(),
            self.runs.fork(),
            self.evolution.fork(),
            self.datasets.fork(),
            self.versions.fork(),
            self.base_models.fork(),
            self.backups.fork(),
            self.operations.fork(),
            self.hooks.fork(),
            self.misplaced_count,
            self.misplaced.copy(),
        )


FOLDS: dict[str, Handlers] = {
    "jobs": {**jobs.HANDLERS, **queue.HANDLERS, **trainers.HANDLERS},
    "runs": runs.HANDLERS,
    "evolution": evolution.HANDLERS,
    "datasets": datasets.HANDLERS,
    "versions": versions.HANDLERS,
    "base_models": base_models.HANDLERS,
    "backups": backups.HANDLERS,
    "operations": operations.HANDLERS,
    "hooks": hooks.HANDLERS,
}
# For each kind of event: the parts of the book that it concerns, and how each changes.
_ROUTES = {
    body: tuple((part, handlers[body]) for part, handlers in FOLDS.items() if body in handlers) for body in BODIES
}


class Gap(Exception):
    """Events must be folded in order, each once."""


def apply(book: Book, event: Event) -> Book:
    """The book after one more event; the one given in is used up. Raises Gap, UnknownEvent."""
    position = event.position
    if position != book.position + 1:
        raise Gap(f"the book is at position {book.position} and got the event at {position}")
    body = event.WhichOneof("body")
    if body not in _ROUTES:
        raise UnknownEvent(event)
    content = getattr(event, body)
    misplaced: Misplaced | None = None
    for part, handler in _ROUTES[body]:
        try:
            handler(getattr(book, part), event, content)
        except Misplaced as reason:
            misplaced = reason
    if misplaced:
        book.misplaced_count += 1
        book.misplaced.append((position, str(misplaced)))
    book.position = position
    book.recorded_at_us = event.recorded_at_us
    return book


def fold(events: Iterable[Event], book: Book | None = None) -> Book:
    """The book of a log's events from its first on, or of those behind a book, which is used up."""
    book = book or Book()
    for event in events:
        book = apply(book, event)
    return book
