"""The trainer's process against a real server: leases, answers, a bad job, a takeover."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from server_process import ServerProcess
from trainer_thread import PATIENCE_S, Working, submit

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Fenced, Unreachable
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import Event, TrainerConnected, TrainingConfig
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    Job,
)
from guessbook.store.home import Home

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def home(server: ServerProcess) -> Home:
    return server.home


def job(book: Guessbook, identity: str) -> Job:
    (found,) = [job for job in book.jobs().jobs if job.id == identity]
    return found


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def bodies(book: Guessbook, name: str) -> list[Event]:
    return [event for event in book.read() if event.HasField(name)]  # type: ignore[arg-type]


def steps(book: Guessbook) -> list[int]:
    return [event.step_completed.step for event in bodies(book, "step_completed")]


def test_jobs_are_worked_off_and_a_bad_one_does_not_stop_the_next(
    home: Home, book: Guessbook, model_folder: Path
) -> None:
    bad = submit(book, home, Path("/nowhere"))
    good = submit(book, home, model_folder)
    with Working(home, book, once=True) as trainer:
        trainer.join()
    failed = job(book, bad)
    assert failed.state == JOB_STATE_FAILED
    assert "/nowhere" in failed.error
    assert failed.hint
    assert job(book, good).state == JOB_STATE_COMPLETED
    assert steps(book) == [1, 2, 3, 4, 5, 6]
    assert [snapshot.step for snapshot in book.run().snapshots] == [0, 3, 6]
    (version,) = book.versions().versions
    assert version.job == good


def test_pause_is_answered_and_a_waiting_trainer_takes_the_job_up_again(
    home: Home, book: Guessbook, model_folder: Path
) -> None:
    with Working(home, book):
        identity = submit(book, home, model_folder, max_steps=2000, save_steps=1000)
        until(lambda: bool(bodies(book, "step_completed")))
        asked = book.pause(identity)
        until(lambda: job(book, identity).state == JOB_STATE_PAUSED)
        (answer,) = bodies(book, "job_paused")
        assert answer.causation == asked.position
        assert Path(answer.job_paused.checkpoint).is_dir()
        paused_at = answer.job_paused.step
        assert steps(book)[-1] == paused_at
        book.resume(identity)
        until(lambda: steps(book)[-1] > paused_at)
        assert bodies(book, "job_resumed")[0].job_resumed.step == paused_at
        book.pause(identity)
        until(lambda: job(book, identity).state == JOB_STATE_PAUSED)
    seen = steps(book)
    assert seen == list(range(1, len(seen) + 1))


def test_a_trainer_that_leaves_saves_its_step_and_the_next_one_goes_on_there(
    home: Home, book: Guessbook, model_folder: Path
) -> None:
    identity = submit(book, home, model_folder, max_steps=150, save_steps=1000)
    with Working(home, book):
        until(lambda: bool(bodies(book, "step_completed")))
    left_at = steps(book)[-1]
    assert left_at < 150
    until(lambda: job(book, identity).state == JOB_STATE_INTERRUPTED)
    with Working(home, book, once=True) as trainer:
        trainer.join()
    assert job(book, identity).state == JOB_STATE_COMPLETED
    assert steps(book) == list(range(1, 151))
    assert len(bodies(book, "run_started")) == 1
    assert bodies(book, "version_created")[0].version_created.baseline_accuracy >= 0  # known from the log


def test_a_trainer_whose_place_was_taken_stops_and_records_no_more(
    home: Home, book: Guessbook, model_folder: Path, tmp_path: Path
) -> None:
    identity = submit(book, home, model_folder, max_steps=100_000)
    with Working(home, book) as trainer:
        until(lambda: bool(bodies(book, "step_completed")))
        newer = Producer("box", tmp_path / "newer.sqlite", book.address, TrainerConnected(host="elsewhere"))
        newer.start()
        epoch = newer.wait_welcome(PATIENCE_S)
        trainer.join()
        assert isinstance(trainer.error, Fenced)
        lease = book.lease("box", epoch)
        assert lease.job.id == identity
        assert lease.job.state == JOB_STATE_ACTIVE
        taken_over = bodies(book, "trainer_connected")[-1]
        assert taken_over.trainer_connected.host == "elsewhere"
        assert bodies(book, "step_completed")[-1].position < taken_over.position
        newer.close()


def test_training_goes_on_while_the_server_is_dead_and_nothing_is_lost_or_doubled(
    home: Home, server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    identity = submit(book, home, model_folder, max_steps=100_000, save_steps=10)
    checkpoints = home.checkpoints / "run-0001"
    with Working(home, book):
        until(lambda: bool(bodies(book, "checkpoint_saved")))
        server.kill()
        before = newest_step(checkpoints)
        until(lambda: newest_step(checkpoints) > before)
        server.start()
        until(lambda: reachable(book))
        book.pause(identity)  # is heard over the subscription, which came back too
        until(lambda: job(book, identity).state == JOB_STATE_PAUSED)
    seen = steps(book)
    assert seen == list(range(1, len(seen) + 1))
    assert seen[-1] > before


def newest_step(checkpoints: Path) -> int:
    return max(int(path.name.rpartition("-")[2]) for path in checkpoints.glob("checkpoint-*"))


def reachable(book: Guessbook) -> bool:
    try:
        book.head()
    except Unreachable:
        return False
    return True


def test_real_data_trains_and_what_max_length_cut_is_told(
    home: Home, book: Guessbook, model_folder: Path, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = home.root / "gsm8k.jsonl"
    data.write_text("".join((shared_data / "gsm8k_train.jsonl").read_text().splitlines(keepends=True)[:200]))
    config = TrainingConfig(
        base_model=str(model_folder), max_steps=3, max_length=384, tracked_examples=4, max_new_tokens=4
    )
    identity = book.submit(data, config=config).job.id
    with caplog.at_level("WARNING"), Working(home, book, once=True) as trainer:
        trainer.join()
    assert job(book, identity).state == JOB_STATE_COMPLETED
    assert steps(book) == [1, 2, 3]
    run = book.run()
    assert (run.examples, run.tracked) == (200, 4)
    assert [(snapshot.step, snapshot.examples) for snapshot in run.snapshots] == [(0, 4), (3, 4)]
    assert 0 < run.cut_answers <= run.truncated_examples < 200
    assert f"{run.truncated_examples} of 200 examples are longer than max_length (384 tokens)" in caplog.text


def test_a_full_spool_fails_the_job_with_a_clear_message(server: ServerProcess, home: Home, model_folder: Path) -> None:
    with server.client() as book, Working(home, book) as trainer:
        identity = submit(book, home, model_folder, max_steps=100_000, snapshots=False)
        until(lambda: len(steps(book)) > 3)
        trainer.daemon._producer._spool_bytes = 10_000
        server.kill()
        until(lambda: trainer.daemon._producer._spool.size_bytes > 9_000)
        server.start()
        # Unlike a question, a subscription waits until grpc tries the address again.
        for answer in book.subscribe(subjects=[f"job/{identity}"]):
            if any(event.HasField("job_failed") for event in answer.events):
                break
        failed = job(book, identity)
        assert failed.state == JOB_STATE_FAILED
        assert "wait for the server" in failed.error
        assert "Start the server" in failed.hint
        seen = steps(book)
        assert seen == list(range(1, len(seen) + 1))
