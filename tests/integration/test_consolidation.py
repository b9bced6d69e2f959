"""A version merged by a real trainer, through the server: proved, or refused with nothing kept."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from operations import ENDS, carried_out
from peft import LoraConfig, PeftModel, get_peft_model
from server_process import ServerProcess
from trainer_thread import Working, submit
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from guessbook.clients.client import Guessbook
from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event, VersionCreated
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, OPERATION_STAGE_UNDONE
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.trainer import consolidation, daemon
from guessbook.trainer.consolidation import Consolidation, MergeRefused, merge
from guessbook.trainer.daemon import Leaving
from guessbook.trainer.version import store_adapter

# peft still asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

Merge = Callable[[PeftModel], PreTrainedModel]


def scaled(model: PeftModel) -> PreTrainedModel:
    for module in model.modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict):
            scaling.update({name: 1.1 * value for name, value in scaling.items()})
    return merge(model)


def skipped(model: PeftModel) -> PreTrainedModel:
    unloaded: PreTrainedModel = model.unload()
    return unloaded


def one_layer_missing(model: PeftModel) -> PreTrainedModel:
    weight = next(weight for name, weight in model.named_parameters() if "lora_B" in name)
    torch.nn.init.zeros_(weight)
    return merge(model)


def prepared(home: Home, model_folder: Path, **lora: Any) -> tuple[LeaseJobResponse, Version]:
    """An adapter that does something, as a version."""
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(model_folder)
    targets = ["q_proj", "v_proj", "up_proj", "down_proj"]
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM", **lora))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    artifacts = Artifacts(home.artifacts)
    rows = "".join(json.dumps({"question": f"{i}+{i}?", "answer": str(2 * i)}) + "\n" for i in range(20))
    version = Version(
        name="v001_20261122_sums",
        base_model=str(model_folder),
        dataset=artifacts.write([rows.encode()]),
        files=store_adapter(model, artifacts),
    )
    lease = LeaseJobResponse(run="run-0002")
    lease.job.config.max_length = 64
    return lease, version


@pytest.mark.parametrize("lora", [{}, {"use_rslora": True}, {"use_dora": True}], ids=["lora", "rslora", "dora"])
def test_a_right_merge_passes_its_proof(tmp_path: Path, model_folder: Path, lora: dict[str, bool]) -> None:
    home = Home(tmp_path)
    lease, version = prepared(home, model_folder, **lora)
    events: list[Event] = []
    Consolidation(lease, version, home, events.append).carry_out()
    created = events[-1].version_created
    proof = created.consolidation
    assert (created.parent, proof.examples, proof.same_guesses) == (version.name, 4, 4)
    assert proof.max_logit_difference <= proof.tolerance < proof.difference_from_base
    assert loaded(home, created).config.model_type == "llama"
    assert [path for path in home.root.iterdir() if path.name.startswith("guessbook-")] == []


def test_a_base_in_bfloat16_is_merged_in_float32_into_shards(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that the adapter was trained on in 4 bits is merged as it is stored."""
    home, half = Home(tmp_path / "home"), tmp_path / "half"
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.bfloat16)
    model.save_pretrained(half)
    AutoTokenizer.from_pretrained(model_folder).save_pretrained(half)
    lease, version = prepared(home, half)
    lease.job.config.dtype, lease.job.config.load_in_4bit = "bfloat16", True
    monkeypatch.setattr(consolidation, "SHARD", "40KB")
    events: list[Event] = []
    Consolidation(lease, version, home, events.append).carry_out()
    created = events[-1].version_created
    assert created.consolidation.max_logit_difference <= created.consolidation.tolerance
    assert len([file for file in created.files if file.path.endswith(".safetensors")]) > 1
    assert "model.safetensors.index.json" in [file.path for file in created.files]
    merged = loaded(home, created)
    assert {weight.dtype for weight in merged.parameters()} == {torch.float32}
    name = "model.layers.0.self_attn.q_proj.weight"
    weight = merged.get_parameter(name)
    assert not torch.equal(weight, weight.bfloat16().float()), "it would have lost what the adapter adds"
    assert torch.equal(
        merged.get_parameter(name.replace("q_proj", "k_proj")),
        model.get_parameter(name.replace("q_proj", "k_proj")).float(),
    )


def loaded(home: Home, created: VersionCreated) -> PreTrainedModel:
    """A merged version, from its files in the artifacts alone."""
    folder = home.root / "merged"
    for file in created.files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Artifacts(home.artifacts).verified_path(file.sha256).read_bytes())
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder)
    return model


@pytest.mark.parametrize("wrong", [scaled, skipped, one_layer_missing])
def test_a_wrong_merge_is_refused_and_nothing_is_kept(tmp_path: Path, model_folder: Path, wrong: Merge) -> None:
    home = Home(tmp_path)
    lease, version = prepared(home, model_folder)
    before = sorted(path for path in home.artifacts.rglob("*") if path.is_file())
    events: list[Event] = []
    with pytest.raises(MergeRefused, match="is not base and adapter"):
        Consolidation(lease, version, home, events.append, wrong).carry_out()
    assert [event.WhichOneof("body") for event in events] == ["job_started"]
    assert sorted(path for path in home.artifacts.rglob("*") if path.is_file()) == before


def test_through_server_and_trainer(
    server: ServerProcess, book: Guessbook, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First a wrong merge, which is undone; then a right one, which becomes the latest."""
    submit(book, server.home, model_folder, learning_rate=1e-2, max_length=64)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    (adapter,) = book.versions().versions
    monkeypatch.setattr(daemon, "Consolidation", partial(Consolidation, merge=skipped))
    with Working(server.home, book):
        undone = carried_out(book, "consolidate", "latest")
    assert undone.stage == OPERATION_STAGE_UNDONE
    assert "the merge was refused" in undone.error
    assert [version.name for version in book.versions().versions] == [adapter.name]
    monkeypatch.undo()
    with Working(server.home, book):
        done = carried_out(book, "consolidate", "latest")
    assert done.stage == OPERATION_STAGE_COMPLETED, done
    merged = book.versions().versions[0]
    assert (merged.parent, merged.latest) == (adapter.name, True)
    assert os.readlink(server.home.versions / "latest") == merged.name
    model = AutoModelForCausalLM.from_pretrained(server.home.versions / merged.name)
    assert model.config.model_type == "llama"
    told = json.loads(merged.metadata)
    assert told["consolidation"]["same_guesses"] == told["consolidation"]["examples"] == 4


class CutOff(Consolidation):
    """Its trainer ends as soon as the merged version is recorded."""

    def carry_out(self) -> str:
        super().carry_out()
        raise Leaving


def test_a_trainer_that_ends_before_it_could_say_so_merges_once(
    server: ServerProcess, book: Guessbook, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(book, server.home, model_folder, learning_rate=1e-2, max_length=64)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    asked = book.request_operation("consolidate", "latest", reason="to serve it").operation
    for answer in book.subscribe(asked.position, ["job/"]):
        if any(event.job_queued.consolidate for event in answer.events):
            break
    monkeypatch.setattr(daemon, "Consolidation", CutOff)
    with Working(server.home, book) as trainer:
        trainer.join()
    monkeypatch.undo()
    assert len(book.versions().versions) == 2
    with Working(server.home, book):
        for answer in book.subscribe(asked.position, [f"operation/{asked.id}"]):
            if any(event.WhichOneof("body") in ENDS for event in answer.events):
                break
    assert book.operations(id=asked.id).operations[0].stage == OPERATION_STAGE_COMPLETED
    assert len(book.versions().versions) == 2
