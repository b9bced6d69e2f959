"""What snapshots look at and when, through the real server: at submit, and changed while the job trains."""

import json
from pathlib import Path

import pytest
from integration.test_daemon import bodies, job, steps, until
from made_events import write_questions
from server_process import ServerProcess
from terminal import Terminal
from trainer_thread import Working, submit

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid, Rejected
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_PAUSED
from guessbook.store.home import Home

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def home(server: ServerProcess) -> Home:
    return server.home


def test_a_schedule_is_changed_while_the_job_trains_and_stays_changed(
    home: Home, book: Guessbook, model_folder: Path
) -> None:
    with Working(home, book):
        identity = submit(book, home, model_folder, max_steps=100_000, save_steps=50_000, snapshot_steps=[99_999])
        until(lambda: bool(bodies(book, "step_completed")))
        before = steps(book)[-1]
        asked = book.change_schedule(snapshot_steps=range(before, before + 2000))
        assert "at the next step" in asked.message
        until(lambda: len(bodies(book, "snapshot_completed")) > 2)
        taken = [event.snapshot_started.step for event in bodies(book, "snapshot_started")]
        assert taken[0] == 0
        assert before <= taken[1] < taken[2] == taken[1] + 1
        book.change_schedule(identity, snapshots=False)
        until(lambda: steps(book)[-1] > taken[2] + 20)
        quiet = bodies(book, "snapshot_started")[-1].snapshot_started.step
        with pytest.raises(Rejected, match="without snapshots"):
            book.snapshot(identity)
        book.pause(identity)
        until(lambda: job(book, identity).state == JOB_STATE_PAUSED)
        assert steps(book)[-1] > quiet
        assert not job(book, identity).config.snapshots
        # Changed while it waits, it counts when the job goes on.
        book.change_schedule(identity, snapshots=True, default_steps=True, snapshot_budget_percent=50)
        book.change_schedule(identity, snapshot_steps=range(1, 20_000))
        book.resume(identity)
        until(lambda: bodies(book, "snapshot_completed")[-1].snapshot_completed.step > quiet)
        book.pause(identity)
        until(lambda: job(book, identity).state == JOB_STATE_PAUSED)
    config = job(book, identity).config
    assert (config.snapshots, len(config.snapshot_steps), config.snapshot_budget_percent) == (True, 19_999, 50)


def test_a_held_out_file_and_named_examples_come_with_the_job(
    home: Home, book: Guessbook, model_folder: Path, tmp_path: Path
) -> None:
    trained, held = write_questions(tmp_path / "sums.jsonl", 8), tmp_path / "held.jsonl"
    rows = [{"id": "new", "question": "What is 90+9?", "answer": "99"}, {"question": "What is 1+1?", "answer": "2"}]
    held.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = TrainingConfig(
        base_model=str(model_folder), max_steps=4, max_new_tokens=4, tracked_ids=["e5", "e2"], scorer="number"
    )
    answer = book.submit(trained, config=config, held_out=held)
    assert "Held out: 2 examples" in answer.report
    assert "1 of them are in the training data too" in answer.report
    assert answer.job.config.held_out == book.upload(held)
    with Working(home, book, once=True) as trainer:
        trainer.join()
    assert job(book, answer.job.id).state == JOB_STATE_COMPLETED
    run = book.run()
    assert (run.tracked, run.held_out) == (2, 2)
    assert [(one.step, one.examples, one.held_out) for one in run.snapshots] == [(0, 2, 2), (4, 2, 2)]
    story = book.trajectory("latest", "#8")
    assert (story.example.prompt, story.example.held_out) == ("What is 90+9?", True)
    assert [one.step for one in story.observations] == [0, 4]
    assert not story.visits


def test_what_can_not_be_watched_is_refused_before_anything_is_recorded(
    home: Home, book: Guessbook, model_folder: Path, tmp_path: Path
) -> None:
    trained = write_questions(tmp_path / "sums.jsonl", 3)
    held = write_questions(tmp_path / "held.jsonl", 2, bad=["{"])
    config = TrainingConfig(base_model=str(model_folder), tracked_ids=["e1", "e7"])
    head = book.head().position
    for dry_run in (False, True):
        with pytest.raises(Invalid, match=r"no example of sums.jsonl has the id e7"):
            book.submit(trained, config=config, dry_run=dry_run)
        with pytest.raises(Invalid, match="1 of 3 lines of the held-out file can't be read; line 3: not JSON"):
            book.submit(trained, config=TrainingConfig(base_model="m"), held_out=held, dry_run=dry_run)
    with pytest.raises(GuessbookError, match="0" * 64):
        book.submit(trained, config=TrainingConfig(base_model="m", held_out="0" * 64))
    assert book.head().position == head
    assert book.submit(trained, config=TrainingConfig(base_model="m"), held_out=held, skip_bad_lines=True).job.id


def test_a_scorer_that_the_trainer_lacks_fails_the_job_before_training(
    home: Home, book: Guessbook, model_folder: Path
) -> None:
    identity = submit(book, home, model_folder, scorer="my_scorer")
    with Working(home, book, once=True) as trainer:
        trainer.join()
    failed = job(book, identity)
    assert failed.state == JOB_STATE_FAILED
    assert "no scorer 'my_scorer' on this trainer; it has match, number, contains" in failed.error
    assert "guessbook.scorers" in failed.hint
    assert not bodies(book, "run_started")


def test_the_command_line_shows_and_changes_a_schedule(home: Home, book: Guessbook, tmp_path: Path) -> None:
    terminal = Terminal(home.root)
    trained, held = write_questions(tmp_path / "sums.jsonl", 3), write_questions(tmp_path / "held.jsonl", 1)
    words = ["--model", "m", "--snapshot-steps", "5", "--snapshot-steps", "9", "--held-out", str(held)]
    words += ["--scorer", "contains", "--tracked-ids", "e1", "--snapshot-budget-percent", "10", "--learned-loss", "0.3"]
    submitted = terminal.json("submit", str(trained), *words)["job"]
    config = submitted["config"]
    assert (config["snapshot_steps"], config["tracked_ids"], config["scorer"]) == ([5, 9], ["e1"], "contains")
    assert (config["snapshot_budget_percent"], config["learned_loss"]) == (10, 0.3)
    shown = terminal.run("schedule", submitted["id"]).stdout
    assert "steps 0, 5, 9, and the end" in shown
    assert "1 by id and the held-out file" in shown
    assert "10 % of the training time" in shown
    changed = terminal.run("schedule", submitted["id"], "--default-steps", "--snapshot-budget-percent", "0").stdout
    assert "by the new schedule: when it trains" in changed
    assert "steps 0, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000 and every 5000, and the end" in " ".join(
        changed.split()
    )
    assert "as long as they take" in changed
    again = terminal.json("schedule", submitted["id"], "--no-snapshots")
    assert again["job"]["config"]["snapshots"] is False
    assert terminal.json("schedule", submitted["id"])["config"]["snapshots"] is False
    assert terminal.run("schedule", "nobody").returncode == 4
    assert terminal.run("schedule").returncode == 5  # no job is running
    assert terminal.run("schedule", submitted["id"], "--snapshot-steps", "-1").returncode == 2
    assert terminal.run("schedule", submitted["id"], "--snapshot-budget-percent", "-1").returncode == 2
