"""What is exported: a run at one point of the log, and those of its examples that a filter leaves. Asks the server; knows no format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Rejected
from guessbook.clients.export.source import Source, Texts
from guessbook.clients.export.training_set import chosen, lines_of
from guessbook.proto.history_pb2 import At, Change, Example, ExampleState, ListExamplesResponse, MapBox, Run

PAGE = 1000  # examples asked for at once: the most that the server gives; of long ones it gives fewer


@dataclass(frozen=True)
class Filter:
    """As `Guessbook.examples` takes it."""

    states: Sequence["ExampleState.ValueType"] = ()
    search: str = ""
    category: str = ""
    only_held_out: bool = False
    indices: Sequence[int] = ()
    box: MapBox | None = None
    since_step: int | None = None
    changes: Sequence["Change.ValueType"] = ()


class Selection:
    """Everything is asked as of one position, so that a run that goes on meanwhile changes nothing."""

    def __init__(self, book: Guessbook, run: str, at: At | None, wanted: Filter) -> None:
        self._book = book
        self._wanted = wanted
        name = book.run(run, at).id
        self.at = At(position=book.status(at).position)
        self.run: Run = book.run(name, self.at)

    @property
    def only_held_out(self) -> bool:
        return self._wanted.only_held_out

    @property
    def incomplete(self) -> int:
        """The run's snapshots that are not whole, which no export has."""
        return sum(not snapshot.complete for snapshot in self.run.snapshots)

    def source(self) -> Source:
        """The tracked ones with their observations. Holds their texts; the observations stream."""
        texts = {
            one.index: Texts(one.id, one.prompt, one.expected, one.category) for one in self._examples(tracked=True)
        }
        parts = self._book.observations(self.run.id, self.at, **vars(self._wanted))
        return Source(self.run, texts, parts, self.learning_rate)

    def learning_rate(self, step: int) -> float | None:
        """That of a step; None before the first."""
        if step == 0:
            return None
        steps = self._book.steps(self.run.id, self.at, after_step=step - 1, max_points=2)
        return next((rate for one, rate in zip(steps.step, steps.learning_rate, strict=True) if one == step), None)

    def matching(self) -> int:
        """The examples that have observations to export."""
        return self._page(0, limit=1, tracked=True).matching

    def total(self) -> int:
        """The examples of the run, tracked or not, held out or not."""
        return self._page(0, limit=1, tracked=False).total

    def lines(self) -> Iterator[bytes]:
        """The lines of the dataset's file whose examples the filter leaves, as they are; held-out ones are not in it.

        Raises Rejected where the log doesn't tell which lines of the file were left out.
        """
        indices = {one.index for one in self._examples(tracked=False) if one.index < self.run.examples}
        skipped = self._skipped_lines()
        found = 0
        for line in chosen(lines_of(self._book.download(self.run.dataset)), skipped, indices):
            yield line
            found += 1
        if found < len(indices):
            raise Rejected(
                f"the dataset's file has {found} of the {len(indices)} examples that were asked for",
                "It is not the file that the log tells of. `guessbook verify` looks at the log, `guessbook doctor` at the folder.",
            )

    def _examples(self, *, tracked: bool) -> Iterator[Example]:
        offset = 0
        while True:
            page = self._page(offset, limit=PAGE, tracked=tracked)
            yield from page.examples
            offset += len(page.examples)
            if offset >= page.matching or not page.examples:
                return

    def _page(self, offset: int, *, limit: int, tracked: bool) -> ListExamplesResponse:
        wanted = vars(self._wanted)
        return self._book.examples(self.run.id, self.at, offset=offset, limit=limit, only_tracked=tracked, **wanted)

    def _skipped_lines(self) -> set[int]:
        subject = f"dataset/{self.run.dataset}"
        events = self._book.read(1, [subject])
        registered = next(event.dataset_registered for event in events if event.HasField("dataset_registered"))
        skipped = {error.line for error in registered.skipped}
        if len(skipped) < registered.skipped_count:
            raise Rejected(
                f"{registered.skipped_count} lines of {registered.name} were left out; the log names only {len(skipped)} of them",
                "Which lines are examples can't be told. Submit a file without bad lines.",
            )
        return skipped
