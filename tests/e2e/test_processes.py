"""A job on two processes of one trainer, on the CPU: what they train, a pause and a resume, and one that is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from e2e.processes import TrainerProcess
from made_events import write_questions
from safetensors.torch import load_file
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.store.artifacts import Artifacts

STEPS = 40
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def trainer(server: ServerProcess) -> Iterator[TrainerProcess]:
    with TrainerProcess(server.home.root, server.address, "box") as process:
        yield process


def _submit(book: Guessbook, folder: Path, model: Path, **config: Any) -> str:
    fields: dict[str, Any] = {
        "base_model": str(model),
        "max_steps": STEPS,
        "save_steps": 10,
        "snapshot_steps": [25],
        "max_new_tokens": 4,
        "lora_dropout": 0.0,  # chance differs from process to process
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 3,
        "gradient_accumulation_steps": 1,
        "num_processes": 2,
    }
    return book.submit(write_questions(folder / "sums.jsonl", 12), config=e.TrainingConfig(**(fields | config))).job.id


def _until(book: Guessbook, kind: str, job: str, *, step: int = 0) -> e.Event:
    run = ""
    for answer in book.subscribe():
        for event in answer.events:
            mine = event.subject in (f"job/{job}", f"run/{run}")
            run = event.job_leased.run if mine and event.HasField("job_leased") else run
            if mine and event.WhichOneof("body") == kind and event.step_completed.step >= step:
                return event
            assert not (mine and event.HasField("job_failed")), event.job_failed.error
    raise AssertionError("a subscription does not end")


def _steps(book: Guessbook, run: str) -> list[e.StepCompleted]:
    events = book.read(subjects=[f"run/{run}"])
    return [event.step_completed for event in events if event.HasField("step_completed")]


def _adapter(server: ServerProcess, book: Guessbook, job: str) -> Weights:
    (version,) = [version for version in book.versions().versions if version.job == job]
    (file,) = [file for file in version.files if file.path.endswith(".safetensors")]
    return load_file(Artifacts(server.home.artifacts).path(file.sha256))


def test_two_processes_train_what_one_would_and_go_on_after_a_pause(
    server: ServerProcess, book: Guessbook, trainer: TrainerProcess, tmp_path: Path, model: Path
) -> None:
    shared = _submit(book, tmp_path, model)
    alone = _submit(book, tmp_path, model, num_processes=1, gradient_accumulation_steps=2)
    paused = _submit(book, tmp_path, model)
    _until(book, "step_completed", paused, step=5)
    book.pause(paused)
    assert 5 <= _until(book, "job_paused", paused).job_paused.step < STEPS
    assert trainer.children() == []
    book.resume(paused)
    _until(book, "job_completed", paused)

    two, one = _steps(book, "run-0001"), _steps(book, "run-0002")
    assert [step.step for step in two] == [step.step for step in one] == list(range(1, STEPS + 1))
    for mine, single in zip(two, one, strict=True):
        assert sorted(mine.example_index) == sorted(single.example_index)
        assert mine.loss == pytest.approx(single.loss, rel=1e-4)
    assert [snapshot.step for snapshot in book.run("run-0001").snapshots] == [0, 25, STEPS]
    assert [step.step for step in _steps(book, "run-0003")] == list(range(1, STEPS + 1))
    adapters = [_adapter(server, book, job) for job in (shared, alone, paused)]
    for name, tensor in adapters[0].items():
        torch.testing.assert_close(tensor, adapters[1][name], rtol=0, atol=1e-5)
        assert torch.equal(tensor, adapters[2][name]), name


# What Python runs first in each process: on those of rank 1 and above more than two rows at a time can't be trained.
SCARCE = """
import os
if os.environ.get("RANK", "0") != "0":
    import torch
    from transformers import LlamaForCausalLM
    forward = LlamaForCausalLM.forward
    def bounded(self, input_ids, **inputs):
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, input_ids=input_ids, **inputs)
    LlamaForCausalLM.forward = bounded
"""


def test_a_process_without_memory_has_all_go_on_at_smaller_batches_if_the_job_allows_it(
    server: ServerProcess, book: Guessbook, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SCARCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fields = {"max_steps": 4, "per_device_train_batch_size": 4, "snapshot_steps": [4]}
    identity = _submit(book, tmp_path, model, **fields, auto_find_batch_size=True)
    with TrainerProcess(server.home.root, server.address, "box"):
        _until(book, "job_completed", identity)
    (told,) = [event.batch_size_reduced for event in book.read() if event.HasField("batch_size_reduced")]
    assert (told.per_device_train_batch_size, told.gradient_accumulation_steps) == (2, 2)
    assert "process 1 of 2 ran out of memory" in told.error
    assert [step.step for step in _steps(book, "run-0001")] == [1, 2, 3, 4]


def test_a_killed_process_fails_the_job_and_the_trainer_goes_on_with_the_next(
    server: ServerProcess, book: Guessbook, trainer: TrainerProcess, tmp_path: Path, model: Path
) -> None:
    broken = _submit(book, tmp_path, model, max_steps=100_000, save_steps=1000)
    _until(book, "step_completed", broken, step=2)
    (second,) = trainer.children()
    os.kill(second, signal.SIGKILL)
    next_one = _submit(book, tmp_path, model, max_steps=2)
    _until(book, "job_completed", next_one)
    states = {job.id: job for job in book.jobs().jobs}
    assert states[broken].state == h.JOB_STATE_FAILED
    assert "process 1 of 2 ended with -9" in states[broken].error
