"""The callback in other people's trainers: it fills the book, can be steered, and changes nothing in what it watches."""

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from documentation import ROOT, python_blocks
from embedded_end import assert_ends
from server_process import ServerProcess
from sft import CHATS, SUMS, plain, sft, weights
from tiny_model import make_tiny_model
from transformers import AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainerControl, TrainerState

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Rejected
from guessbook.proto.events_pb2 import TrainerConnected
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_INTERRUPTED
from guessbook.store.home import Home
from guessbook.trainer import GuessbookCallback, trained_rows

# Both are said by peft or trl, of transformers that is newer than what they were written for.
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]
WAIT_S = 60.0
PROGRAM_S = 200.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


def collator(trainer_model: Path) -> Any:
    return DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(trainer_model))


def bodies(book: Guessbook, name: str) -> list[Any]:
    return [getattr(event, name) for event in book.read() if event.WhichOneof("body") == name]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def environment_of(server: ServerProcess) -> dict[str, str]:
    """For a program of its own that trains on that server's data folder."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "GUESSBOOK_HOME": str(server.home.root), "OMP_NUM_THREADS": "1"}


class At(TrainerCallback):
    """Does something after a step of somebody's training."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self._step, self._act = step, act

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == self._step:
            self._act()


# ---- it fills the book ----


def test_sft_fills_the_book_with_no_server_running(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUESSBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GUESSBOOK_ADDRESS", raising=False)
    home = Home.default()
    trainer = sft(model, tmp_path, [GuessbookCallback(snapshot_steps=[3])], save_strategy="steps", save_steps=3)
    trainer.train()
    with Guessbook() as book:
        run, (job,) = book.run(), book.jobs().jobs
        assert (job.state, job.external, job.name, job.error) == (JOB_STATE_COMPLETED, True, "sums", "")
        assert (run.step, run.total_steps, run.examples, run.tracked) == (6, 6, 12, 12)
        assert [(one.step, one.reason, one.complete) for one in run.snapshots] == [
            (0, "schedule", True),
            (3, "schedule", True),
            (6, "end", True),
        ]
        shown = {one.prompt: one.expected for one in book.examples().examples}
        assert shown == {row["prompt"]: row["completion"] for row in SUMS}
        assert [saved.step for saved in bodies(book, "checkpoint_saved")] == [3, 6]
        steps = bodies(book, "step_completed")
        assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
        for epoch in (steps[0:2], steps[2:4], steps[4:6]):  # each example once
            assert sorted(index for step in epoch for index in step.example_index) == list(range(12))
        assert all(0 < loss < 10 for step in steps for loss in step.example_loss)
        (logged, _) = trainer.state.log_history  # of steps 1 to 4, since logging_steps is 4
        assert sum(step.loss for step in steps[:4]) / 4 == pytest.approx(logged["loss"], rel=1e-4)
        assert steps[3].grad_norm == pytest.approx(logged["grad_norm"])
        assert [step.learning_rate for step in steps] == pytest.approx([0.01 * (6 - step) / 6 for step in range(6)])
        (version,) = book.versions().versions
        assert job.version == version.name
    assert (home.versions / "latest" / "adapter_model.safetensors").is_file()
    assert_ends(home)


def test_a_plain_trainer_of_all_weights_fills_it_too(model: Path, server: ServerProcess, tmp_path: Path) -> None:
    callback = GuessbookCallback(home=server.home.root, name="plain", tracked=5)
    trainer = plain(model, tmp_path, [callback], collator(model))
    trainer.train()
    with server.client() as book:
        run, (job,) = book.run(), book.jobs().jobs
        assert (job.name, job.state, run.tracked, run.version) == ("plain", JOB_STATE_COMPLETED, 5, "")
        assert run.trainable_parameters == run.parameters
        logs = [log for log in trainer.state.log_history if "loss" in log]
        steps = bodies(book, "step_completed")
        assert [step.loss for step in steps] == pytest.approx([log["loss"] for log in logs])
        assert [step.grad_norm for step in steps] == pytest.approx([log["grad_norm"] for log in logs])
        tokens = {index: len(SUMS[index]["completion"]) + 1 for index in range(12)}
        for step in steps:
            parts = [tokens[index] for index in step.example_index]
            mean = sum(part * loss for part, loss in zip(parts, step.example_loss, strict=True)) / sum(parts)
            assert step.loss == pytest.approx(mean, rel=1e-3)


def test_records_given_beside_a_chat_are_what_a_person_reads(
    model: Path, server: ServerProcess, tmp_path: Path
) -> None:
    held_out = [{"prompt": "What is 50+50? ", "completion": "100"}]
    callback = GuessbookCallback(home=server.home.root, dataset=CHATS, eval_dataset=held_out)
    sft(model, tmp_path, [callback], rows=CHATS, max_steps=2).train()
    with server.client() as book:
        assert {one.prompt for one in book.examples().examples} >= {"What is 3+3?"}
        assert all(len(step.example_index) == 6 for step in bodies(book, "step_completed"))
        (started,) = bodies(book, "run_started")
        assert (started.examples, started.held_out_examples, len(started.tracked)) == (12, 1, 12)
        assert [done.held_out for done in bodies(book, "snapshot_completed")] == [1, 1]
        assert book.run().held_out == 1


def test_a_version_of_the_best_checkpoint_says_so(model: Path, server: ServerProcess, tmp_path: Path) -> None:
    saving: dict[str, Any] = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}
    best: dict[str, Any] = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
    trainer = sft(model, tmp_path, [GuessbookCallback(home=server.home.root)], **saving, **best)
    trainer.train()  # its highest loss is at the beginning, so that is the best here
    assert trainer.state.best_global_step == 2
    with server.client() as book:
        losses = {step.step: step.loss for step in bodies(book, "step_completed")}
        (version,) = bodies(book, "version_created")
        assert (version.steps, version.final_loss, version.final_accuracy) == (2, losses[2], -1.0)
        assert version.baseline_accuracy >= 0
        assert book.run().step == 6


