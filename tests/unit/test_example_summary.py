"""How examples are spread over states, categories and the data map, and what became of them, against cases worked out by hand."""

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_events import RUN, beginning, numbered, snapshot
from made_runs import Seen, Told, book, measured, plain_story, right, wrong

from guessbook.projections import book as book_fold
from guessbook.projections import examples
from guessbook.projections.book import Book
from guessbook.projections.example_summary import summarise
from guessbook.projections.names import Unknown
from guessbook.proto import history_pb2 as h

STEPS = (0, 10, 20)
STORIES = ("--+", "-++", "+-+", "++-", "---", "+++")
CATEGORIES = ("sums", "sums", "rivers", "sums", "rivers", "")


def _book() -> Book:
    told = [
        plain_story(n, marks, category) for n, (marks, category) in enumerate(zip(STORIES, CATEGORIES, strict=True))
    ]
    return book(told, STEPS)


def _asked(book: Book, *, categories: int = 0, cells: int = 0, **wanted: object) -> h.SummariseExamplesResponse:
    chosen = h.ListExamplesRequest(run=RUN, **wanted)  # type: ignore[arg-type]
    found = summarise(book, h.SummariseExamplesRequest(filter=chosen, categories=categories, cells=cells))
    assert found
    return found


def _listed(book: Book, **wanted: object) -> list[int]:
    page = examples.page(book, h.ListExamplesRequest(run=RUN, limit=1000, **wanted))  # type: ignore[arg-type]
    assert page
    return [example.index for example in page.examples]


def _states(counts: Iterable[h.StateCount]) -> dict[str, int]:
    return {h.ExampleState.Name(one.state).removeprefix("EXAMPLE_STATE_").lower(): one.count for one in counts}


def test_states_now_and_at_an_earlier_snapshot() -> None:
    found = _asked(_book(), since_step=10)
    assert (found.matching, found.total) == (6, 6)
    assert _states(found.states) == {"learned": 4, "improving": 1, "regressed": 1}
    # At 10: --, -+, +-, ++, --, ++
    assert _states(found.states_before) == {"learned": 3, "improving": 2, "regressed": 1}
    assert not _asked(_book()).states_before


def test_what_became_of_them_is_counted_and_chosen() -> None:
    kinds = {h.CHANGE_FIXED: [0, 2], h.CHANGE_BROKEN: [3], h.CHANGE_STILL_WRONG: [4], h.CHANGE_STILL_RIGHT: [1, 5]}
    found = _asked(_book(), since_step=10)
    assert {one.change: one.count for one in found.changes} == {kind: len(rows) for kind, rows in kinds.items()}
    for kind, rows in kinds.items():
        assert _listed(_book(), since_step=10, changes=[kind]) == rows
    assert _listed(_book(), since_step=10, changes=[h.CHANGE_BROKEN, h.CHANGE_FIXED]) == [0, 2, 3]
    assert _listed(_book(), since_step=20, changes=[h.CHANGE_BROKEN, h.CHANGE_FIXED]) == []
    assert _listed(_book(), since_step=0, changes=[h.CHANGE_FIXED], category="sums") == [0, 1]


def test_categories_come_the_largest_first_and_the_true_number_is_told() -> None:
    found = _asked(_book(), since_step=0)
    assert [(one.category, one.count) for one in found.categories] == [("sums", 3), ("rivers", 2), ("", 1)]
    assert _states(found.categories[0].states) == {"learned": 2, "regressed": 1}
    assert _states(found.categories[0].states_before) == {"unknown": 2, "learned": 1}
    first = _asked(_book(), categories=1)
    assert [one.category for one in first.categories] == ["sums"]
    assert first.category_count == 3
    learned = _asked(_book(), states=[h.EXAMPLE_STATE_LEARNED])
    assert (learned.matching, learned.category_count) == (4, 3)
    assert [(one.category, one.count) for one in learned.categories] == [("sums", 2), ("", 1), ("rivers", 1)]


def _likely(*probabilities: float) -> Told:
    """An example with these probabilities of its expected answer, one a snapshot; the guess is right from a half on."""
    seen = [Seen("a", one >= 0.5, -math.log(one)) for one in probabilities]
    return Told("q", "a", seen)


def test_the_data_map_counts_what_lies_in_each_cell() -> None:
    # confidence, variability: (0.5, 0.4), (0.9, 0), (0.25, 0), (0.25, 0)
    told = [_likely(0.1, 0.9), _likely(0.9, 0.9), _likely(0.25, 0.25), _likely(0.25, 0.25)]
    cells = _asked(book(told, (0, 10)), cells=2).cells
    assert [(one.variability, one.confidence, one.count, one.correctness) for one in cells] == [
        (0, 0, 2, 0.0),
        (0, 1, 1, 1.0),
        (1, 1, 1, 0.5),
    ]
    assert not _asked(book(told, (0, 10))).cells


