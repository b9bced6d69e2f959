"""Snapshots of a tiny model in training: what is watched, when, by which scorer and for how long, and that the weights don't know."""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from assigned import EXAMPLES, STEPS, Book, Killed, adapter, assert_identical, assign, losses_in, tiny_config
from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections.evolution import RunEvolution
from guessbook.projections.guess_codec import Known, decode
from guessbook.proto.events_pb2 import (
    GUESS_FORM_CHANGED,
    GUESS_FORM_WHOLE,
    DatasetRegistered,
    Event,
    ExamplesRegistered,
    ScheduleChanged,
    SnapshotRequested,
)
from guessbook.proto.history_pb2 import Job
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.trainer import scorer
from guessbook.trainer.budget import Budget, Limits, Plan
from guessbook.trainer.errors import UnusableExample, UnusableSetting
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Past

pytestmark = pytest.mark.usefixtures("one_thread")

COMPLETED = (Ending.COMPLETED, 0)


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> tuple[Home, Book]:
    """A run without any snapshot: what the weights are when nobody looks."""
    home, book = Home(tmp_path_factory.mktemp("plain")), Book()
    assert assign(home, model_folder, tiny_config(snapshots=False), book).carry_out() == COMPLETED
    return home, book


def hold_out(home: Home, *questions: str) -> str:
    """Stores a held-out file and returns its hash."""
    home.root.mkdir(parents=True, exist_ok=True)
    file = home.root / "held.jsonl"
    file.write_text("".join(json.dumps({"question": question, "answer": "yes"}) + "\n" for question in questions))
    return Artifacts(home.artifacts).put(file)


def guesses(book: Book) -> dict[int, dict[int, str]]:
    """step → index → guess, from the events and the examples' texts alone."""
    last: dict[int, str] = {}
    found: dict[int, dict[int, str]] = {}
    for observed in book.bodies("examples_observed"):
        indices = list(observed.example_index)
        known = [Known(EXAMPLES[index].prompt, EXAMPLES[index].expected, last.get(index)) for index in indices]
        told = decode(observed.guesses, known.__getitem__)
        for place, index in enumerate(indices):
            if not observed.guessed or observed.guessed[place]:
                last[index] = told.get(place, last.get(index, ""))
                found.setdefault(observed.step, {})[index] = last[index]
    return found


def folded(events: Iterable[Event]) -> RunEvolution:
    """The run as the log's fold has it, behind the events of its dataset."""
    told = list(events)
    dataset = next(event.run_started.dataset for event in told if event.HasField("run_started"))
    registered = DatasetRegistered(sha256=dataset, form="question/answer", examples=len(EXAMPLES))
    texts = ExamplesRegistered(
        id=[example.id for example in EXAMPLES],
        prompt=[example.prompt for example in EXAMPLES],
        expected=[example.expected for example in EXAMPLES],
        category=[""] * len(EXAMPLES),
    )
    subject = f"dataset/{dataset}"
    beginning = [
        Event(subject=subject, dataset_registered=registered),
        Event(subject=subject, examples_registered=texts),
    ]
    book = book_fold.fold(numbered([*beginning, *told]))
    return book.evolution.by_run["run-1"]


