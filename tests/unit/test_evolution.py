"""What becomes of examples: states and steps against cases worked out by hand."""

import pytest
from made_events import DATASET, JOB, RUN, beginning, numbered, snapshot, step

from guessbook.projections import book as book_fold
from guessbook.projections import examples, views
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event

LEARNED, REGRESSED, UNKNOWN = h.EXAMPLE_STATE_LEARNED, h.EXAMPLE_STATE_REGRESSED, h.EXAMPLE_STATE_UNKNOWN
IMPROVING, STRUGGLING, NOT_LEARNED = (
    h.EXAMPLE_STATE_IMPROVING,
    h.EXAMPLE_STATE_STRUGGLING,
    h.EXAMPLE_STATE_NOT_LEARNED,
)


def _book(*parts: list[Event], count: int) -> Book:
    return book_fold.fold(numbered([event for part in (beginning(count), *parts) for event in part]))


def _story(losses: list[float], correct: list[bool]) -> h.Trajectory:
    """One example observed at steps 0, 10, 20 …"""
    parts = [snapshot(10 * i, [loss], [right]) for i, (loss, right) in enumerate(zip(losses, correct, strict=True))]
    found = examples.trajectory(_book(*parts, count=1), RUN, "e0")
    assert found
    return found


@pytest.mark.parametrize(
    ("losses", "correct", "states"),
    [
        ([4.0], [False], [UNKNOWN]),
        ([4.0], [True], [LEARNED]),
        ([4.0, 3.0, 0.1], [False, False, True], [UNKNOWN, IMPROVING, LEARNED]),
        ([4.0, 4.1, 3.8], [False, False, False], [UNKNOWN, NOT_LEARNED, IMPROVING]),
        ([4.0, 3.0, 3.0], [False, False, False], [UNKNOWN, IMPROVING, STRUGGLING]),
        ([4.0, 3.0, 4.0], [False, False, False], [UNKNOWN, IMPROVING, NOT_LEARNED]),
        ([4.0, 0.1, 2.0, 0.1], [False, True, False, True], [UNKNOWN, LEARNED, REGRESSED, LEARNED]),
        ([4.0, 0.1, 2.0, 1.0], [False, True, False, False], [UNKNOWN, LEARNED, REGRESSED, REGRESSED]),
    ],
)
def test_states(losses: list[float], correct: list[bool], states: list[int]) -> None:
    story = _story(losses, correct)
    assert [observation.state for observation in story.observations] == states
    assert list(story.example.strip) == states
    assert story.example.state == states[-1]


def test_the_steps_that_matter() -> None:
    example = _story([4, 0.1, 2, 0.1, 0.1], [False, True, False, True, True]).example
    assert (example.first_learned_step, example.learned_step, example.forgetting_events) == (10, 30, 1)
    assert not example.HasField("regressed_step")
    example = _story([4, 0.1, 2], [False, True, False]).example
    assert example.first_learned_step == 10
    assert not example.HasField("learned_step")
    assert (example.regressed_step, example.forgetting_events) == (20, 1)
    example = _story([4, 3], [False, False]).example
    assert not example.HasField("first_learned_step")


def test_a_trajectory_has_every_guess_and_every_visit() -> None:
    parts = [
        snapshot(0, [4.0, 4.0], [False, False]),
        [step(1, examples=[1, 0], losses=[3.5, 3.25])],
        snapshot(10, [1.0, 0.5], [False, True]),
    ]
    story = examples.trajectory(_book(*parts, count=2), RUN, "#1")
    assert story
    assert story.example.id == "e1"
    assert [(o.step, o.guess, o.loss, o.correct) for o in story.observations] == [
        (0, "guess 1 at 0", 4.0, False),
        (10, "guess 1 at 10", 0.5, True),
    ]
    assert [(visit.step, visit.loss) for visit in story.visits] == [(1, 3.5)]
    assert story.previous == 0
    assert not story.HasField("next")


