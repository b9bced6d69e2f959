"""Failures of a job are told apart, keep the last good checkpoint, and say what to do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from assigned import Book, assign, tiny_config
from integration.test_daemon import bodies, until
from server_process import ServerProcess
from trainer_thread import Working, submit
from transformers import LlamaForCausalLM

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Device, Event, Failure
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_FAILED
from guessbook.store.home import Home
from guessbook.trainer import assignment, checkpoint
from guessbook.trainer.errors import NotFinite, UnusableSetting
from guessbook.trainer.failure import failure_of, job_failed

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_loss_that_is_no_number_stops_before_its_update_and_is_never_saved(
    model_folder: Path, tmp_path: Path
) -> None:
    home, book = Home(tmp_path), Book()
    config = tiny_config(learning_rate=1e18, warmup_ratio=0.0, save_steps=1, max_grad_norm=0.0, snapshots=False)
    assigned = assign(home, model_folder, config, book)
    with pytest.raises(NotFinite, match=r"at step \d+ the loss is .* gradient's .* indices") as raised:
        assigned.carry_out()
    steps = [done.step for done in book.bodies("step_completed")]
    assert f"at step {len(steps) + 1} " in str(raised.value)
    assert "learning_rate" in raised.value.hint
    assert job_failed(raised.value, 1).failure == Failure.FAILURE_NOT_FINITE
    last = checkpoint.last_complete(home.checkpoints / "run-1", at_most=99)
    assert last == checkpoint.place(home.checkpoints / "run-1", len(steps))


def test_weights_that_are_no_numbers_are_not_saved(model_folder: Path, tmp_path: Path) -> None:
    home, book = Home(tmp_path), Book()
    config = tiny_config(learning_rate=3e38, warmup_ratio=0.0, weight_decay=0.1, save_steps=1, snapshots=False)
    with pytest.raises(NotFinite, match="the update of step 1 made weights that are no numbers"):
        assign(home, model_folder, config, book).carry_out()
    assert not list((home.checkpoints / "run-1").glob("checkpoint-*"))
    assert "checkpoint_saved" not in book.names()


@pytest.mark.parametrize("file", ["optimizer.pt", "trainer_state.json"])
def test_a_full_disk_fails_the_job_and_keeps_the_checkpoint_before(
    model_folder: Path, tmp_path: Path, file: str
) -> None:
    home = Home(tmp_path)
    folder = home.checkpoints / "run-1"

    def fill(event: Event) -> None:
        if event.step_completed.step == 8:  # the checkpoint of this step meets a device that has no room
            place = checkpoint.place(checkpoint.staging(folder), 8)
            place.mkdir(parents=True)
            (place / file).symlink_to("/dev/full")

    book = Book(fill)
    with pytest.raises(Exception) as raised:  # torch and Python each raise another
        assign(home, model_folder, tiny_config(), book).carry_out()
    failed = job_failed(raised.value, 8)
    assert failed.failure == Failure.FAILURE_DISK_FULL, raised.value
    assert "Make room" in failed.hint
    assert checkpoint.last_complete(folder, at_most=99) == checkpoint.place(folder, 4)
    assert [saved.step for saved in book.bodies("checkpoint_saved")] == [4]


def test_after_a_full_disk_nothing_of_what_could_not_be_saved_stays(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    folder = server.home.checkpoints / "run-0001"
    with Working(server.home, book):
        submit(book, server.home, model_folder, max_steps=400, save_steps=200, snapshots=False)
        until(lambda: bool(bodies(book, "step_completed")))
        place = checkpoint.place(checkpoint.staging(folder), 200)
        place.mkdir(parents=True)
        (place / "optimizer.pt").symlink_to("/dev/full")
        until(lambda: book.jobs().jobs[0].state == JOB_STATE_FAILED)
        assert book.jobs().jobs[0].failure == Failure.FAILURE_DISK_FULL
        assert not checkpoint.staging(folder).exists()


def test_modules_that_the_model_does_not_have_are_named_with_the_nearest(model_folder: Path, tmp_path: Path) -> None:
    config = tiny_config(lora_target_modules=["q_proj", "v_porj"])
    with pytest.raises(UnusableSetting, match="v_porj") as raised:
        assign(Home(tmp_path), model_folder, config, Book()).carry_out()
    assert "v_proj" in raised.value.hint
    assert failure_of(raised.value) == Failure.FAILURE_BAD_CONFIG


# ---- out of memory ----


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device on which more than two rows at a time can't be trained. Returns the rows of each forward pass that trained."""
    trained: list[int] = []
    forward = LlamaForCausalLM.forward

    def bounded(self: LlamaForCausalLM, input_ids: torch.Tensor, **inputs: Any) -> Any:
        if self.training:
            if len(input_ids) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            trained.append(len(input_ids))
        return forward(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(LlamaForCausalLM, "forward", bounded)
    return trained


def test_out_of_memory_goes_on_at_half_the_batch_if_the_job_allows_it(
    server: ServerProcess, book: Guessbook, model_folder: Path, scarce: list[int]
) -> None:
    identity = submit(
        book,
        server.home,
        model_folder,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=1,
        auto_find_batch_size=True,
    )
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    (job,) = book.jobs().jobs
    assert (job.id, job.state, job.error) == (identity, JOB_STATE_COMPLETED, "")
    told = [event.batch_size_reduced for event in book.read() if event.HasField("batch_size_reduced")]
    assert [(one.per_device_train_batch_size, one.gradient_accumulation_steps) for one in told] == [(4, 2), (2, 4)]
    assert all("out of memory" in one.error for one in told)
    assert (job.config.per_device_train_batch_size, job.config.gradient_accumulation_steps) == (2, 4)
    assert scarce == [2] * 4 * 6
    assert list(book.steps().step) == [1, 2, 3, 4, 5, 6]
    assert [snapshot.step for snapshot in book.run().snapshots] == [0, 3, 6]


def test_out_of_memory_is_told_with_advice_if_it_does_not(
    server: ServerProcess, book: Guessbook, model_folder: Path, scarce: list[int]
) -> None:
    submit(book, server.home, model_folder, per_device_train_batch_size=8)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    (job,) = book.jobs().jobs
    assert (job.state, job.failure) == (JOB_STATE_FAILED, Failure.FAILURE_OUT_OF_MEMORY)
    assert "auto_find_batch_size" in job.hint
    assert not scarce


def test_what_can_not_fit_whatever_the_batch_fails_at_once(
    server: ServerProcess, book: Guessbook, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "devices", lambda: [Device(name="small", memory_bytes=1000)])
    submit(book, server.home, model_folder, per_device_train_batch_size=8, auto_find_batch_size=True)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    (job,) = book.jobs().jobs
    assert (job.state, job.failure) == (JOB_STATE_FAILED, Failure.FAILURE_OUT_OF_MEMORY)
    assert not bodies(book, "batch_size_reduced")
