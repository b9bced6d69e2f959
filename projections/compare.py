"""Two stages of the model side by side, example by example: what was fixed, what broke, what stayed. Pure; knows the folds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guessbook.projections import views
from guessbook.projections.book import Book
from guessbook.projections.changes import change_counts, change_of
from guessbook.projections.evolution import SnapshotColumns
from guessbook.projections.names import Unknown
from guessbook.projections.run_table import RunTable
from guessbook.projections.states import Flags, Floats
from guessbook.proto.history_pb2 import (
    CHANGE_STILL_RIGHT,
    CHANGE_STILL_WRONG,
    EXAMPLE_STATE_UNSPECIFIED,
    ComparedExample,
    CompareRequest,
    CompareResponse,
    RunStep,
    Stage,
)

PAGE = 100
PAGE_LIMIT = 1000
LISTED = 20

Slots = NDArray[np.intp]


@dataclass(frozen=True)
class _Side:
    """A run as it was at one of its snapshots. An example that this snapshot left out is as it was last seen."""

    table: RunTable
    number: int  # of the snapshot

    @property
    def snapshot(self) -> SnapshotColumns:
        return self.table.evolution.snapshots[self.number]

    @property
    def seen(self) -> Slots:
        # Not told from the loss: one that was seen may be no number.
        return np.flatnonzero(self.snapshot.state != EXAMPLE_STATE_UNSPECIFIED)

    @property
    def trained_seen(self) -> int:
        """How many of `seen`, the first ones, are trained on."""
        return int(np.searchsorted(self.seen, self.table.evolution.trained_slots))

    def losses(self, slots: Slots) -> Floats:
        return self.snapshot.last_loss[slots]

    def places(self, slots: Slots) -> NDArray[np.int64]:
        """Where the examples are in their file, be it that of the trained ones or the held-out one."""
        index, behind = self.table.evolution.tracked[slots].astype(np.int64), self.table.evolution.held_out_from
        return np.where(index < behind, index, index - behind)

    def id(self, slot: int) -> str:
        return self.table.texts(int(self.table.evolution.tracked[slot])).id


def compare(book: Book, request: CompareRequest) -> CompareResponse:
    """The examples that both sides know, those that changed first. Raises Unknown."""
    before, after = _side(book, request.before, "before"), _side(book, request.after, "after")
    before_slots, after_slots = _in_both(before, after)
    change = change_of(before.snapshot.correct[before_slots], after.snapshot.correct[after_slots])
    with np.errstate(invalid="ignore"):  # of two infinite losses
        moved = after.losses(after_slots) - before.losses(before_slots)
    chosen = np.flatnonzero(_wanted(request, change, (before, before_slots), (after, after_slots)))
    same = np.isin(change[chosen], (CHANGE_STILL_WRONG, CHANGE_STILL_RIGHT))
    chosen = chosen[np.lexsort((-np.abs(moved[chosen]), same))]
    limit = min(request.limit or PAGE, PAGE_LIMIT)
    view = CompareResponse(
        before=RunStep(run=before.table.run, step=before.snapshot.step),
        after=RunStep(run=after.table.run, step=after.snapshot.step),
        counts=change_counts(change),
        only_before=len(before.seen) - len(before_slots),
        only_after=len(after.seen) - len(after_slots),
        matching=len(chosen),
        position=book.position,
    )
    if len(change):
        view.mean_loss_before = float(before.losses(before_slots).mean())
        view.mean_loss_after = float(after.losses(after_slots).mean())
    for place in chosen[request.offset : request.offset + limit].tolist():
        slots = int(before_slots[place]), int(after_slots[place])
        view.examples.append(_row(before, after, *slots, int(change[place])))
    return view


def _row(before: _Side, after: _Side, before_slot: int, after_slot: int, change: int) -> ComparedExample:
    index = int(after.table.evolution.tracked[after_slot])
    texts = after.table.texts(index)
    return ComparedExample(
        index=index,
        id=texts.id,
        prompt=texts.prompt,
        expected=texts.expected,
        change=change,  # type: ignore[arg-type]
        before=before.table.last_seen(before_slot, before.number),
        after=after.table.last_seen(after_slot, after.number),
    )


def _in_both(before: _Side, after: _Side) -> tuple[Slots, Slots]:
    """The slots, in either, of the examples that both have seen, by their index in `after`.

    An id is unique within its file only, so those that are trained on and those that are held out are matched apart.
    """
    same_trained = before.table.trained is after.table.trained
    same_held_out = before.table.held_out is after.table.held_out
    trained = _matched(before, after, *(side.seen[: side.trained_seen] for side in (before, after)), same=same_trained)
    held = _matched(before, after, *(side.seen[side.trained_seen :] for side in (before, after)), same=same_held_out)
    return np.concatenate([trained[0], held[0]]), np.concatenate([trained[1], held[1]])


def _matched(before: _Side, after: _Side, theirs: Slots, ours: Slots, *, same: bool) -> tuple[Slots, Slots]:
    """Of these slots those of the same examples: by their place in the file if it is the same one, else by their ids."""
    if same:
        places = after.places(ours), before.places(theirs)
        _, in_after, in_before = np.intersect1d(*places, assume_unique=True, return_indices=True)
        return theirs[in_before], ours[in_after]
    slot_of = {before.id(slot): slot for slot in theirs.tolist()}
    found = np.array([slot_of.get(after.id(slot), -1) for slot in ours.tolist()], dtype=np.intp)
    return found[found >= 0], ours[found >= 0]


def _wanted(request: CompareRequest, change: NDArray[np.uint8], *sides: tuple[_Side, Slots]) -> Flags:
    """Which of the compared examples are asked for: by their change, and by a text that either run has of them."""
    keep = np.ones(len(change), dtype=np.bool_)
    if request.changes:
        keep &= np.isin(change, np.array(request.changes[:]))
    if request.search:
        found = [side.table.mentions(request.search)[side.table.evolution.tracked[slots]] for side, slots in sides]
        keep &= np.logical_or(*found)
    return keep


def _side(book: Book, stage: Stage, name: str) -> _Side:
    kind = stage.WhichOneof("stage")
    if kind is None:
        raise Unknown(f"nothing is named as `{name}`", "Name a version, a run, or a run and a step.")
    if kind == "version":
        return _at_step(_table(book, _trained_run(book, stage.version)), None)
    if kind == "run":
        return _at_step(_table(book, stage.run), None)
    return _at_step(_table(book, stage.run_step.run), stage.run_step.step)


def _trained_run(book: Book, name: str) -> str:
    """The run that trained a version. A consolidated one was merged and not trained: it stands for the one it was made of."""
    version = book.versions.find(name)
    while version and version.HasField("consolidation"):
        name = version.parent
        version = book.versions.get(name)
    if version is None:
        names = [version.name for version in reversed(book.versions.versions)]
        raise Unknown(f"there is no version {name}", _listed("versions", names))
    return version.run


def _table(book: Book, name: str) -> RunTable:
    table = RunTable.of(book, views.latest_run(book) if name in ("", "latest") else name)
    if table is None:
        raise Unknown(f"there is no run {name}", _listed("runs", list(reversed(book.runs.by_id))))
    return table


def _at_step(table: RunTable, step: int | None) -> _Side:
    """The last complete snapshot, or the last one at or before a step."""
    complete = [number for number, snapshot in enumerate(table.evolution.snapshots) if snapshot.complete]
    steps = [table.evolution.snapshots[number].step for number in complete]
    known = int(np.searchsorted(steps, step, side="right")) if step is not None else len(steps)
    if not known:
        when = "" if step is None else f" at or before step {step}"
        raise Unknown(f"run {table.run} has no complete snapshot{when}", _listed("snapshots", list(map(str, steps))))
    return _Side(table, complete[known - 1])


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return f"There are no {what} yet."
    return f"There are the {what} {', '.join(names[:LISTED])}{' …' if len(names) > LISTED else ''}."