def test_after_a_resume_the_view_shows_what_was_done_again() -> None:
    resumed = Event(subject=f"job/{JOB}", job_resumed=e.JobResumed(step=10, run=RUN))
    before = [step(number, examples=[0], losses=[4.0 - number / 10]) for number in range(1, 16)]
    again = [step(number, examples=[0], losses=[1.0]) for number in range(11, 16)]
    parts = [
        snapshot(0, [4.0], [False]),
        before[:10],
        snapshot(10, [3.0], [False]),
        before[10:],
        snapshot(15, [2.0], [False]),
    ]
    book = _book(*parts, [resumed], again, snapshot(15, [0.5], [True]), count=1)
    story = examples.trajectory(book, RUN, "e0")
    run = views.run(book, RUN)
    steps = views.steps(book, RUN)
    assert story
    assert run
    assert steps
    assert [(o.step, o.loss) for o in story.observations] == [(0, 4.0), (10, 3.0), (15, 0.5)]
    assert [visit.step for visit in story.visits] == list(range(1, 16))
    assert [visit.loss for visit in story.visits][10:] == [1.0] * 5
    assert list(steps.step) == list(range(1, 16))
    assert (run.step, run.resumes, run.trend) == (15, 1, "learning")


def test_pages_filter_search_sort_and_count() -> None:
    parts = [snapshot(0, [4.0, 3.0, 2.0], [False] * 3), snapshot(10, [1.0, 3.5, 0.1], [False, False, True])]
    book = _book(*parts, count=3)

    def ids(**asked: object) -> list[str]:
        found = examples.page(book, h.ListExamplesRequest(run=RUN, **asked))  # type: ignore[arg-type]
        assert found
        assert found.total == 3
        assert found.matching >= len(found.examples)
        return [example.id for example in found.examples]

    assert ids() == ["e0", "e1", "e2"]
    assert ids(sort="loss") == ["e2", "e0", "e1"]
    assert ids(sort="-loss") == ["e1", "e0", "e2"]
    assert ids(sort="learned") == ["e2", "e0", "e1"]
    assert ids(sort="change")[0] == "e0"
    assert ids(states=[LEARNED]) == ["e2"]
    assert ids(states=[NOT_LEARNED, IMPROVING]) == ["e0", "e1"]
    assert ids(search="GUESS 1 at 0") == ["e1"]
    assert ids(category="odd") == ["e1"]
    assert ids(offset=1, limit=1) == ["e1"]
    with pytest.raises(examples.UnknownSort):
        ids(sort="colour")


def test_an_event_that_makes_no_sense_is_kept_visible_and_changes_nothing() -> None:
    stray = [step(1, run="run-9999"), Event(subject=f"run/{RUN}", snapshot_completed=e.SnapshotCompleted(step=3))]
    unequal = e.ExamplesObserved(step=0, example_index=[0, 1], guess=["a"])
    parts = [snapshot(0, [4.0], [False]), stray, [Event(subject=f"run/{RUN}", examples_observed=unequal)]]
    book = _book(*parts, count=1)
    assert book.misplaced_count == 3
    assert [position for position, _ in book.misplaced] == [9, 10, 11]
    story = examples.trajectory(book, RUN, "e0")
    assert story
    assert len(story.observations) == 1


def test_before_the_first_snapshot_there_is_nothing_to_say() -> None:
    book = _book(count=2)
    page = examples.page(book, h.ListExamplesRequest(run=RUN, sort="loss"))
    assert page
    assert [(example.state, example.tracked) for example in page.examples] == [(0, True), (0, True)]
    assert examples.trajectory(book, RUN, "nobody") is None
    assert examples.page(book, h.ListExamplesRequest(run="run-7")) is None
    assert book.datasets.by_sha256[DATASET].count == 2


def test_the_range_of_losses_in_each_step() -> None:
    parts = [
        [step(1, examples=[0, 1], losses=[3.0, 1.0]), step(2), step(3, examples=[1], losses=[2.0])],
        [step(4, examples=[0, 1, 2], losses=[0.5, 4.0, 1.0])],
    ]
    steps = views.steps(_book(*parts, count=3), RUN)
    assert steps
    assert list(steps.loss_low) == [1.0, 1.5, 2.0, 0.5]
    assert list(steps.loss_high) == [3.0, 1.5, 2.0, 4.0]
    assert not views.steps(_book(count=3), RUN).loss_low  # type: ignore[union-attr]