def test_of_too_many_rows_a_sample_is_recorded_and_all_are_trained(
    model: Path,
    server: ServerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(trained_rows, "MOST", 4)
    trainer = plain(model, tmp_path, [GuessbookCallback(home=server.home.root)], collator(model))
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert "of its rows 4 are recorded" in caplog.text
    assert "not the rows of the training data" not in caplog.text
    with server.client() as book:
        steps = bodies(book, "step_completed")
        assert sorted(index for step in steps for index in step.example_index) == [0, 1, 2, 3]
        assert {one.id for one in book.examples().examples} < {f"row-{place}" for place in range(12)}


def test_two_trainings_in_one_program_are_two_runs(model: Path, server: ServerProcess, tmp_path: Path) -> None:
    trainer = sft(model, tmp_path, [GuessbookCallback(home=server.home.root)], max_steps=1)
    trainer.train()
    trainer.train()
    with server.client() as book:
        assert [job.state for job in book.jobs().jobs] == [JOB_STATE_COMPLETED] * 2
        assert len({job.trainer for job in book.jobs().jobs}) == 1


def test_data_loaders_that_fork_are_not_in_its_way(model: Path, server: ServerProcess, tmp_path: Path) -> None:
    callback = GuessbookCallback(home=server.home.root)
    plain(model, tmp_path, [callback], collator(model), dataloader_num_workers=1, max_steps=2).train()
    with server.client() as book:
        assert book.jobs().jobs[0].state == JOB_STATE_COMPLETED


def test_the_program_in_the_documentation_fills_the_book(model: Path, server: ServerProcess, tmp_path: Path) -> None:
    (program,) = [block for block in python_blocks(ROOT / "docs" / "integrations.md") if "sys.argv" in block]
    (tmp_path / "capitals.py").write_text(program)
    environment = environment_of(server) | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "capitals.py", str(model)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=PROGRAM_S
    )
    assert done.returncode == 0, done.stderr
    with server.client() as book:
        run = book.run()
        assert (run.name, run.state, run.step) == ("capitals", JOB_STATE_COMPLETED, 12)
        assert [one.step for one in run.snapshots] == [0, 10, 12]
        assert run.report
        shown = {one.prompt: one.expected for one in book.examples().examples}
        assert shown["The capital of Peru is"] == " Lima"


# ---- it changes nothing ----


@pytest.mark.parametrize("lora", [True, False])
def test_weights_and_logs_are_the_same_with_and_without_it(
    model: Path, server: ServerProcess, tmp_path: Path, lora: bool
) -> None:
    def trained(callbacks: list[TrainerCallback]) -> tuple[Trainer, tuple[Any, ...]]:
        trainer = sft(model, tmp_path, callbacks, lora=lora)
        before = trainer.model.generation_config  # type: ignore[union-attr]
        trainer.train()
        assert trainer.model.generation_config is before  # type: ignore[union-attr]
        return trainer, random.getstate()

    alone, chance = trained([])
    watched, chance_watched = trained([GuessbookCallback(home=server.home.root, snapshot_steps=[1, 2, 3])])
    for (name, one), other in zip(weights(alone).items(), weights(watched).values(), strict=True):
        assert torch.equal(one, other), name
    assert chance == chance_watched
    for one_log, other_log in zip(alone.state.log_history[:-1], watched.state.log_history[:-1], strict=True):
        assert one_log == other_log  # the last one has the time it took
    with server.client() as book:
        assert [one.step for one in book.run().snapshots] == [0, 1, 2, 3, 6]


