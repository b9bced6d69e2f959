"""A run's examples side by side with its snapshots: the rows that pages, comparisons and exports choose from. Pure; knows the folds.

A row is an example's index: first the dataset's examples, behind them the held-out ones.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.book import Book
from guessbook.projections.changes import changes
from guessbook.projections.datasets import Examples
from guessbook.projections.evolution import RunEvolution, SnapshotColumns
from guessbook.projections.learning import Learning
from guessbook.projections.names import Unknown
from guessbook.projections.states import Flags, States
from guessbook.proto.history_pb2 import EXAMPLE_STATE_UNSPECIFIED, ListExamplesRequest, MapBox, Observation

NO_EXAMPLES = Examples(name="", form="", md5="", count=0)

Rows = NDArray[np.intp]
T = TypeVar("T", bound=np.generic)


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
    def snapshots(self) -> list[SnapshotColumns]:
        return self.evolution.snapshots

    @property
    def last(self) -> SnapshotColumns | None:
        return self.snapshots[-1] if self.snapshots else None

    def snapshot(self, step: int) -> SnapshotColumns:
        """The snapshot at exactly this step. Raises Unknown, naming those that there are."""
        for snapshot in self.snapshots:
            if snapshot.step == step:
                return snapshot
        listed = ", ".join(str(snapshot.step) for snapshot in self.snapshots)
        hint = f"Its snapshots are at the steps {listed}." if listed else "It has no snapshot yet."
        raise Unknown(f"run {self.run} has no snapshot at step {step}", hint)

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

    def placed(self, per_slot: NDArray[T]) -> NDArray[T]:
        """The same in its own type; zero where an example isn't tracked."""
        column = np.zeros(self.total, dtype=per_slot.dtype)
        column[self.evolution.tracked] = per_slot
        return column

    def slots(self, rows: Rows) -> Rows:
        """The slots of those of some rows that are tracked, ascending."""
        wanted = np.zeros(self.total, dtype=np.bool_)
        wanted[rows] = True
        return np.flatnonzero(wanted[self.evolution.tracked])

    def states(self, snapshot: SnapshotColumns | None) -> States:
        """The state of each row as of a snapshot; unspecified where it isn't tracked, was not seen yet, or there is no snapshot."""
        if snapshot is None:
            return np.full(self.total, EXAMPLE_STATE_UNSPECIFIED, dtype=np.uint8)
        return self.placed(snapshot.state)

    @cached_property
    def categories(self) -> tuple[list[str], NDArray[np.int64]]:
        """The names of the categories, and for each row the place of its own among them. An example without one has the empty name."""
        place_of = {"": 0}
        codes = np.zeros(self.total, dtype=np.int64)
        for examples, start in ((self.trained, 0), (self.held_out, self._behind)):
            own = [place_of.setdefault(name, len(place_of)) for name in examples.categories.distinct()]
            rows = np.array(own, dtype=np.int64)[examples.categories.codes()]
            codes[start : start + len(rows)] = rows
        return list(place_of), codes

    def filtered(self, asked: ListExamplesRequest) -> Rows:
        """The rows that a request's filter leaves, ascending. Raises Unknown."""
        keep = np.ones(self.total, dtype=np.bool_)
        if asked.only_tracked:
            keep &= self.placed(np.ones(len(self.evolution.tracked), dtype=np.bool_))
        if asked.only_held_out:
            keep[: self._behind] = False
        if asked.states:
            keep &= np.isin(self.states(self.last), np.array(asked.states[:]))
        if asked.category:
            keep &= self._in_category(asked.category)
        if asked.indices:
            keep &= self._among(np.array(asked.indices[:], dtype=np.int64))
        if asked.HasField("box"):
            keep &= self.placed(self._in_box(asked.box))
        if asked.changes or asked.HasField("since_step"):
            keep &= self._became(asked)
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

    def _in_box(self, box: MapBox) -> Flags:
        """Which slots are in a part of the data map; as its borders, and what clients are told, in single precision."""
        confidence, variability = (
            measure.astype(np.float32) for measure in (self.learning.confidence, self.learning.variability)
        )
        return (
            (confidence >= box.confidence_from)
            & (confidence <= box.confidence_to)
            & (variability >= box.variability_from)
            & (variability <= box.variability_to)
        )

    def _became(self, asked: ListExamplesRequest) -> Flags:
        """Which rows became what is asked for, between a snapshot and the last one."""
        if not asked.HasField("since_step"):
            listed = ", ".join(str(snapshot.step) for snapshot in self.snapshots) or "none yet"
            raise Unknown("changes are counted from a snapshot, and none is named", f"Name its step: {listed}.")
        since = self.snapshot(asked.since_step)
        if not asked.changes:
            return np.ones(self.total, dtype=np.bool_)
        return self.placed(np.isin(changes(since, self.snapshots[-1]), np.array(asked.changes[:])))

    def _in_category(self, category: str) -> Flags:
        there, codes = self.categories
        names = [name for name in there if name]
        if category not in names:
            listed = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
            hint = f"There are: {listed}." if names else "None of the run's examples has a category."
            raise Unknown(f"run {self.run} has no category {category!r}", hint)
        return np.asarray(codes == there.index(category))

    def _among(self, indices: NDArray[np.int64]) -> Flags:
        if indices.max() >= self.total:
            hint = f"It has {self.total:,}, from #0 to #{self.total - 1}."
            raise Unknown(f"run {self.run} has no example #{indices.max()}", hint)
        keep = np.zeros(self.total, dtype=np.bool_)
        keep[indices] = True
        return keep
