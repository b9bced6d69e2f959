"""A run's examples side by side with its snapshots: the rows that pages, comparisons and exports choose from. Pure; knows the folds.

A row is an example's index: first the dataset's examples, behind them the held-out ones.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.book import Book
from guessbook.projections.datasets import Examples
from guessbook.projections.evolution import RunEvolution, SnapshotColumns
from guessbook.projections.learning import Learning
from guessbook.projections.names import Unknown
from guessbook.projections.states import Flags
from guessbook.proto.history_pb2 import EXAMPLE_STATE_UNSPECIFIED, ListExamplesRequest, Observation

NO_EXAMPLES = Examples(name="", form="", md5="", count=0)

Rows = NDArray[np.intp]


class Texts(NamedTuple):
    id: str
    prompt: str
    expected: str
    category: str


@dataclass(frozen=True)
class RunTable:
    run: str
    trained: Examples
    held_out: Examples
    evolution: RunEvolution

    @classmethod
    def of(cls, book: Book, run: str) -> "RunTable | None":
        """None: no such run, or nothing is known of its dataset."""
        found = book.runs.by_id.get(run)
        trained = book.datasets.by_sha256.get(found.run.dataset) if found else None
        if found is None or trained is None:
            return None
        held_out = book.datasets.by_sha256.get(found.held_out_dataset, NO_EXAMPLES)
        return cls(run, trained, held_out, book.evolution.by_run[run])

    @cached_property
    def total(self) -> int:
        # An example of which no text is registered yet has a row all the same.
        tracked = self.evolution.tracked
        return max(self._behind + len(self.held_out.ids), int(tracked[-1]) + 1 if len(tracked) else 0)

    @property
    def last(self) -> SnapshotColumns | None:
        return self.evolution.snapshots[-1] if self.evolution.snapshots else None

    @cached_property
    def learning(self) -> Learning:
        return Learning.of(self.evolution.snapshots, len(self.evolution.tracked))

    def texts(self, row: int) -> Texts:
        examples, place = (self.trained, row) if row < self._behind else (self.held_out, row - self._behind)
        if place >= len(examples.ids):
            return Texts(f"#{row}", "", "", "")
        return Texts(examples.ids[place], examples.prompts[place], examples.expected[place], examples.categories[place])

    def row(self, name: str) -> int | None:
        """The row of an example by its id, or by "#" and its index."""
        if name in self.trained.index_of:
            return self.trained.index_of[name]
        if name in self.held_out.index_of:
            return self._behind + self.held_out.index_of[name]
        number = name.removeprefix("#")
        if number.isascii() and number.isdigit() and int(number) < self.total:
            return int(number)
        return None

    def per_row(self, per_slot: NDArray[np.generic], missing: float = np.nan) -> NDArray[np.float64]:
        """A column over slots as one over all rows; `missing` where an example isn't tracked."""
        column = np.full(self.total, missing, dtype=np.float64)
        column[self.evolution.tracked] = per_slot
        return column

    def filtered(self, asked: ListExamplesRequest) -> Rows:
        """The rows that a request's filter leaves, ascending. Raises Unknown."""
        keep = np.ones(self.total, dtype=np.bool_)
        if asked.only_tracked:
            keep &= self._tracked
        if asked.only_held_out:
            keep[: self._behind] = False
        if asked.states:
            keep &= np.isin(self._states, np.array(asked.states[:]))
        if asked.category:
            keep &= self._in_category(asked.category)
        if asked.indices:
            keep &= self._among(np.array(asked.indices[:], dtype=np.int64))
        if asked.search:
            keep &= self.mentions(asked.search)
        return np.flatnonzero(keep)

    def mentions(self, wanted: str) -> Flags:
        """The rows with a text in their id, prompt, expected answer or any of their guesses, letter case ignored."""
        found = np.zeros(self.total, dtype=np.bool_)
        for examples, start in ((self.trained, 0), (self.held_out, self._behind)):
            for column in (examples.ids, examples.prompts, examples.expected):
                found[start : start + len(column)] |= column.mentions(wanted)
        guesses = self.evolution.texts.mentions(wanted)
        guessed = np.zeros(len(self.evolution.tracked), dtype=np.bool_)
        for snapshot in self.evolution.snapshots:
            guessed |= guesses[snapshot.guess.rows]  # where nothing was guessed, this is the guess before
        found[self.evolution.tracked] |= guessed
        return found

    def observation(self, number: int, slot: int) -> Observation:
        """What the snapshot of a number saw in a slot."""
        snapshot = self.evolution.snapshots[number]
        before = self.evolution.snapshots[number - 1].last_loss[slot] if number else np.nan
        return Observation(
            step=snapshot.step,
            guess=snapshot.guess[slot],
            loss=float(snapshot.loss[slot]),
            token_accuracy=float(snapshot.token_accuracy[slot]),
            correct=bool(snapshot.correct[slot]),
            confidence=float(snapshot.confidence[slot]),
            expected_probability=float(snapshot.expected_probability[slot]),
            state=int(snapshot.state[slot]),  # type: ignore[arg-type]
            position=int(snapshot.event_position[slot]),
            recorded_at_us=snapshot.recorded_at_us,
            guessed=bool(snapshot.guessed[slot]),
            improved=bool(snapshot.loss[slot] < before),
        )

    def last_seen(self, slot: int, number: int | None = None) -> Observation | None:
        """The last observation in a slot, or the last one up to the snapshot of a number."""
        snapshots = self.evolution.snapshots
        for place in reversed(range(len(snapshots) if number is None else number + 1)):
            if snapshots[place].seen[slot]:
                return self.observation(place, slot)
        return None

    @property
    def _behind(self) -> int:
        """The first row of the held-out examples."""
        return min(self.evolution.held_out_from, max(self.trained.count, len(self.trained.ids)))

    @property
    def _tracked(self) -> Flags:
        return self.per_row(np.ones(len(self.evolution.tracked)), 0) > 0

    @property
    def _states(self) -> NDArray[np.float64]:
        if self.last is None:
            return np.full(self.total, EXAMPLE_STATE_UNSPECIFIED, dtype=np.float64)
        return self.per_row(self.last.state, EXAMPLE_STATE_UNSPECIFIED)

    def _in_category(self, category: str) -> Flags:
        there = dict.fromkeys([*self.trained.categories.distinct(), *self.held_out.categories.distinct()])
        names = [name for name in there if name]
        if category not in names:
            listed = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
            hint = f"There are: {listed}." if names else "None of the run's examples has a category."
            raise Unknown(f"run {self.run} has no category {category!r}", hint)
        keep = np.zeros(self.total, dtype=np.bool_)
        for examples, start in ((self.trained, 0), (self.held_out, self._behind)):
            keep[start : start + len(examples.categories)] = examples.categories.equals(category)
        return keep

    def _among(self, indices: NDArray[np.int64]) -> Flags:
        if indices.max() >= self.total:
            hint = f"It has {self.total:,}, from #0 to #{self.total - 1}."
            raise Unknown(f"run {self.run} has no example #{indices.max()}", hint)
        keep = np.zeros(self.total, dtype=np.bool_)
        keep[indices] = True
        return keep