def test_a_trainer_without_a_tokenizer_trains_without_the_book(
    model: Path, server: ServerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = plain(model, tmp_path, [GuessbookCallback(home=server.home.root)], collator(model))
    trainer.callback_handler.processing_class = None
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert trainer.state.global_step == 4
    assert "Guessbook is off, training goes on: the trainer has no tokenizer" in caplog.text


def test_it_switches_itself_off_when_it_may_record_no_more(
    model: Path, server: ServerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client() as book:

        def take_its_place() -> None:
            (trainer,) = {job.trainer for job in book.jobs().jobs}
            with book.producer(trainer, tmp_path / "thief.sqlite") as thief:
                thief.wait_welcome(WAIT_S)

        known = At(4, lambda: until(lambda: "What was not sent is kept in the spool" in caplog.text))
        trainer = sft(model, tmp_path, [GuessbookCallback(home=server.home.root), At(2, take_its_place), known])
        trainer.train()
        assert trainer.state.global_step == 6
        assert "Guessbook is off, training goes on" in caplog.text
        assert len(bodies(book, "step_completed")) < 6


# ---- it can be steered ----


def test_a_stop_ends_it_and_a_snapshot_is_taken_and_a_pause_refused(
    model: Path, server: ServerProcess, tmp_path: Path
) -> None:
    with server.client() as book:

        def ask() -> None:
            with pytest.raises(Rejected, match="a program of its own"):
                book.pause()
            book.snapshot()

        callbacks = [GuessbookCallback(home=server.home.root), At(2, ask), At(30, book.stop)]
        trainer = sft(model, tmp_path, callbacks, max_steps=5000)
        trainer.train()
        (job,) = book.jobs().jobs
        assert 30 <= trainer.state.global_step < 5000
        assert job.state == JOB_STATE_COMPLETED
        assert book.run().step == trainer.state.global_step
        events = list(book.read())
        asked = {event.WhichOneof("body"): event.position for event in events if event.HasField("stop_requested")}
        (end,) = [event for event in events if event.HasField("job_completed")]
        assert end.causation == asked["stop_requested"]
        reasons = [one.reason for one in book.run().snapshots]
        assert "request" in reasons
        assert reasons[-1] == "end"


# ---- it ends before its end ----

PROGRAM = """
import sys
from pathlib import Path
from transformers import TrainerCallback
from guessbook.trainer import GuessbookCallback
from sft import sft

class Ends(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 2:
            {end}

sft(Path(sys.argv[1]), Path(sys.argv[2]), [GuessbookCallback(), Ends()]).train()
"""


def program(model: Path, server: ServerProcess, folder: Path, end: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(end=end), str(model), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment_of(server),
    )


def test_an_exception_in_training_is_why_the_job_failed(model: Path, server: ServerProcess, tmp_path: Path) -> None:
    with program(model, server, tmp_path, "raise ZeroDivisionError('too much sugar')") as training:
        output, _ = training.communicate(timeout=PROGRAM_S)
        assert training.returncode == 1, output
    with server.client() as book:
        (job,) = book.jobs().jobs
        assert (job.state, job.error) == (JOB_STATE_FAILED, "ZeroDivisionError: too much sugar")
        assert "Run the program again" in job.hint
        assert len(bodies(book, "step_completed")) == 2


def test_a_killed_program_leaves_an_interrupted_job_that_nobody_takes_up(
    model: Path, server: ServerProcess, tmp_path: Path
) -> None:
    with program(model, server, tmp_path, "print('here', flush=True); import time; time.sleep(60)") as training:
        assert training.stdout
        until(lambda: "here" in (training.stdout.readline() if training.stdout else ""))
        os.kill(training.pid, signal.SIGKILL)
    with server.client() as book:
        until(lambda: book.jobs().jobs[0].state == JOB_STATE_INTERRUPTED)
        assert book.status().queued == 0
        here = TrainerConnected(device="cpu")
        with book.producer("another", tmp_path / "another.sqlite", trainer=here) as producer:
            assert not book.lease("another", producer.wait_welcome(WAIT_S)).HasField("job")
