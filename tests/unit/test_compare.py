"""Two stages side by side, against cases worked out by hand."""

import math

import pytest
from made_events import DATASET, JOB, RUN, beginning, numbered, run_start, snapshot

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.projections.compare import compare
from guessbook.projections.names import Unknown
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Change, CompareRequest, CompareResponse, RunStep, Stage

OTHER_RUN, OTHER_DATASET = "run-0002", "c" * 64


def _book() -> Book:
    """At 0 e0 and e1 are wrong, e2 and e3 right; at 10 e0 is fixed, e1 still wrong, e2 broken, e3 still right. A version is made."""
    version = e.VersionCreated(slug="facts", job=JOB, run=RUN, dataset=DATASET)
    events = [
        *beginning(4),
        *snapshot(0, [4.0, 4.0, 1.0, 0.5], [False, False, True, True]),
        *snapshot(10, [0.5, 3.0, 3.5, 0.25], [True, False, False, True]),
        Event(subject=f"run/{RUN}", version_created=version),
        *_other_run(),
    ]
    return book_fold.fold(numbered(events))


def _other_run() -> list[Event]:
    """A run on another dataset, which has e2 first, then one of its own, then e0; all are right."""
    texts = e.ExamplesRegistered(
        id=["e2", "own", "e0"], prompt=["two?", "own?", "nought?"], expected=["4", "?", "0"], category=[""] * 3
    )
    subject = f"dataset/{OTHER_DATASET}"
    return [
        Event(subject=subject, dataset_registered=e.DatasetRegistered(sha256=OTHER_DATASET, examples=3)),
        Event(subject=subject, examples_registered=texts),
        run_start(3, run=OTHER_RUN, job="train_2", dataset=OTHER_DATASET),
        *snapshot(5, [0.75, 1.0, 0.25], [True] * 3, run=OTHER_RUN),
    ]


def _step(step: int, run: str = RUN) -> Stage:
    return Stage(run_step=RunStep(run=run, step=step))


def _counts(answer: CompareResponse) -> dict[str, int]:
    return {Change.Name(one.change).removeprefix("CHANGE_").lower(): one.count for one in answer.counts}


def test_two_steps_of_a_run() -> None:
    answer = compare(_book(), CompareRequest(before=_step(0), after=_step(10)))
    assert _counts(answer) == {"fixed": 1, "broken": 1, "still_wrong": 1, "still_right": 1}
    # Fixed and broken first; within them by how much the loss moved: 3.5, 2.5, then 1.0, 0.25.
    assert [(row.id, row.change) for row in answer.examples] == [
        ("e0", h.CHANGE_FIXED),
        ("e2", h.CHANGE_BROKEN),
        ("e1", h.CHANGE_STILL_WRONG),
        ("e3", h.CHANGE_STILL_RIGHT),
    ]
    assert (answer.mean_loss_before, answer.mean_loss_after) == (9.5 / 4, 7.25 / 4)
    assert (answer.before, answer.after) == (RunStep(run=RUN, step=0), RunStep(run=RUN, step=10))
    first = answer.examples[0]
    assert (first.prompt, first.expected, first.before.guess, first.after.guess) == (
        "What is 0+0?",
        "0",
        "guess 0 at 0",
        "guess 0 at 10",
    )
    assert (answer.matching, answer.only_before, answer.only_after) == (4, 0, 0)


def test_a_step_without_a_snapshot_is_the_last_one_before_it() -> None:
    assert compare(_book(), CompareRequest(before=_step(9), after=_step(99))).before.step == 0


def test_a_version_is_the_end_of_its_run_and_a_run_is_as_it_is() -> None:
    book = _book()
    stages = [Stage(version=book.versions.versions[0].name), Stage(run=RUN), _step(10)]
    answers = [compare(book, CompareRequest(before=_step(0), after=stage)) for stage in stages]
    assert answers[0] == answers[1] == answers[2]


def test_runs_on_different_data_are_compared_by_the_examples_ids() -> None:
    answer = compare(_book(), CompareRequest(before=Stage(run=RUN), after=Stage(run=OTHER_RUN)))
    assert [(row.id, row.index, row.change, row.before.loss, row.after.loss) for row in answer.examples] == [
        ("e2", 0, h.CHANGE_FIXED, 3.5, 0.75),
        ("e0", 2, h.CHANGE_STILL_RIGHT, 0.5, 0.25),
    ]
    assert (answer.only_before, answer.only_after) == (2, 1)


def test_rows_are_filtered_and_paged_and_the_counts_are_of_all() -> None:
    book = _book()
    wrong = CompareRequest(before=_step(0), after=_step(10), changes=[h.CHANGE_BROKEN, h.CHANGE_STILL_WRONG])
    answer = compare(book, wrong)
    assert [row.id for row in answer.examples] == ["e2", "e1"]
    assert (answer.matching, sum(_counts(answer).values())) == (2, 4)
    page = compare(book, CompareRequest(before=_step(0), after=_step(10), offset=1, limit=2))
    assert [row.id for row in page.examples] == ["e2", "e1"]
    found = compare(book, CompareRequest(before=_step(0), after=_step(10), search="GUESS 3 AT 0"))
    assert [row.id for row in found.examples] == ["e3"]
    either = compare(book, CompareRequest(before=Stage(run=RUN), after=Stage(run=OTHER_RUN), search="nought"))
    assert [row.id for row in either.examples] == ["e0"]


