"""How a run's examples are spread over states, categories and the data map. Pure; knows the folds.

Everything is counted in columns, so that it costs milliseconds for 100,000 examples.
"""

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.book import Book
from guessbook.projections.changes import change_counts, changes
from guessbook.projections.run_table import Rows, RunTable
from guessbook.projections.states import States
from guessbook.projections.views import state_counts
from guessbook.proto.history_pb2 import (
    CategorySummary,
    ExampleState,
    MapCell,
    SummariseExamplesRequest,
    SummariseExamplesResponse,
)

CATEGORIES = 20
CATEGORIES_LIMIT = 10_000  # with the longest names still less than a client takes
CELLS_LIMIT = 500  # along each axis
MOST_VARIABLE = 0.5  # the standard deviation of a probability can't be more

_STATES = len(ExampleState.keys())


def summarise(book: Book, request: SummariseExamplesRequest) -> SummariseExamplesResponse | None:
    """What the rows that the filter leaves are like. None: no such run. Raises Unknown.

    An example that isn't tracked, or was not seen yet, is counted under the unspecified state. `cells` must be at most CELLS_LIMIT.
    """
    asked = request.filter
    table = RunTable.of(book, asked.run)
    if table is None:
        return None
    rows = table.filtered(asked)
    states = [table.states(table.last)[rows]]
    view = SummariseExamplesResponse(matching=len(rows), total=table.total, position=book.position)
    if asked.HasField("since_step"):
        since = table.snapshot(asked.since_step)
        states.append(table.states(since)[rows])
        view.states_before.extend(state_counts(states[1]))
        view.changes.extend(change_counts(table.placed(changes(since, table.snapshots[-1]))[rows]))
    view.states.extend(state_counts(states[0]))
    _tell_categories(view, table, rows, states, min(request.categories or CATEGORIES, CATEGORIES_LIMIT))
    if request.cells:
        view.cells.extend(_cells(table, rows, request.cells))
    return view


def _tell_categories(
    view: SummariseExamplesResponse, table: RunTable, rows: Rows, states: list[States], limit: int
) -> None:
    """The largest first; of equals the one that comes first by name. `states`: of the rows, now and, where that was asked, before."""
    names, codes = table.categories
    counts = np.bincount(codes[rows], minlength=len(names))
    by_state = [_crossed(codes[rows], one, len(names)) for one in states]
    present = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], names[code]))
    view.category_count = len(present)
    for code in present[:limit]:
        told = CategorySummary(category=names[code], count=int(counts[code]))
        for field, count in zip((told.states, told.states_before), by_state, strict=False):
            field.extend(state_counts(np.repeat(np.arange(_STATES), count[code])))
        view.categories.append(told)


def _crossed(codes: NDArray[np.int64], states: States, categories: int) -> NDArray[np.int64]:
    """How many rows have each category and state: one row a category, one column a state."""
    return np.bincount(codes * _STATES + states, minlength=categories * _STATES).reshape(categories, _STATES)


def _cells(table: RunTable, rows: Rows, cells: int) -> list[MapCell]:
    """Where on the data map there are examples. What has no probability yet has no place on it."""
    slots = table.slots(rows)
    learning = table.learning
    slots = slots[learning.seen[slots] > 0]
    across = _cell(learning.variability[slots] / MOST_VARIABLE, cells)
    up = _cell(learning.confidence[slots], cells)
    place = across * cells + up
    counts = np.bincount(place)
    correctness = learning.correctness[slots]
    judged = ~np.isnan(correctness)
    right, of = (np.bincount(place[judged], weights, len(counts)) for weights in (correctness[judged], None))
    filled = np.flatnonzero(counts)
    mean = np.divide(right, of, out=np.full(len(counts), np.nan), where=of > 0)
    told = zip(filled.tolist(), counts[filled].tolist(), mean[filled].tolist(), strict=True)
    return [
        MapCell(variability=at // cells, confidence=at % cells, count=count, correctness=share)
        for at, count, share in told
    ]


def _cell(share: NDArray[np.float64], cells: int) -> NDArray[np.int64]:
    """Which of the cells of an axis that goes from 0 to 1; its end belongs to the last one."""
    return np.clip(share * cells, 0, cells - 1).astype(np.int64)
