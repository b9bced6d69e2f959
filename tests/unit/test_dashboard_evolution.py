"""What the page Evolution makes of the address, and of the server's answers."""

import pytest

from guessbook.clients.dashboard.evolution import cards, categories, changed, filters, no_run, pickers, rows
from guessbook.clients.dashboard.view import View, at, compared, point
from guessbook.proto.history_pb2 import (
    CHANGE_BROKEN,
    CHANGE_FIXED,
    EXAMPLE_STATE_IMPROVING,
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_UNKNOWN,
    At,
    CategorySummary,
    ChangeCount,
    Example,
    MapBox,
    Observation,
    Run,
    RunStep,
    Snapshot,
    StateCount,
    SummariseExamplesResponse,
)

RUN = Run(id="run-1", snapshots=[Snapshot(step=0, position=5), Snapshot(step=10, position=30)])


def states(learned: int, improving: int) -> list[StateCount]:
    return [
        StateCount(state=EXAMPLE_STATE_LEARNED, count=learned),
        StateCount(state=EXAMPLE_STATE_IMPROVING, count=improving),
    ]


def test_the_address_says_what_is_shown() -> None:
    view = View.parse(
        "?state=learned&category=a%26b&change=fixed&box=0.1,0.5,0,0.25&held_out=1&sort=-loss&step=10&vs=0"
    )
    assert view == View(
        state=EXAMPLE_STATE_LEARNED,
        category="a&b",
        change=CHANGE_FIXED,
        box=MapBox(confidence_from=0.1, confidence_to=0.5, variability_from=0, variability_to=0.25),
        held_out=True,
        sort="-loss",
        step=10,
        vs=0,
    )
    assert View.parse("state=x&change=x&box=1,0,0,0&box=1&sort=x&step=-1&vs=²&at=0") == View()


@pytest.mark.parametrize(
    ("view", "asked"),
    [
        (View(), None),
        (View(at=40), at(40)),
        (View(step=0), at(5)),
        (View(step=0, at=40), at(5)),
        (View(step=10), None),  # the newest one is what is known now
        (View(step=10, at=40), at(40)),
        (View(step=7), At(run_step=RunStep(run="run-1", step=7))),
    ],
)
def test_a_snapshot_is_a_point_in_the_log(view: View, asked: At | None) -> None:
    assert point(view, RUN) == asked


@pytest.mark.parametrize(
    ("view", "since"),
    [
        (View(), 20),
        (View(vs=0), 0),
        (View(step=20), 10),
        (View(step=20, vs=0), 0),
        (View(step=20, vs=20), 10),
        (View(vs=7), 20),
        (View(step=0), None),
    ],
)
def test_changes_are_counted_from_an_earlier_snapshot(view: View, since: int | None) -> None:
    assert compared(view, [0, 10, 20, 30]) == since


def test_a_category_says_its_change_in_points() -> None:
    told = CategorySummary(category="a", count=4, states=states(3, 1), states_before=states(1, 3))
    assert categories.change_in_points(told) == 50
    assert [categories.in_points(change) for change in (50, -1.24, 0.04)] == ["+50.0", "−1.2", "±0.0"]
    assert categories.change_in_points(CategorySummary(category="a", count=4, states=states(3, 1))) is None


def test_what_is_left_out_of_the_categories_is_said() -> None:
    some = SummariseExamplesResponse(
        matching=20_000, categories=[CategorySummary(category="a", count=2)], category_count=10_000
    )
    rows, note, names = categories.bars(some, "a")
    assert len(rows) == 1
    assert names == ["a"]
    assert note == "1 of 10,000 categories, the largest · learned"
    assert [each["label"] for each in filters.category_choices(some)] == [
        "All categories",
        "1 of 10,000, the largest",
        "a",
    ]
    without, _, _ = categories.bars(SummariseExamplesResponse(matching=3, categories=[CategorySummary(count=3)]), "")
    assert "no categories" in str(without)
    nothing, _, _ = categories.bars(SummariseExamplesResponse(total=3), "")
    assert "No example matches" in str(nothing)


def test_before_a_run_began_there_is_a_way_out() -> None:
    said = str(no_run.not_begun("run-2", 50, "run-1"))
    assert "run-2 had not begun at this point" in said
    assert "href='/evolution?run=run-1&at=50'" in said
    assert "href='/evolution?run=run-2'" in said
    first = str(no_run.not_begun("", 3, ""))
    assert "No run had begun at this point" in first
    assert first.count("href=") == 1


def test_changes_are_hidden_where_there_is_nothing_to_compare_with() -> None:
    found = [ChangeCount(change=CHANGE_FIXED, count=1200), ChangeCount(change=CHANGE_BROKEN, count=3)]
    assert changed.counted(SummariseExamplesResponse(changes=found)) == (["1,200", "3"], "changes")
    assert changed.counted(SummariseExamplesResponse())[1] == "changes unknown-yet"


def test_a_card_says_which_way_is_good() -> None:
    summary = SummariseExamplesResponse(states=states(3, 1), states_before=states(1, 3))
    learned, improving, *_ = cards.state_numbers(summary)
    assert "children='+2', className='change better'" in str(learned)
    assert "children='−2', className='change '" in str(improving)
    lines = cards.state_lines([Snapshot(states=states(1, 3)), Snapshot(states=states(3, 1))])
    assert lines[:2] == [[1, 3], [3, 1]]


def test_a_long_strip_keeps_the_first_and_the_latest() -> None:
    steps = list(range(0, 400, 10))
    example = Example(index=3, strip=[EXAMPLE_STATE_UNKNOWN] * 40, losses=[2.5] + [float("nan")] * 38 + [0.5])
    row = rows.row(example, steps)
    marks = [mark["step"] for mark in row["strip"]["marks"]]
    assert marks == [0, *steps[-15:]]
    assert row["strip"]["left_out"] == 24
    assert row["loss"]["line"][:2] == [2.5, None]
    assert row["change"] == "−2.00"
    assert (row["guess"], row["learned"]) == (None, "–")


def test_a_row_says_what_the_list_is_in_the_order_of() -> None:
    example = Example(
        latest=Observation(guess="a\n b", correct=True),
        learned_step=2500,
        forgetting_events=2,
        presentations_to_learn=7,
        map_variability=0.126,
    )
    row = rows.row(example, [])
    assert row["guess"] == {"text": "a b", "correct": True}
    assert [row[each] for each in ("learned", "regressed", "forgetting", "presentations", "variability")] == [
        "step 2,500",
        "–",
        "2 ×",
        "7",
        "0.13",
    ]


def test_runs_are_told_apart_by_their_dataset() -> None:
    runs = [Run(id="run-3", name="a", dataset="1" * 64), Run(id="run-2", name="a", dataset="2" * 64)]
    assert [each["group"] for each in pickers.choices(runs, "run-3")] == ["a (11111111)", "a (22222222)"]
    many = [Run(id=f"run-{number}", name="a", dataset="1" * 64) for number in range(1000, 0, -1)]
    data = pickers.choices(many, "run-1")
    assert len(data[0]["items"]) == pickers.LISTED + 1
    assert data[0]["items"][-1]["value"] == "run-1"
    assert data[1]["items"][0]["label"] == "301 of 1,000 runs, the newest"
