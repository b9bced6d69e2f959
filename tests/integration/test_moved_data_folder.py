"""What was trained on a merged model, when the data folder lies elsewhere; and what was trained on a base model that has changed since."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from eventually import eventually
from operations import carried_out
from server_process import ServerProcess
from tiny_model import make_tiny_model
from trainer_thread import Working, submit

from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_FAILED, Version
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, OPERATION_STAGE_UNDONE

# peft still asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

SHORT = {"max_steps": 2, "max_length": 64, "learning_rate": 1e-2, "snapshots": False}


def train(server: ServerProcess, book: Guessbook, model: Path, **config: object) -> Version:
    """A finished job's version."""
    submit(book, server.home, model, **(SHORT | config))
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    job = book.jobs().jobs[0]
    assert job.state == JOB_STATE_COMPLETED, job
    return book.versions().versions[0]


def test_versions_and_jobs_on_a_merged_model_go_on_in_another_folder(tmp_path: Path) -> None:
    model, old, new, place = (tmp_path / name for name in ("model", "old", "new", "place"))
    make_tiny_model(model)
    with ServerProcess(old) as server, server.client() as book:
        train(server, book, model)
        with Working(server.home, book):
            assert carried_out(book, "consolidate", "v1").stage == OPERATION_STAGE_COMPLETED
        third = train(server, book, model, base_model="", from_version="v2")
        waiting = submit(book, server.home, model, **(SHORT | {"base_model": "", "from_version": "v3"}))
        assert not book.create_backup().problems
        shutil.copytree(server.home.backups, place)
    shutil.rmtree(old)
    assert str(old) not in third.base_model

    command = [sys.executable, "-m", "guessbook.clients.cli.main", "backup", "restore", "latest"]
    command += ["--place", str(place), "--to", str(new), "--reason", "another disk"]
    restored = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert restored.returncode == 0, restored.stderr
    with ServerProcess(new) as server, server.client() as book:
        with Working(server.home, book, once=True) as trainer:
            trainer.join()
        job = next(job for job in book.jobs().jobs if job.id == waiting)
        assert job.state == JOB_STATE_COMPLETED, job
        assert book.versions().versions[0].parent == third.name
        with Working(server.home, book):
            assert carried_out(book, "consolidate", third.name).stage == OPERATION_STAGE_COMPLETED


def test_what_was_trained_on_a_base_model_is_not_put_on_another(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    model = make_tiny_model(tmp_path / "model")
    first = train(server, book, model)
    make_tiny_model(model, seed=1)
    with Working(server.home, book):
        undone = carried_out(book, "consolidate", "v1")
    assert undone.stage == OPERATION_STAGE_UNDONE
    assert f"{model} is not the model that {first.name} was trained on" in undone.error
    assert first.base_model_sha256 in undone.error
    submit(book, server.home, model, **(SHORT | {"from_version": "v1"}))
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    job = book.jobs(states=[JOB_STATE_FAILED]).jobs[0]
    assert "is not the model" in job.error
    assert first.name in job.hint


def test_a_merged_models_folder_that_was_changed_is_not_trained_on(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    model = make_tiny_model(tmp_path / "model")
    train(server, book, model)
    with Working(server.home, book):
        assert carried_out(book, "consolidate", "v1").stage == OPERATION_STAGE_COMPLETED
    merged = book.versions().versions[0]
    (weights,) = eventually(lambda: list((server.home.versions / merged.name).glob("*.safetensors")))
    weights.write_bytes((model / "model.safetensors").read_bytes())
    submit(book, server.home, model, **(SHORT | {"base_model": "", "from_version": "v2"}))
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    job = book.jobs(states=[JOB_STATE_FAILED]).jobs[0]
    assert f"is not the model that {merged.name} is" in job.error
    assert "lays the folder out anew" in job.hint
