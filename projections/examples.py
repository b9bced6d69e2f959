"""The examples of a run as pages and stories: filter, sort, search, and one example's trajectory. Pure; knows the folds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.book import Book
from guessbook.projections.datasets import Examples
from guessbook.projections.evolution import RunEvolution, SnapshotColumns
from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_UNSPECIFIED,
    Example,
    ListExamplesRequest,
    ListExamplesResponse,
    Observation,
    Trajectory,
    Visit,
)

PAGE = 100
PAGE_LIMIT = 1000

Rows = NDArray[np.intp]


class UnknownSort(ValueError):
    """There is no such order."""


@dataclass(frozen=True)
class _Table:
    """A run's examples side by side with its snapshots."""

    texts: Examples
    run: RunEvolution

    @property
    def last(self) -> SnapshotColumns | None:
        return self.run.snapshots[-1] if self.run.snapshots else None

    def per_example(self, per_slot: NDArray[np.generic], missing: float) -> NDArray[np.float64]:
        """A column over slots as one over all examples of the dataset."""
        column = np.full(len(self.texts.ids), missing, dtype=np.float64)
        column[self.run.tracked] = per_slot
        return column


def page(book: Book, request: ListExamplesRequest) -> ListExamplesResponse | None:
    """A page of a run's examples under a filter. None: no such run. Raises UnknownSort."""
    table = _table(book, request.run)
    if table is None:
        return None
    rows = _filtered(table, request)
    rows = _sorted(table, rows, request.sort or "index")
    limit = min(request.limit or PAGE, PAGE_LIMIT)
    return ListExamplesResponse(
        examples=[_example(table, int(index)) for index in rows[request.offset : request.offset + limit]],
        matching=len(rows),
        total=len(table.texts.ids),
        snapshot_steps=[snapshot.step for snapshot in table.run.snapshots],
        position=book.position,
    )


def trajectory(book: Book, run: str, name: str) -> Trajectory | None:
    """All that is known of one example, found by its id or by "#" and its index. None: no such run or example."""
    table = _table(book, run)
    index = _index(table.texts, name) if table else None
    if table is None or index is None:
        return None
    view = Trajectory(
        run=run,
        example=_example(table, index),
        observations=list(_observations(table.run, index)),
        visits=[Visit(step=step, loss=loss) for step, loss in table.run.visits(index)],
    )
    if index > 0:
        view.previous = index - 1
    if index + 1 < len(table.texts.ids):
        view.next = index + 1
    return view


def _table(book: Book, run: str) -> _Table | None:
    found = book.runs.by_id.get(run)
    texts = book.datasets.by_sha256.get(found.run.dataset) if found else None
    return _Table(texts, book.evolution.by_run[run]) if texts else None


def _index(texts: Examples, name: str) -> int | None:
    if name in texts.index_of:
        return texts.index_of[name]
    number = name.removeprefix("#")
    if number.isascii() and number.isdigit() and int(number) < len(texts.ids):
        return int(number)
    return None


def _example(table: _Table, index: int) -> Example:
    texts, run = table.texts, table.run
    view = Example(
        index=index,
        id=texts.ids[index],
        prompt=texts.prompts[index],
        expected=texts.expected[index],
        category=texts.categories[index],
        tracked=index in run.slot_of,
    )
    if not view.tracked or not run.snapshots:
        return view
    slot = run.slot_of[index]
    view.state = int(run.snapshots[-1].state[slot])  # type: ignore[assignment]
    for snapshot in run.snapshots:
        view.strip.append(int(snapshot.state[slot]))  # type: ignore[arg-type]
        view.losses.append(float(snapshot.last_loss[slot]))
    observations = list(_observations(run, index))
    if observations:
        view.latest.CopyFrom(observations[-1])
    _tell_learning(view, observations)
    return view


def _tell_learning(view: Example, observations: list[Observation]) -> None:
    """First learned, learned for good, forgetting events (Toneva et al. 2019: right once, wrong the next time)."""
    before = False
    for observation in observations:
        if observation.correct and not before:
            if not view.HasField("first_learned_step"):
                view.first_learned_step = observation.step
            view.learned_step = observation.step
        if before and not observation.correct:
            view.forgetting_events += 1
            view.regressed_step = observation.step
            view.ClearField("learned_step")
        before = observation.correct
    if before:
        view.ClearField("regressed_step")


def _observations(run: RunEvolution, index: int) -> Iterator[Observation]:
    slot = run.slot_of.get(index)
    if slot is None:
        return
    for snapshot in run.snapshots:
        if snapshot.seen[slot]:
            yield Observation(
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
            )


def _filtered(table: _Table, request: ListExamplesRequest) -> Rows:
    texts, run = table.texts, table.run
    keep = np.ones(len(texts.ids), dtype=np.bool_)
    if request.only_tracked:
        keep &= table.per_example(np.ones(len(run.tracked)), 0) > 0
    if request.states:
        state = table.last.state if table.last else np.full(len(run.tracked), EXAMPLE_STATE_UNSPECIFIED)
        keep &= np.isin(table.per_example(state, EXAMPLE_STATE_UNSPECIFIED), list(request.states))
    if request.category:
        keep &= np.array([category == request.category for category in texts.categories], dtype=np.bool_)
    rows = np.flatnonzero(keep)
    if request.search:
        wanted = request.search.casefold()
        rows = np.array([index for index in rows if _mentions(table, int(index), wanted)], dtype=np.intp)
    return rows


def _mentions(table: _Table, index: int, wanted: str) -> bool:
    texts, slot = table.texts, table.run.slot_of.get(index)
    if any(wanted in text[index].casefold() for text in (texts.prompts, texts.expected, texts.ids)):
        return True
    return slot is not None and any(wanted in snapshot.guess[slot].casefold() for snapshot in table.run.snapshots)


def _by_index(table: _Table) -> NDArray[np.float64]:
    return np.arange(len(table.texts.ids), dtype=np.float64)


def _by_loss(table: _Table) -> NDArray[np.float64]:
    return table.per_example(table.last.last_loss, np.inf) if table.last else _by_index(table)


def _by_change(table: _Table) -> NDArray[np.float64]:
    """The loss now less the loss at first: the most improved come first."""
    return table.per_example(table.last.last_loss - table.last.first_loss, np.inf) if table.last else _by_index(table)


def _by_state(table: _Table) -> NDArray[np.float64]:
    return table.per_example(table.last.state, 0) if table.last else _by_index(table)


def _by_learned(table: _Table) -> NDArray[np.float64]:
    """The step since which an example is right for good; those that are wrong come last."""
    learned = np.full(len(table.run.tracked), np.inf)
    for snapshot in table.run.snapshots:
        learned = np.where(snapshot.seen & ~snapshot.correct, np.inf, learned)
        learned = np.where(snapshot.correct & np.isinf(learned), snapshot.step, learned)
    return table.per_example(learned, np.inf)


_SORTS: dict[str, Callable[[_Table], NDArray[np.float64]]] = {
    "index": _by_index,
    "loss": _by_loss,
    "learned": _by_learned,
    "change": _by_change,
    "state": _by_state,
}


def _sorted(table: _Table, rows: Rows, name: str) -> Rows:
    sort = _SORTS.get(name.removeprefix("-"))
    if sort is None:
        raise UnknownSort(f"there is no order {name!r}; there are {', '.join(_SORTS)}, each also with a leading '-'")
    values = sort(table)[rows]
    return rows[np.argsort(-values if name.startswith("-") else values, kind="stable")]