@pytest.mark.parametrize(
    ("stage", "problem", "hint"),
    [
        (Stage(version="v9"), "there is no version v9", "v001_19700101_facts"),
        (Stage(run="run-9"), "there is no run run-9", f"{OTHER_RUN}, {RUN}"),
        (_step(4, OTHER_RUN), f"run {OTHER_RUN} has no complete snapshot at or before step 4", "snapshots 5"),
        (Stage(), "nothing is named as `after`", "Name a version"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(stage: Stage, problem: str, hint: str) -> None:
    with pytest.raises(Unknown, match=problem) as unknown:
        compare(_book(), CompareRequest(before=_step(0), after=stage))
    assert hint in unknown.value.hint


def test_runs_with_nothing_in_common() -> None:
    book = _book()
    apart = [
        run_start(1, run="run-0003", job="train_3", dataset="e" * 64),
        *snapshot(0, [1.0], [True], run="run-0003"),
    ]
    texts = e.ExamplesRegistered(id=["alone"], prompt=[""], expected=[""], category=[""])
    known = [
        Event(subject=f"dataset/{'e' * 64}", dataset_registered=e.DatasetRegistered(sha256="e" * 64, examples=1)),
        Event(subject=f"dataset/{'e' * 64}", examples_registered=texts),
    ]
    book = book_fold.fold(numbered([*known, *apart], book.position + 1), book)
    answer = compare(book, CompareRequest(before=Stage(run=RUN), after=Stage(run="run-0003")))
    assert (answer.only_before, answer.only_after, answer.matching, len(answer.examples)) == (4, 1, 0, 0)


def _with_held_out(run: str, held: list[str], trained: list[str] | None = None) -> list[Event]:
    """A run that trains on e0 … e3, or on a dataset of its own with these ids, and holds out a file with those; all is wrong at step 0."""
    letter = run[-1]
    dataset, held_out = DATASET if trained is None else letter * 64, (letter + "f") * 32
    events = [] if trained is None else _registered(dataset, trained)
    events += _registered(held_out, held)
    count = len(trained or range(4))
    start = run_start(count, run=run, job=f"train_{run}", dataset=dataset)
    start.run_started.held_out, start.run_started.held_out_examples = held_out, len(held)
    seen = count + len(held)
    return [*events, start, *snapshot(0, [1.0] * seen, [False] * seen, run=run)]


def _registered(sha256: str, ids: list[str]) -> list[Event]:
    count, subject = len(ids), f"dataset/{sha256}"
    texts = e.ExamplesRegistered(id=ids, prompt=["?"] * count, expected=["!"] * count, category=[""] * count)
    registered = e.DatasetRegistered(sha256=sha256, examples=count)
    return [Event(subject=subject, dataset_registered=registered), Event(subject=subject, examples_registered=texts)]


def test_a_held_out_example_is_not_the_trained_one_of_the_same_id() -> None:
    """On the same data, then on other data, with a held-out file whose ids are those of the dataset."""
    runs = [
        *_with_held_out("run-0004", ["e1", "own"]),
        *_with_held_out("run-0005", ["e3", "own"], trained=["e1", "e0"]),
    ]
    book = book_fold.fold(numbered([*beginning(4), *_alone(), *runs]))
    answer = compare(book, CompareRequest(before=Stage(run=RUN), after=Stage(run="run-0004")))
    assert [(row.id, row.index) for row in answer.examples] == [("e0", 0), ("e1", 1), ("e2", 2), ("e3", 3)]
    assert _counts(answer) == {"fixed": 0, "broken": 4, "still_wrong": 0, "still_right": 0}
    assert (answer.only_before, answer.only_after) == (0, 2)
    back = compare(book, CompareRequest(before=Stage(run="run-0004"), after=Stage(run=RUN)))
    assert (back.only_before, back.only_after, _counts(back)["fixed"]) == (2, 0, 4)
    other = compare(book, CompareRequest(before=Stage(run="run-0004"), after=Stage(run="run-0005")))
    assert [(row.id, row.index) for row in other.examples] == [("e1", 0), ("e0", 1), ("own", 3)]
    assert (other.only_before, other.only_after) == (3, 1)


def _alone() -> list[Event]:
    return snapshot(0, [1.0] * 4, [True] * 4)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_an_example_whose_loss_is_no_number_was_seen_all_the_same(loss: float) -> None:
    events = [
        *beginning(2),
        *snapshot(0, [loss, 1.0], [True, True]),
        *snapshot(10, [loss, 1.0], [False, True]),
    ]
    answer = compare(book_fold.fold(numbered(events)), CompareRequest(before=_step(0), after=_step(10)))
    assert [(row.id, row.change) for row in answer.examples] == [("e0", h.CHANGE_BROKEN), ("e1", h.CHANGE_STILL_RIGHT)]
    assert (answer.only_before, answer.only_after) == (0, 0)


def test_a_consolidated_version_stands_for_the_one_that_was_trained() -> None:
    book = _book()
    trained = book.versions.versions[0].name
    merged = e.VersionCreated(
        slug="facts_merged",
        parent=trained,
        job="merge_1",
        run="run-0009",
        dataset=DATASET,
        consolidation=e.Consolidation(version=trained),
    )
    book = book_fold.fold(numbered([Event(subject="run/run-0009", version_created=merged)], book.position + 1), book)
    answer = compare(book, CompareRequest(before=_step(0), after=Stage(version="v002")))
    assert answer.after == RunStep(run=RUN, step=10)
    assert answer.matching == 4
