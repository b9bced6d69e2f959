"""One example's story, and which example comes before and after it."""

import asyncio

import pytest

from guessbook.clients.dashboard import charts
from guessbook.clients.dashboard.evolution import rows
from guessbook.clients.dashboard.example import facts, guesses, probabilities, text
from guessbook.clients.dashboard.example.neighbours import around as beside
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
    return asyncio.run(beside(FakeQueries(listed), "r1", view, trajectory or Trajectory()))  # type: ignore[arg-type]


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
    assert facts.headline(example) == "Learned at step 1,000"
    assert facts.verdict(example) == "first right at step 25 · forgotten once"


def test_it_says_when_it_was_lost() -> None:
    example = Example(state=EXAMPLE_STATE_REGRESSED, first_learned_step=25, regressed_step=50, forgetting_events=2)
    assert facts.headline(example) == "Regressed"
    assert facts.verdict(example) == "first right at step 25 · wrong again at step 50 · forgotten 2 times"


def told(*parts: object) -> str:
    """All texts in components, in their order."""
    return " ".join(
        part if isinstance(part, str) else told(*(inner if isinstance(inner, list) else [inner]))
        for part in parts
        if part is not None and (inner := getattr(part, "children", "")) is not None
    )


def test_guesses_are_newest_first_with_the_training_before_each() -> None:
    observations = [Observation(step=0, guess="a", guessed=True), Observation(step=10, guess="a b", correct=True)]
    observations[1].guessed = True
    listed = guesses.guesses(observations, [Visit(step=4, loss=2), Visit(step=10, loss=1), Visit(step=12, loss=0.5)])
    assert [vars(each)["className"] for each in listed] == ["since", "guess right", "guess wrong"]
    assert told(listed[0]) == "Trained once since, loss 0.50"
    assert "Trained 2 times before it, loss 2.00 → 1.00" in told(listed[1])
    assert "Trained" not in told(listed[2])


def test_of_many_guesses_the_newest_are_told_and_it_says_so() -> None:
    observations = [Observation(step=step, guess=f"{step}") for step in range(guesses.MOST + 20)]
    assert len(guesses.guesses(observations, [])) == guesses.MOST
    assert guesses.how_many(len(observations)) == "Guesses, newest first · 100 of 120; an export has all"


def test_a_guess_that_was_only_measured_is_not_told_as_the_models_own() -> None:
    observations = [Observation(step=0, guess="a", guessed=True), Observation(step=5, guess="a")]
    assert "only measured here" in told(guesses.guesses(observations, [])[0])


def test_a_long_text_has_its_rest_behind_a_button() -> None:
    long = "x" * (text.LONGEST_TEXT + 1500)
    beginning, rest = text.whole(long)
    assert told(beginning) == "x" * text.LONGEST_TEXT
    assert told(rest) == f"Show the other 1,500 characters {'x' * 1500}"
    assert len(text.whole("short")) == 1


def test_what_would_hide_or_turn_text_is_spelled_out() -> None:
    assert told(text.block("Prompt", "a\x07b\u202ec\u2066")) == "Prompt a\\x07b\\u202ec\\u2066"


def test_the_facts_are_those_that_there_are() -> None:
    seen = Example(
        index=3, id="peru", presentations=4, presentations_to_learn=1, latest=Observation(step=10), forgetting_events=2
    )
    pairs = dict(facts.told(seen))
    assert pairs["Trained on"] == "4 times"
    assert pairs["Right for the first time"] == "after being trained on once"
    assert pairs["Forgotten"] == "2 times"
    assert "Right for good" not in pairs
    assert dict(facts.told(Example(index=3, id="3", held_out=True))) == {"Held out": "watched, never trained on"}


def test_a_loss_that_is_no_number_is_said_and_not_drawn() -> None:
    nan = float("nan")
    trajectory = Trajectory(
        observations=[Observation(step=0, loss=nan, confidence=nan, expected_probability=0.5)],
        visits=[Visit(step=3, loss=nan)],
    )
    assert charts.story_data(trajectory) == []
    assert probabilities.data(trajectory) == [{"step": 0, "expected": 50.0}, {"step": 3}]
    assert "loss not a number" in told(*guesses.guesses(list(trajectory.observations), []))


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
    row = rows.row(example, [0, 10])
    assert row["prompt"] == "two lines"
    assert len(row["expected"]) == rows.LONGEST_TEXT + 1
    assert [(mark["step"], mark["word"]) for mark in row["strip"]["marks"]] == [(0, "unknown"), (10, "learned")]
    assert row["guess"] == {"text": "x", "correct": True}


def test_a_long_strip_keeps_the_first_and_the_latest() -> None:
    steps = range(40)
    strip = rows.row(Example(strip=[EXAMPLE_STATE_UNKNOWN] * 40), steps)["strip"]
    marks = strip["marks"]
    assert len(marks) == rows.LONGEST_STRIP
    assert (marks[0]["step"], marks[-1]["step"]) == (0, 39)
    assert strip["left_out"] == 40 - rows.LONGEST_STRIP


def test_an_example_no_snapshot_holds_has_no_guess() -> None:
    assert rows.row(Example(index=1), [])["guess"] is None
