"""Registered base models: the revision of a hub's model is what jobs train."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_events import write_questions
from operations import carried_out
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED
from guessbook.trainer.base_model import weights_sha256


def test_a_revision_of_a_hub_model_is_what_is_loaded(tmp_path: Path) -> None:
    """From a cache as the hub's client keeps it, without a network."""
    repository = tmp_path / "hub" / "models--org--tiny"
    hashes = {}
    for number, (revision, commit) in enumerate({"main": "a" * 40, "other": "b" * 40}.items()):
        folder = make_tiny_model(repository / "snapshots" / commit, seed=number)
        hashes[revision] = weights_sha256(folder)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / revision).write_text(commit)
    told = (
        "import sys; from pathlib import Path; from guessbook.trainer.base_model import load_base_model\n"
        "for name in sys.argv[2:]:\n"
        "    base = load_base_model(name, 'float32', Path(sys.argv[1])); print(base.sha256, base.revision or '-')"
    )
    command = [sys.executable, "-c", told, str(tmp_path), "org/tiny", "org/tiny@other"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [hashes["main"], "-", hashes["other"], "other"]


def test_jobs_that_name_no_base_model_train_the_revision_that_is_in_use(book: Guessbook, tmp_path: Path) -> None:
    book.add_base_model("mine", "org/tiny", "other")
    assert carried_out(book, "switch-base-model", "mine").stage == OPERATION_STAGE_COMPLETED
    job = book.submit(write_questions(tmp_path / "sums.jsonl", 2), config=TrainingConfig()).job
    assert job.config.base_model == "org/tiny@other"
    with pytest.raises(Invalid, match="no revision"):
        book.add_base_model("local", str(make_tiny_model(tmp_path / "model")), "other")