def test_the_ends_of_the_axes_belong_to_the_last_cells() -> None:
    (cell,) = _asked(book([Told("q", "a", [right("a", 0.0)])], (0,)), cells=10).cells
    assert (cell.variability, cell.confidence) == (0, 9)
    (cell,) = _asked(book([Told("q", "a", [right("a", 0.0), wrong("b", 1e6)])], (0, 1)), cells=10).cells
    assert (cell.variability, cell.confidence, cell.correctness) == (9, 5, 0.5)


def test_a_box_is_a_part_of_the_map_with_its_borders() -> None:
    told = [_likely(0.1, 0.9), _likely(0.9, 0.9), _likely(0.25, 0.25)]
    made = book(told, (0, 10))
    page = examples.page(made, h.ListExamplesRequest(run=RUN))
    assert page
    for one in page.examples:
        exactly = h.MapBox(
            confidence_from=one.map_confidence,
            confidence_to=one.map_confidence,
            variability_from=one.map_variability,
            variability_to=one.map_variability,
        )
        assert _listed(made, box=exactly) == [one.index]
    left = h.MapBox(confidence_from=0, confidence_to=1, variability_from=0, variability_to=0.2)
    assert _listed(made, box=left) == [1, 2]
    assert _asked(made, box=left, cells=1).cells[0].count == 2


def test_what_was_never_looked_at_is_on_no_map_and_in_no_state() -> None:
    """Of three examples two are tracked; the first snapshot sees one of them, the second both."""
    events = beginning(3)
    events[-1].run_started.tracked[:] = [0, 1]
    events += [*snapshot(0, [1.0], [True]), *snapshot(10, [1.0, 2.0], [True, False])]
    made = book_fold.fold(numbered(events))
    found = _asked(made, since_step=0, cells=4)
    assert (found.matching, found.total) == (3, 3)
    assert _states(found.states) == {"unspecified": 1, "learned": 1, "unknown": 1}
    assert _states(found.states_before) == {"unspecified": 2, "learned": 1}
    assert {one.change: one.count for one in found.changes if one.count} == {h.CHANGE_STILL_RIGHT: 1}
    assert sum(one.count for one in found.cells) == 2
    anywhere = h.MapBox(confidence_from=0, confidence_to=1, variability_from=0, variability_to=1)
    assert _listed(made, box=anywhere) == [0, 1]


def test_examples_that_were_only_measured_are_on_the_map_without_a_part_in_its_correctness() -> None:
    told = [Told("q", "a", [measured(), measured()])]
    (cell,) = _asked(book(told, (0, 10)), cells=1).cells
    assert cell.count == 1
    assert math.isnan(cell.correctness)


def test_before_any_snapshot_there_are_only_rows() -> None:
    made = book([], (1,))
    empty = _asked(made, cells=3)
    assert (empty.matching, empty.total, empty.category_count) == (0, 0, 0)
    assert summarise(made, h.SummariseExamplesRequest(filter=h.ListExamplesRequest(run="run-9"))) is None


@pytest.mark.parametrize(
    ("wanted", "problem", "hint"),
    [
        ({"since_step": 11}, f"run {RUN} has no snapshot at step 11", "0, 10, 20"),
        ({"since_step": 30, "changes": [h.CHANGE_FIXED]}, f"run {RUN} has no snapshot at step 30", "0, 10, 20"),
        ({"changes": [h.CHANGE_FIXED]}, "none is named", "0, 10, 20"),
    ],
)
def test_a_snapshot_that_is_not_there_is_told_with_those_that_are(
    wanted: dict[str, object], problem: str, hint: str
) -> None:
    asks: list[Callable[..., object]] = [_asked, _listed]
    for ask in asks:
        with pytest.raises(Unknown, match=problem) as unknown:
            ask(_book(), **wanted)
        assert hint in unknown.value.hint


MARKS = st.lists(st.tuples(st.text("+-", min_size=3, max_size=3), st.sampled_from(["", "a", "b"])), max_size=12)


@settings(deadline=None, max_examples=60)
@given(
    MARKS, st.integers(1, 9), st.sampled_from(STEPS), st.sets(st.sampled_from([*h.ExampleState.values()]), max_size=2)
)
def test_a_summary_counts_what_the_list_shows(
    stories: list[tuple[str, str]], cells: int, since: int, states: set["h.ExampleState.ValueType"]
) -> None:
    made = book([plain_story(number, marks, category) for number, (marks, category) in enumerate(stories)], STEPS)
    found = _asked(made, categories=100, cells=cells, since_step=since, states=list(states))
    page = examples.page(made, h.ListExamplesRequest(run=RUN, states=list(states), limit=1000))
    assert page
    shown = page.examples
    assert found.matching == len(shown)
    for count in (found.states, found.states_before, found.changes, found.categories, found.cells):
        assert sum(one.count for one in count) == len(shown)
    for one in found.states:
        assert one.count == sum(example.state == one.state for example in shown)
    place = STEPS.index(since)
    for one in found.states_before:
        assert one.count == sum(example.strip[place] == one.state for example in shown)
    for category in found.categories:
        own = [example for example in shown if example.category == category.category]
        assert category.count == len(own) == sum(one.count for one in category.states)
    for change in found.changes:
        chosen = _listed(made, since_step=since, changes=[change.change], states=list(states))
        assert change.count == len(chosen)
