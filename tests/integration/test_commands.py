"""Commands on their way through a real server to a trainer at work, and what is so when they are answered."""

import gc
from pathlib import Path

import pytest
from server_process import ServerProcess
from trainer_thread import Working, submit
from transformers import PreTrainedModel

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import QUEUE_STATE_OFF, QUEUE_STATE_ON, Event
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED, JOB_STATE_COMPLETED, JOB_STATE_QUEUED, Job
from guessbook.trainer import checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")


def wait_for(book: Guessbook, kind: str, times: int = 1) -> Event:
    """The n-th event of a kind in the log, waited for."""
    for answer in book.subscribe(1):
        for event in answer.events:
            times -= event.WhichOneof("body") == kind
            if not times:
                return event
    raise AssertionError("a subscription does not end")


def job(book: Guessbook, identity: str) -> Job:
    return next(one for one in book.jobs().jobs if one.id == identity)


def models() -> list[PreTrainedModel]:
    return [one for one in gc.get_objects() if issubclass(type(one), PreTrainedModel)]


def test_the_model_is_let_go_of_and_the_checkpoint_is_whole_before_the_pause_is_recorded(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    gc.collect()
    others = {id(one) for one in models()}  # of other tests
    seen: list[tuple[str, int, bool]] = []
    with Working(server.home, book) as trainer:
        record = trainer.daemon._producer.record

        def look(event: Event) -> None:
            kind = event.WhichOneof("body") or ""
            if event.step_completed.step == 1 or kind == "job_paused":
                held = sum(id(one) not in others for one in models())
                whole = kind == "job_paused" and checkpoint.is_complete(Path(event.job_paused.checkpoint))
                seen.append((kind, held, whole))
            record(event)

        trainer.daemon._producer.record = look  # type: ignore[method-assign]
        identity = submit(book, server.home, model_folder, max_steps=100_000, snapshots=False)
        wait_for(book, "step_completed")
        book.pause(identity)
        wait_for(book, "job_paused")
    assert seen == [("step_completed", 2, False), ("job_paused", 0, True)]  # the model and its layers; nothing


def test_a_batch_is_skipped_and_the_command_is_answered(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    with Working(server.home, book):
        identity = submit(book, server.home, model_folder, max_steps=100_000, snapshots=False)
        wait_for(book, "step_completed")
        asked = book.skip(identity)
        answer = wait_for(book, "batch_skipped")
        assert answer.causation == asked.position
        assert not job(book, identity).skip_pending
        step = next(
            event.step_completed
            for event in book.read()
            if event.HasField("step_completed") and event.step_completed.step == answer.batch_skipped.step
        )
        assert list(step.example_index) == list(answer.batch_skipped.example_index)


def test_a_running_job_is_cancelled_with_its_checkpoint_and_the_next_one_goes_on(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    with Working(server.home, book):
        identity = submit(book, server.home, model_folder, max_steps=100_000, snapshots=False)
        wait_for(book, "step_completed")
        after = submit(book, server.home, model_folder)
        asked = book.cancel(identity)
        answer = wait_for(book, "job_cancelled")
        assert answer.causation == asked.position
        assert checkpoint.is_complete(Path(answer.job_cancelled.checkpoint))
        completed = wait_for(book, "job_completed")
    assert completed.subject == f"job/{after}"
    assert job(book, identity).state == JOB_STATE_CANCELLED
    assert job(book, after).state == JOB_STATE_COMPLETED
    # What nobody goes on with any more is removed; what a person may still want is kept.
    assert {folder.name for folder in server.home.checkpoints.iterdir()} == {job(book, identity).run}


def test_what_a_killed_trainer_left_of_a_completed_run_is_removed_at_the_next_start(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    identity = submit(book, server.home, model_folder)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    left = server.home.checkpoints / job(book, identity).run / "checkpoint-6"
    unknown = server.home.checkpoints / "run-0099" / "checkpoint-6"
    for folder in (left, unknown):
        folder.mkdir(parents=True)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    assert not left.exists()
    assert unknown.exists()


def test_the_queue_that_is_off_has_the_job_put_back_and_on_again_goes_on(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    with Working(server.home, book):
        identity = submit(book, server.home, model_folder, max_steps=100_000, snapshots=False)
        wait_for(book, "step_completed")
        book.set_queue(QUEUE_STATE_OFF)
        stopped = wait_for(book, "job_stopped")
        assert job(book, identity).state == JOB_STATE_QUEUED
        book.set_queue(QUEUE_STATE_ON)
        assert wait_for(book, "job_resumed").job_resumed.step == stopped.job_stopped.step
        book.cancel(identity)
        wait_for(book, "job_cancelled")
