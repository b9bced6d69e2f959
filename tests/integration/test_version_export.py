"""A version that was exported, or lies behind the link `latest`, is loaded by PEFT and transformers alone."""

import json
from pathlib import Path

import pytest
import torch
from operations import carried_out
from peft import AutoPeftModelForCausalLM, PeftModel
from server_process import ServerProcess
from terminal import Terminal
from tiny_model import make_tiny_model
from trainer_thread import Working, submit
from transformers import AutoModelForCausalLM, PreTrainedModel

from guessbook.clients.client import Guessbook
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED

# peft still asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def logits(model: PreTrainedModel | PeftModel) -> torch.Tensor:
    with torch.no_grad():
        told: torch.Tensor = model(input_ids=torch.arange(4, 20)[None]).logits
    return told


def test_adapter_and_merged_model_are_loaded_without_guessbook(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    model = make_tiny_model(tmp_path / "model")
    submit(book, server.home, model, max_length=64, learning_rate=1e-2)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    with Working(server.home, book):
        assert carried_out(book, "consolidate", "v1").stage == OPERATION_STAGE_COMPLETED
    terminal = Terminal(server.home.root)
    for name in ("v1", "v2"):
        exported = terminal.json("version", "export", name, "--to", str(tmp_path / name))
        told = json.loads((tmp_path / name / "metadata.json").read_text())
        assert told["version"] == exported["version"]
    base = logits(AutoModelForCausalLM.from_pretrained(model))
    adapted = logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), tmp_path / "v1"))
    assert not torch.allclose(adapted, base, atol=1e-2)
    assert torch.equal(logits(AutoPeftModelForCausalLM.from_pretrained(tmp_path / "v1")), adapted)
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "v2")), adapted, atol=2e-3)
    assert carried_out(book, "rollback", "v1").stage == OPERATION_STAGE_COMPLETED
    latest = AutoPeftModelForCausalLM.from_pretrained(server.home.versions / "latest")
    assert torch.equal(logits(latest), adapted)
