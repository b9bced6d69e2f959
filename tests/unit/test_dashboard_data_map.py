"""The data map's cells as the browser gets them, and the regions they are counted in."""

import math

from guessbook.clients.dashboard.evolution import data_map, insights
from guessbook.clients.dashboard.view import View, insight_word
from guessbook.proto.history_pb2 import Insight, MapCell, Run, Snapshot, SummariseExamplesResponse

HALF = data_map.CELLS // 2
SUMMARY = SummariseExamplesResponse(
    matching=12,
    total=20,
    cells=[
        MapCell(variability=HALF - 1, confidence=HALF, count=5, correctness=1),
        MapCell(variability=HALF, confidence=HALF, count=3, correctness=0.5),
        MapCell(variability=0, confidence=HALF - 1, count=2, correctness=math.nan),
    ],
)


def test_a_cell_that_nobody_judged_has_no_colour() -> None:
    assert data_map.data(SUMMARY)["cells"] == [[14, 15, 5, 1.0], [15, 15, 3, 0.5], [0, 14, 2, None]]


def test_every_example_on_the_map_is_in_one_region() -> None:
    assert [region.word for region in data_map.REGIONS] == ["easy", "ambiguous", "hard"]
    assert data_map.region_counts(SUMMARY.cells) == ["5", "3", "2"]


def test_a_region_is_a_rectangle_that_the_address_can_hold() -> None:
    for region in data_map.REGIONS:
        box = View.parse(f"box={region.box}").box
        assert box is not None
        assert box.confidence_from < box.confidence_to
        assert box.variability_from < box.variability_to


def test_it_says_how_many_have_no_place_on_it() -> None:
    assert data_map.said(SUMMARY).startswith("10 of 12 examples, the others were never looked at")
    assert data_map.said(SummariseExamplesResponse(matching=3)) == (
        "No snapshot has looked at any of these examples yet."
    )


def test_two_insights_of_a_kind_have_names_of_their_own() -> None:
    lost = [Insight(kind="forgotten", step=step, count=1, example_index=[3], detail=["…"]) for step in (25, 50)]
    assert [insight_word(insight) for insight in lost] == ["forgotten@25", "forgotten@50"]
    assert insight_word(Insight(kind="contradiction")) == "contradiction"


def test_an_insight_about_more_than_it_names_says_so() -> None:
    insight = Insight(kind="never_learned", count=5000, example_index=range(1000), detail=["wrong"] * 1000)
    said = str(insights.card(insight))
    assert "List the clearest 1,000 of 5,000" in said
    assert "10 of 5,000 in particular" in said


def test_insights_say_what_they_are_of() -> None:
    run = Run(snapshots=[Snapshot(step=step, complete=step < 1200) for step in (0, 1000, 1200)])
    assert insights.note(run, None) == "Of all examples of the run, as of step 1,000"
    assert insights.note(run, 0) == "Of all examples of the run, as of step 0"
    assert insights.note(Run(), None) == "Of all examples of the run, before its first snapshot"
