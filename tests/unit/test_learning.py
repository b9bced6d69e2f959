"""When an example was learned, how often it was forgotten, and where it is on the data map, against cases worked out by hand."""

import math

import pytest
from made_events import RUN, beginning, numbered, snapshot, step

from guessbook.projections import book as book_fold
from guessbook.projections import examples
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event


def _book(*parts: list[Event], count: int = 1) -> book_fold.Book:
    return book_fold.fold(numbered([event for part in (beginning(count), *parts) for event in part]))


def _example(*parts: list[Event]) -> h.Example:
    story = examples.trajectory(_book(*parts), RUN, "e0")
    assert story
    return story.example


def _snapshots(correct: list[bool]) -> list[Event]:
    """One example, looked at after the steps 0, 10, 20 …"""
    return [event for i, right in enumerate(correct) for event in snapshot(10 * i, [1.0], [right])]


@pytest.mark.parametrize(
    ("correct", "first", "for_good", "regressed", "forgotten"),
    [
        ([False, False], None, None, None, 0),
        ([True, True], 0, 0, None, 0),
        ([False, True, True], 10, 10, None, 0),
        ([False, True, False, True, True], 10, 30, None, 1),
        ([False, True, False], 10, None, 20, 1),
        ([True, False, True, False, False], 0, None, 30, 2),
    ],
)
def test_first_learned_learned_for_good_regressed_and_forgotten(
    correct: list[bool], first: int | None, for_good: int | None, regressed: int | None, forgotten: int
) -> None:
    example = _example(_snapshots(correct))
    told = {field.name: value for field, value in example.ListFields()}
    assert told.get("first_learned_step") == first
    assert told.get("learned_step") == for_good
    assert told.get("regressed_step") == regressed
    assert example.forgetting_events == forgotten


def test_presentations_needed_are_those_before_the_snapshot_that_was_right() -> None:
    """Trained in the steps 1, 5, 10, 12, 25; wrong at 0, right at 10, wrong at 20, right at 30 and at 40."""
    trained = {number: [step(number, examples=[0], losses=[1.0])] for number in (1, 5, 10, 12, 25, 33)}
    parts = [
        snapshot(0, [4.0], [False]),
        *(trained[number] for number in (1, 5, 10)),
        snapshot(10, [1.0], [True]),
        trained[12],
        snapshot(20, [2.0], [False]),
        trained[25],
        snapshot(30, [0.5], [True]),
        trained[33],
        snapshot(40, [0.5], [True]),
    ]
    example = _example(*parts)
    assert example.presentations == 6
    assert example.presentations_to_learn == 3  # steps 1, 5 and 10: a snapshot at 10 is taken after step 10
    assert example.presentations_to_learn_for_good == 5


def test_a_visit_tells_its_place_in_the_step() -> None:
    parts = [step(1, examples=[2, 0], losses=[1, 2]), step(2), step(3, examples=[1, 2, 0], losses=[3, 4, 5])]
    story = examples.trajectory(_book(parts, count=3), RUN, "e0")
    assert story
    assert [(visit.step, visit.loss, visit.batch_position) for visit in story.visits] == [(1, 2.0, 1), (3, 5.0, 2)]


def test_the_place_on_the_data_map() -> None:
    """Probabilities 0.1, 0.4, 0.7: mean 0.4; standard deviation sqrt((0.09 + 0 + 0.09) / 3) = 0.2449; right at one of three."""
    parts = _snapshots([False, False, True])
    for event, probability in zip(parts[1::3], (0.1, 0.4, 0.7), strict=True):
        event.examples_observed.expected_probability[:] = [probability]
    example = _example(parts)
    assert example.map_confidence == pytest.approx(0.4)
    assert example.map_variability == pytest.approx(math.sqrt(0.18 / 3))
    assert example.map_correctness == pytest.approx(1 / 3)


def test_what_a_snapshot_left_out_is_as_it_was() -> None:
    """e0 is right at 10, not looked at at 20, right at 30: nothing was forgotten, and the map counts three snapshots."""
    parts = [
        snapshot(0, [4.0, 4.0], [False, False]),
        snapshot(10, [0.1, 4.0], [True, False]),
        snapshot(20, [9.0, 3.0], [False, False]),
        snapshot(30, [0.1, 3.0], [True, True]),
    ]
    observed = parts[2][1].examples_observed
    for field, value in observed.ListFields():
        if field.name != "step":
            del value[0]
    for order in (parts, parts[:3]):
        story = examples.trajectory(_book(*order, count=2), RUN, "e0")
        assert story
        assert (story.example.state, story.example.learned_step) == (h.EXAMPLE_STATE_LEARNED, 10)
        assert story.example.forgetting_events == 0
        assert len(story.observations) == len(order) - 1
        assert len(story.example.strip) == len(order)


def test_what_is_known_is_the_same_whether_asked_in_between_or_only_at_the_end() -> None:
    """The figures of complete snapshots are kept; an open one changes with each part of it."""
    events = numbered(
        [*beginning(2), *(event for i in range(4) for event in snapshot(i, [4 - i, 2.0], [i > 1, i == 2]))]
    )
    asked = h.ListExamplesRequest(run=RUN)
    book = book_fold.Book()
    for event in events:
        book = book_fold.apply(book, event)
        page = examples.page(book, asked)
    assert page == examples.page(book_fold.fold(events), asked)
    again = numbered([Event(subject="job/train_1", job_resumed=e.JobResumed(run=RUN, step=1))], book.position + 1)
    book = book_fold.fold(again, book)
    cut = examples.page(book, asked)
    assert cut
    assert [list(example.losses) for example in cut.examples] == [[4.0, 3.0], [2.0, 2.0]]
    assert not cut.examples[0].HasField("first_learned_step")
