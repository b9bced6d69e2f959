"""One example's story, and which example comes before and after it."""

import asyncio

import pytest

from guessbook.clients.dashboard import charts
from guessbook.clients.dashboard.evolution import examples
from guessbook.clients.dashboard.example import story
from guessbook.clients.dashboard.view import View
from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_REGRESSED,
    EXAMPLE_STATE_UNKNOWN,
    Example,
    ListExamplesResponse,
    Observation,
    Trajectory,
    Visit,
)


class FakeQueries:
    """A list of examples as it is filtered and sorted now."""

    def __init__(self, listed: list[int]) -> None:
        self.listed = listed

    async def examples(self, run: str, view: View, offset: int, limit: int) -> ListExamplesResponse:
        return ListExamplesResponse(examples=[Example(index=i) for i in self.listed[offset : offset + limit]])


def around(listed: list[int], view: View, trajectory: Trajectory | None = None) -> dict[str, list[int] | None]:
    return asyncio.run(story.around(FakeQueries(listed), "r1", view, trajectory or Trajectory()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("listed", "row", "previous", "next_"),
    [
        ([4, 9, 2], 1, [4, 0], [2, 2]),
        ([9, 2], 0, None, [2, 1]),
        ([4, 9], 1, [4, 0], None),
        ([9], 0, None, None),
    ],
)
def test_neighbours_are_those_of_the_list(
    listed: list[int], row: int, previous: list[int] | None, next_: list[int] | None
) -> None:
    assert around(listed, View(example=9, row=row)) == {"previous": previous, "next": next_}


def test_where_an_example_left_the_list_the_one_in_its_place_is_next() -> None:
    assert around([4, 2, 7], View(example=9, row=1)) == {"previous": [4, 0], "next": [2, 1]}
    assert around([], View(example=9, row=1)) == {"previous": None, "next": None}


def test_opened_by_a_link_the_neighbours_are_those_of_the_file() -> None:
    assert around([], View(example=9), Trajectory(previous=8, next=10)) == {"previous": [8, -1], "next": [10, -1]}
    assert around([], View(example=0), Trajectory(next=1)) == {"previous": None, "next": [1, -1]}


def test_it_says_since_when_it_is_learned() -> None:
    example = Example(state=EXAMPLE_STATE_LEARNED, learned_step=1000, first_learned_step=25, forgetting_events=1)
    assert story.headline(example) == "Learned at step 1,000"
    assert story.verdict(example) == "first right at step 25 · forgotten once"


def test_it_says_when_it_was_lost() -> None:
    example = Example(state=EXAMPLE_STATE_REGRESSED, first_learned_step=25, regressed_step=50, forgetting_events=2)
    assert story.headline(example) == "Regressed"
    assert story.verdict(example) == "first right at step 25 · wrong again at step 50 · forgotten 2 times"


def test_guesses_are_newest_first() -> None:
    told = story.guesses([Observation(step=0, guess="a"), Observation(step=10, guess="a b", correct=True)])
    assert [vars(each)["className"] for each in told] == ["guess right", "guess wrong"]


def test_the_chart_has_one_row_a_step_and_no_zero_on_a_logarithmic_axis() -> None:
    trajectory = Trajectory(
        observations=[Observation(step=0, loss=4), Observation(step=10, loss=0)],
        visits=[Visit(step=3, loss=2), Visit(step=10, loss=1)],
    )
    assert charts.story_data(trajectory) == [
        {"step": 0, "loss": 4},
        {"step": 3, "visit": 2},
        {"step": 10, "visit": 1, "loss": charts.SMALLEST_LOSS},
    ]


def test_a_row_of_the_list() -> None:
    example = Example(
        index=3,
        prompt="two\nlines",
        expected="x" * 400,
        state=EXAMPLE_STATE_LEARNED,
        latest=Observation(step=10, guess="x", correct=True, loss=0.05),
        strip=[EXAMPLE_STATE_UNKNOWN, EXAMPLE_STATE_LEARNED],
        losses=[3, 0.05],
    )
    row = examples.row(example, [0, 10])
    assert row["prompt"] == "two lines"
    assert len(row["expected"]) == examples.LONGEST_TEXT + 1
    assert [(mark["step"], mark["word"]) for mark in row["strip"]] == [(0, "unknown"), (10, "learned")]
    assert row["guess"] == {"text": "x", "correct": True}


def test_a_long_strip_keeps_the_first_and_the_latest() -> None:
    steps = range(40)
    strip = examples.row(Example(strip=[EXAMPLE_STATE_UNKNOWN] * 40), steps)["strip"]
    assert len(strip) == examples.LONGEST_STRIP
    assert (strip[0]["step"], strip[-1]["step"]) == (0, 39)


def test_an_example_no_snapshot_holds_has_no_guess() -> None:
    assert examples.row(Example(index=1), [])["guess"] is None
