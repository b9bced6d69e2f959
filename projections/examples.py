"""The examples of a run as pages and stories: filter, sort, search, and one example's trajectory. Pure; knows the folds."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.book import Book
from guessbook.projections.evolution import RunEvolution
from guessbook.projections.learning import NEVER, Measures, Steps
from guessbook.projections.run_table import Rows, RunTable
from guessbook.proto.history_pb2 import Example, ListExamplesRequest, ListExamplesResponse, Trajectory, Visit

PAGE = 100
PAGE_LIMIT = 1000
PAGE_BYTES = 4_000_000  # of the examples of one answer; a client takes 16 MiB
STRIP_BYTES = 10  # of one snapshot in an example's strips: a state and a loss


class UnknownSort(ValueError):
    """There is no such order."""


def page(book: Book, request: ListExamplesRequest) -> ListExamplesResponse | None:
    """A page of a run's examples under a filter. None: no such run. Raises UnknownSort, Unknown.

    It has at most `limit` examples and ends early at about PAGE_BYTES: who wants more goes on by as many as there are.
    """
    table = RunTable.of(book, request.run)
    if table is None:
        return None
    rows = _sorted(table, table.filtered(request), request.sort or "index")
    limit = min(request.limit or PAGE, PAGE_LIMIT)
    return ListExamplesResponse(
        examples=_examples(table, rows[request.offset : request.offset + limit]),
        matching=len(rows),
        total=table.total,
        snapshot_steps=[snapshot.step for snapshot in table.evolution.snapshots],
        position=book.position,
    )


def trajectory(book: Book, run: str, name: str) -> Trajectory | None:
    """All that is known of one example, found by its id or by "#" and its index. None: no such run or example."""
    table = RunTable.of(book, run)
    row = table.row(name) if table else None
    if table is None or row is None:
        return None
    view = Trajectory(run=run, example=_examples(table, np.array([row]))[0], visits=_visits(table.evolution, row))
    slot = table.evolution.slot(row)
    if slot is not None:
        for number, snapshot in enumerate(table.evolution.snapshots):
            if snapshot.seen[slot]:
                view.observations.append(table.observation(number, slot))
    if row > 0:
        view.previous = row - 1
    if row + 1 < table.total:
        view.next = row + 1
    return view


def _visits(run: RunEvolution, example: int) -> list[Visit]:
    steps, losses, rows = run.presentations([example])
    ends = run.visits_until.rows()
    step_number = np.searchsorted(ends, rows, side="right")
    starts = np.concatenate([[0], ends])[step_number]
    told = zip(steps.tolist(), losses.tolist(), (rows - starts).tolist(), strict=True)
    return [Visit(step=step, loss=loss, batch_position=place) for step, loss, place in told]


def _examples(table: RunTable, rows: Rows) -> list[Example]:
    """The first of these that PAGE_BYTES hold, at least one."""
    views = _fitting(table, rows)
    tracked = {view.index: view for view in views if view.tracked}
    if not tracked:
        return views
    slots = table.evolution.slots(list(tracked))
    _tell_strips(table, list(tracked.values()), slots)
    for view, slot in zip(tracked.values(), slots.tolist(), strict=True):
        if view.HasField("latest"):
            _tell_learning(table, view, slot)
    _tell_presentations(table, tracked)
    return views


def _fitting(table: RunTable, rows: Rows) -> list[Example]:
    views: list[Example] = []
    size = 0
    for row in rows.tolist():
        view = _example(table, row)
        size += view.ByteSize() + STRIP_BYTES * len(table.evolution.snapshots)
        if views and size > PAGE_BYTES:
            break
        views.append(view)
    return views


def _example(table: RunTable, row: int) -> Example:
    texts = table.texts(row)
    slot = table.evolution.slot(row)
    return Example(
        index=row,
        id=texts.id,
        prompt=texts.prompt,
        expected=texts.expected,
        category=texts.category,
        tracked=slot is not None,
        held_out=row >= table.evolution.held_out_from,
        cut=row in table.evolution.cut,
        latest=None if slot is None else table.last_seen(slot),
    )


def _tell_strips(table: RunTable, views: list[Example], slots: Rows) -> None:
    """The state and the loss at every snapshot."""
    snapshots = table.evolution.snapshots
    if not snapshots:
        return
    states = np.stack([snapshot.state[slots] for snapshot in snapshots], axis=1).tolist()
    losses = np.stack([snapshot.last_loss[slots] for snapshot in snapshots], axis=1).tolist()
    for view, strip, lost in zip(views, states, losses, strict=True):
        view.state = strip[-1]
        view.strip.extend(strip)
        view.losses.extend(lost)


def _tell_learning(table: RunTable, view: Example, slot: int) -> None:
    learning = table.learning
    for field, steps in (
        ("first_learned_step", learning.first_learned),
        ("learned_step", learning.learned),
        ("regressed_step", learning.regressed),
    ):
        if steps[slot] != NEVER:
            setattr(view, field, int(steps[slot]))
    view.forgetting_events = int(learning.forgetting[slot])
    place = learning.place(slot)
    view.map_confidence, view.map_variability, view.map_correctness = place


def _tell_presentations(table: RunTable, views: dict[int, Example]) -> None:
    """How often each was trained on: up to now, and before it was learned (Toneva et al. 2019)."""
    steps, _, visits = table.evolution.presentations(list(views))
    trained = table.evolution.visit_example.rows()[visits]
    for index, view in views.items():
        own = steps[trained == index]
        view.presentations = len(own)
        if view.HasField("first_learned_step"):
            view.presentations_to_learn = int(np.searchsorted(own, view.first_learned_step, side="right"))
        if view.HasField("learned_step"):
            view.presentations_to_learn_for_good = int(np.searchsorted(own, view.learned_step, side="right"))


def _steps(table: RunTable, steps: Steps) -> Measures:
    return table.per_row(np.where(steps == NEVER, np.nan, steps))


def _by_loss(table: RunTable) -> Measures | None:
    return table.per_row(table.last.last_loss) if table.last else None


def _by_change(table: RunTable) -> Measures | None:
    """The loss now less the loss at first: the most improved come first."""
    return table.per_row(table.last.last_loss - table.last.first_loss) if table.last else None


def _by_state(table: RunTable) -> Measures | None:
    return table.per_row(table.last.state) if table.last else None


def _by_presentations(table: RunTable) -> Measures:
    """How often an example was trained on before it was right for the first time."""
    run = table.evolution
    learned = _steps(table, table.learning.first_learned)
    steps = np.repeat(run.step.rows(), np.diff(run.visits_until.rows(), prepend=0))
    trained = run.visit_example.rows()
    known = trained < table.total
    before = trained[known][steps[known] <= learned[trained[known]]]
    return np.where(np.isnan(learned), np.nan, np.bincount(before, minlength=table.total))


_SORTS: dict[str, Callable[[RunTable], NDArray[np.float64] | None]] = {
    "index": lambda table: None,
    "loss": _by_loss,
    "learned": lambda table: _steps(table, table.learning.learned),
    "change": _by_change,
    "state": _by_state,
    "regressed": lambda table: _steps(table, table.learning.regressed),
    "forgetting": lambda table: table.per_row(table.learning.forgetting),
    "confidence": lambda table: table.per_row(table.learning.confidence),
    "variability": lambda table: table.per_row(table.learning.variability),
    "presentations": _by_presentations,
}


def _sorted(table: RunTable, rows: Rows, name: str) -> Rows:
    """Equals stand by index, and what has no value stands last, either way round."""
    sort = _SORTS.get(name.removeprefix("-"))
    if sort is None:
        raise UnknownSort(f"there is no order {name!r}; there are {', '.join(_SORTS)}, each also with a leading '-'")
    column = sort(table)
    values = (rows if column is None else column[rows]).astype(np.float64)
    return rows[np.argsort(-values if name.startswith("-") else values, kind="stable")]