def test_held_out_examples_are_watched_and_never_trained_on(
    plain_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home, book = Home(tmp_path / "home"), Book()
    sha256 = hold_out(home, "Is it?", "Is it not?", "Or is it?")
    assert assign(home, model_folder, tiny_config(held_out=sha256), book).carry_out() == COMPLETED
    (started,) = book.bodies("run_started")
    assert (started.examples, list(started.tracked)) == (10, list(range(10)))
    assert (started.held_out, started.held_out_examples) == (sha256, 3)
    for step in (0, 2, 5, STEPS):
        observed = [one for one in book.bodies("examples_observed") if one.step == step]
        assert sorted(index for one in observed for index in one.example_index) == list(range(13))
    for completed in book.bodies("snapshot_completed"):
        assert (completed.examples, completed.held_out, completed.guessed) == (10, 3, 13)
        assert completed.held_out_loss > 0
    assert max(index for step in book.bodies("step_completed") for index in step.example_index) == 9
    assert_identical(adapter(*plain_run), adapter(home, book))


def test_a_held_out_file_without_examples_fails_the_job_before_training(model_folder: Path, tmp_path: Path) -> None:
    home, book = Home(tmp_path / "home"), Book()
    with pytest.raises(UnusableExample):
        assign(home, model_folder, tiny_config(held_out=hold_out(home)), book).carry_out()
    assert not book.events


def test_a_tiny_budget_thins_the_guesses_and_measures_all_the_same(
    plain_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home, book = Home(tmp_path / "home"), Book()
    config = tiny_config(snapshot_budget_seconds=1e-6, snapshot_steps=[2, 3, 4, 5], held_out=hold_out(home, "Is it?"))
    assert assign(home, model_folder, config, book).carry_out() == COMPLETED
    thinned = book.bodies("snapshot_thinned")
    assert [(one.step, one.examples, one.guessed) for one in thinned] == [(step, 11, 0) for step in (2, 3, 4, 5)]
    assert all(one.spent_seconds > one.allowed_seconds for one in thinned)
    assert "0 of 11 guesses are made" in thinned[0].reason
    assert "measuring alone takes about" in thinned[0].reason
    names = book.names()
    assert all(names[place + 1] == "snapshot_started" for place, name in enumerate(names) if name == "snapshot_thinned")
    counts = {done.step: (done.examples, done.guessed) for done in book.bodies("snapshot_completed")}
    assert counts == {0: (10, 11), 2: (10, 0), 3: (10, 0), 4: (10, 0), 5: (10, 0), STEPS: (10, 11)}
    for observed in book.bodies("examples_observed"):
        losses = losses_in(observed)
        assert len(losses) == len(observed.example_index)
        assert all(loss > 0 for loss in losses)
        if 0 < observed.step < STEPS:
            assert not any(observed.guessed)
            assert len(observed.guessed) == len(observed.example_index)
    assert_identical(adapter(*plain_run), adapter(home, book))


def test_where_only_some_can_be_guessed_all_get_their_turn(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def room_for_four(budget: Budget, limits: Limits, examples: int) -> Plan:
        return Plan(4, budget.spent_s, 0.0, 0.0, "however long they take")

    monkeypatch.setattr(Budget, "plan", room_for_four)
    home, book = Home(tmp_path / "home"), Book()
    config = tiny_config(snapshot_steps=[1, 2, 3, 4, 5, 6])
    assert assign(home, model_folder, config, book).carry_out() == COMPLETED
    told = guesses(book)
    assert [len(told[step]) for step in range(7)] == [10, 4, 4, 4, 4, 4, 4]
    turns = Counter(index for step in range(1, 7) for index in told[step])
    assert set(turns) == set(range(10))
    assert set(turns.values()) == {2, 3}


def test_a_run_that_is_taken_up_again_counts_what_was_right_before(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(event: Event) -> None:
        if event.checkpoint_saved.step == 4:
            raise Killed

    def no_room(budget: Budget, limits: Limits, examples: int) -> Plan:
        return Plan(0, budget.spent_s, 0.0, 0.0, "however long they take")

    monkeypatch.setattr(Budget, "plan", no_room)
    home, config, again = Home(tmp_path / "home"), tiny_config(snapshot_steps=[5]), Book()
    with pytest.raises(Killed):
        assign(home, model_folder, config, Book(kill)).carry_out()
    past = Past(started=True, correct={2: True, 7: True, 8: False})
    resumed = assign(home, model_folder, config, again, past=past, resume_step=4)
    assert resumed.carry_out() == COMPLETED
    completed = {done.step: (done.guessed, done.correct) for done in again.bodies("snapshot_completed")}
    assert completed[5] == (0, 2)


def test_what_is_told_of_a_guess_is_made_whole_again_by_the_fold(model_folder: Path, tmp_path: Path) -> None:
    home, whole = Home(tmp_path / "home"), Book()
    assert assign(home, model_folder, tiny_config(), whole).carry_out() == COMPLETED
    assert any(GUESS_FORM_CHANGED in observed.guesses.form for observed in whole.bodies("examples_observed"))
    for taken in folded(whole.events).snapshots:
        assert {index: taken.guess[index] for index in range(10)} == guesses(whole)[taken.step]


def test_after_a_kill_guesses_are_recorded_whole_and_the_fold_has_them(model_folder: Path, tmp_path: Path) -> None:
    home, config = Home(tmp_path / "home"), tiny_config(learning_rate=1e-3, snapshot_steps=[2, 5, 6, 7])

    def kill(event: Event) -> None:
        if event.snapshot_completed.step == 6:
            raise Killed

    first, again = Book(kill), Book()
    with pytest.raises(Killed):
        assign(home, model_folder, config, first).carry_out()
    assert assign(home, model_folder, config, again, resume_step=4).carry_out() == COMPLETED
    assert set(again.bodies("examples_observed")[0].guesses.form) == {GUESS_FORM_WHOLE}
    seen = {taken.step: taken for taken in folded([*first.events, *again.events]).snapshots}
    told = guesses(first) | guesses(again)
    assert list(seen) == [0, 2, 5, 6, 7, STEPS]
    for step, taken in seen.items():
        assert {index: taken.guess[index] for index in range(10)} == told[step]


def test_an_installed_scorer_judges_and_an_unknown_one_fails_the_job(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = EntryPoints([EntryPoint("differs", "operator:ne", scorer.GROUP)])
    monkeypatch.setattr(scorer, "entry_points", lambda group: points.select(group=group))
    home, book = Home(tmp_path / "home"), Book()
    assert assign(home, model_folder, tiny_config(scorer="differs"), book).carry_out() == COMPLETED
    assert all(all(observed.correct) for observed in book.bodies("examples_observed"))
    assert book.bodies("version_created")[0].final_accuracy == 1.0
    with pytest.raises(
        UnusableSetting, match="no scorer 'bleu' on this trainer; it has match, number, contains, differs"
    ):
        assign(home, model_folder, tiny_config(scorer="bleu"), book).carry_out()


def test_a_scorer_that_raises_fails_the_snapshot_and_not_the_training(
    plain_run: tuple[Home, Book], model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = EntryPoints([EntryPoint("broken", "operator:truediv", scorer.GROUP)])
    monkeypatch.setattr(scorer, "entry_points", lambda group: points.select(group=group))
    home, book = Home(tmp_path / "home"), Book()
    assert assign(home, model_folder, tiny_config(scorer="broken", snapshot_steps=[99]), book).carry_out() == COMPLETED
    assert [failed.step for failed in book.bodies("snapshot_failed")] == [0, STEPS]
    assert "TypeError" in book.bodies("snapshot_failed")[0].error
    assert_identical(adapter(*plain_run), adapter(home, book))


def test_planning_that_fails_is_a_failed_snapshot_too(
    plain_run: tuple[Home, Book], model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no time has passed")

    monkeypatch.setattr(Budget, "plan", broken)
    home, book = Home(tmp_path / "home"), Book()
    config = tiny_config(snapshot_budget_percent=1.0, snapshot_steps=[5])
    assert assign(home, model_folder, config, book).carry_out() == COMPLETED
    (failed,) = book.bodies("snapshot_failed")
    assert (failed.step, failed.error) == (5, "ZeroDivisionError: no time has passed")
    assert [done.step for done in book.bodies("snapshot_completed")] == [0, STEPS]
    assert_identical(adapter(*plain_run), adapter(home, book))


def test_a_changed_schedule_counts_from_the_next_step_on(
    plain_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home, orders = Home(tmp_path / "home"), Orders(Job(), threading.Event())

    def change(event: Event) -> None:
        if event.step_completed.step == 3:
            schedule = ScheduleChanged(snapshots=True, snapshot_steps=[2, 4, 7])
            orders.apply(Event(position=50, schedule_changed=schedule))
        if event.step_completed.step == 5:
            orders.apply(Event(position=60, snapshot_requested=SnapshotRequested()))
        if event.step_completed.step == 7:
            orders.apply(Event(position=70, schedule_changed=ScheduleChanged(snapshots=False)))

    book = Book(change)
    assert assign(home, model_folder, tiny_config(), book, orders).carry_out() == COMPLETED
    taken = [(one.step, one.reason) for one in book.bodies("snapshot_started")]
    assert taken == [(0, "schedule"), (2, "schedule"), (4, "schedule"), (5, "request")]
    assert book.bodies("version_created")[0].final_accuracy == -1  # nobody looked at the end
    assert_identical(adapter(*plain_run), adapter(home, book))


def test_a_request_that_meets_a_schedule_without_snapshots_is_answered(model_folder: Path, tmp_path: Path) -> None:
    orders = Orders(Job(), threading.Event())

    def change(event: Event) -> None:
        if event.step_completed.step == 3:
            orders.apply(Event(position=61, snapshot_requested=SnapshotRequested()))
            orders.apply(Event(position=62, schedule_changed=ScheduleChanged(snapshots=False)))

    book = Book(change)
    assert assign(Home(tmp_path), model_folder, tiny_config(), book, orders).carry_out() == COMPLETED
    (failed,) = [event for event in book.events if event.HasField("snapshot_failed")]
    assert (failed.causation, failed.snapshot_failed.step) == (61, 3)
    assert "turned off" in failed.snapshot_failed.error
    assert [one.step for one in book.bodies("snapshot_started")] == [0, 2]


def test_named_examples_are_tracked_and_an_unknown_name_fails_the_job(model_folder: Path, tmp_path: Path) -> None:
    home, book = Home(tmp_path / "home"), Book()
    first = assign(home, model_folder, tiny_config(), book)
    ids = [example.id for example in first._examples(first.lease.job.dataset)]
    chosen = tiny_config(tracked_ids=[ids[7], ids[2]], snapshot_steps=[99])
    assert assign(home, model_folder, chosen, book).carry_out() == COMPLETED
    assert list(book.bodies("run_started")[0].tracked) == [2, 7]
    assert [list(one.example_index) for one in book.bodies("examples_observed")] == [[2, 7], [2, 7]]
    with pytest.raises(UnusableSetting, match="no example has the id nobody"):
        assign(home, model_folder, tiny_config(tracked_ids=["nobody"]), book).carry_out()


def test_answers_that_max_length_cut_are_named(model_folder: Path, tmp_path: Path) -> None:
    home, book = Home(tmp_path / "home"), Book()
    config = tiny_config(max_length=36, max_steps=1, snapshots=False)
    assert assign(home, model_folder, config, book).carry_out() == COMPLETED
    (started,) = book.bodies("run_started")
    assert 0 < len(started.cut_example) == started.cut_answers < len(EXAMPLES)
