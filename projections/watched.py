"""A run's trained examples side by side: what every snapshot saw of each. Pure; knows the folds, judges nothing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.book import Book
from guessbook.projections.datasets import Examples
from guessbook.projections.evolution import RunEvolution, SnapshotColumns

Columns = NDArray[np.intp]  # numbers of columns of a `Watched`


@dataclass(frozen=True)
class Watched:
    """One row a complete snapshot, one column a tracked example that each of these snapshots saw, in ascending order of its index.

    Held-out examples have no column: nothing that is said of learning holds for them.
    """

    texts: Examples
    run: RunEvolution
    snapshots: list[SnapshotColumns]
    slot: NDArray[np.intp]  # where a column's example is in a snapshot

    @classmethod
    def of(cls, book: Book, run: str) -> "Watched | None":
        """None for a run that is not known, or whose dataset isn't."""
        found = book.runs.by_id.get(run)
        texts = book.datasets.by_sha256.get(found.run.dataset) if found else None
        if texts is None:
            return None
        evolution = book.evolution.by_run[run]
        snapshots = [snapshot for snapshot in evolution.snapshots if snapshot.complete]
        seen = np.ones(evolution.trained_slots, dtype=np.bool_)
        for snapshot in snapshots:
            seen &= snapshot.seen[: len(seen)]
        return cls(texts, evolution, snapshots, np.flatnonzero(seen))

    @cached_property
    def index(self) -> NDArray[np.uint32]:
        return self.run.tracked[self.slot]

    @cached_property
    def step(self) -> NDArray[np.int64]:
        return np.array([snapshot.step for snapshot in self.snapshots], dtype=np.int64)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        return np.array([snapshot.correct[self.slot] for snapshot in self.snapshots])

    @cached_property
    def guessed(self) -> NDArray[np.bool_]:
        """Where there is no new guess, to keep the budget, it is the one before."""
        return np.array([snapshot.guessed[self.slot] for snapshot in self.snapshots])

    @cached_property
    def judged(self) -> NDArray[np.bool_]:
        """Where a snapshot found out whether the example is right; elsewhere `correct` is as it was before."""
        return self.guessed | self.judged_by_loss

    @cached_property
    def judged_by_loss(self) -> NDArray[np.bool_]:
        """Plain text: its guess is not compared with anything."""
        return self.run.judged_by_loss[self.slot]

    @cached_property
    def loss(self) -> NDArray[np.float32]:
        """Mean over the expected tokens, in nats."""
        return np.array([snapshot.loss[self.slot] for snapshot in self.snapshots])

    @cached_property
    def presentations(self) -> NDArray[np.intp]:
        """How often each was trained on up to the last snapshot."""
        seen = np.bincount(self.visited(-1, int(self.step[-1])), minlength=len(self.texts.ids))
        return seen[self.index]

    def last_right(self, before: int, columns: Columns) -> Columns:
        """The numbers of the last snapshots before one that found each of some columns right; where none did, of the one just before."""
        found = self.judged[:before, columns] & self.correct[:before, columns]
        back: Columns = np.argmax(found[::-1], axis=0)
        return before - 1 - back

    def had_chance(self, presentations: int) -> NDArray[np.bool_]:
        """Marks columns that a snapshot judged after they were trained on so often."""
        times = np.zeros(max(len(self.texts.ids), int(self._trained.max(initial=0)) + 1), dtype=np.intp)
        found, after = np.zeros(len(self.slot), dtype=np.bool_), -1
        for number, step in enumerate(self.step.tolist()):
            times += np.bincount(self.visited(after, step), minlength=len(times))
            found |= self.judged[number] & (times[self.index] >= presentations)
            after = step
        return found

    @cached_property
    def _trained(self) -> NDArray[np.uint32]:
        """The examples that were trained on, in order."""
        return self.run.visit_example.rows()

    def visited(self, after: int, until: int) -> NDArray[np.uint32]:
        """The examples trained on in the steps after one and up to another, in order, each as often as it was."""
        steps, ends = self.run.step.rows(), self.run.visits_until.rows()
        first, last = (
            int(np.searchsorted(steps, bound, side="right")) if bound >= 0 else 0 for bound in (after, until)
        )
        start, end = (int(ends[number - 1]) if number else 0 for number in (first, last))
        return self._trained[start:end]

    def guess(self, snapshot: int, column: int) -> str:
        """At a snapshot, by its number; -1 is the last one."""
        return self.snapshots[snapshot].guess[int(self.slot[column])]

    def expected(self, column: int) -> str:
        return self.texts.expected[int(self.index[column])]

    @cached_property
    def groups(self) -> list[Columns]:
        """The columns of each category; all of them where the data has none."""
        categories = np.array(list(self.texts.categories), dtype=object)[self.index]
        _, group, sizes = np.unique(categories.astype(str), return_inverse=True, return_counts=True)
        return np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
