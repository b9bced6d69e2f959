"""The callback under torchrun: two processes on the CPU train together, the first one records for both."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_INTERRUPTED
from guessbook.store.artifacts import Artifacts

TESTS = Path(__file__).parents[1]
PROCESSES = 2
PATIENCE_S = 120.0
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@contextmanager
def training(server: ServerProcess, model: Path, folder: Path, processes: int, **arguments: int) -> Iterator[Any]:
    """A training at work in so many processes; its process when it is over, or the `with` is left."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    words = [f"{name}={value}" for name, value in arguments.items()]
    command = [sys.executable, *(launcher if processes > 1 else []), str(TESTS / "shared_training.py")]
    command += [str(model), str(folder), str(server.home.root), *words]
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def finished(server: ServerProcess, model: Path, folder: Path, processes: int, **arguments: int) -> None:
    with training(server, model, folder, processes, **arguments) as process:
        assert process.wait(PATIENCE_S) == 0, (folder / "log").read_text()


def bodies(book: Guessbook, name: str) -> list[Any]:
    return [getattr(event, name) for event in book.read() if event.WhichOneof("body") == name]


def wait_for(book: Guessbook, *kinds: str) -> None:
    for answer in book.subscribe():
        if any(event.WhichOneof("body") in kinds for event in answer.events):
            return


def adapter(server: ServerProcess, created: Any) -> Weights:
    (file,) = [file for file in created.files if file.path.endswith(".safetensors")]
    return load_file(Artifacts(server.home.artifacts).path(file.sha256))


def test_two_processes_are_one_run_and_train_what_one_would(
    server: ServerProcess, book: Guessbook, model: Path, tmp_path: Path
) -> None:
    finished(server, model, tmp_path / "two", PROCESSES, gradient_accumulation_steps=1)
    finished(server, model, tmp_path / "one", 1, gradient_accumulation_steps=2)
    assert [job.state for job in book.jobs().jobs] == [JOB_STATE_COMPLETED] * 2
    started, alone = bodies(book, "run_started")
    assert (started.config.num_processes, alone.config.num_processes) == (PROCESSES, 0)
    steps = bodies(book, "step_completed")
    assert [step.step for step in steps] == [*range(1, 7), *range(1, 7)]
    for shared, single in zip(steps[:6], steps[6:], strict=True):
        assert sorted(shared.example_index) == sorted(single.example_index)
        assert len(shared.example_index) == 6
        losses = [dict(zip(step.example_index, step.example_loss, strict=True)) for step in (shared, single)]
        assert losses[0] == pytest.approx(losses[1], rel=2e-3, abs=1e-3)  # half precision
        assert shared.loss == pytest.approx(single.loss, rel=1e-4)
    assert len(bodies(book, "snapshot_completed")) == 4
    two, one = (adapter(server, created) for created in bodies(book, "version_created"))
    assert two.keys() == one.keys()
    for name, tensor in two.items():
        torch.testing.assert_close(tensor, one[name], rtol=0, atol=1e-5)


def test_a_stop_ends_all_processes_at_the_same_step(
    server: ServerProcess, book: Guessbook, model: Path, tmp_path: Path
) -> None:
    with training(server, model, tmp_path / "two", PROCESSES, max_steps=100_000) as process:
        wait_for(book, "step_completed")
        book.stop()
        assert process.wait(PATIENCE_S) == 0, (tmp_path / "two" / "log").read_text()
    (job,) = book.jobs().jobs
    assert job.state == JOB_STATE_COMPLETED
    (completed,) = bodies(book, "job_completed")
    assert [step.step for step in bodies(book, "step_completed")] == list(range(1, completed.step + 1))


def test_a_killed_process_ends_the_training_and_the_job_says_so(
    server: ServerProcess, book: Guessbook, model: Path, tmp_path: Path
) -> None:
    with training(server, model, tmp_path / "two", PROCESSES, max_steps=100_000) as process:
        wait_for(book, "step_completed")
        second = rank_process(process.pid, 1)
        os.kill(second, signal.SIGKILL)
        assert process.wait(PATIENCE_S) != 0
    wait_for(
        book, "job_interrupted", "job_failed"
    )  # as torchrun, or the lost connection, ends the first process sooner
    (job,) = book.jobs().jobs
    assert job.state in (JOB_STATE_INTERRUPTED, JOB_STATE_FAILED)


def rank_process(launcher: int, rank: int) -> int:
    """The process that torchrun started as this rank."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
            if f"\0RANK={rank}\0" in "\0" + Path(f"/proc/{child}/environ").read_text():
                return int(child)
    raise AssertionError(f"torchrun has no process of rank {rank}")
