"""A job that starts from a version: its adapter is trained on, or its merged model is the base; the tree tells."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from server_process import ServerProcess
from trainer_thread import Working, submit

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid, NotFound
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, Version
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED
from guessbook.store.artifacts import Artifacts

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def trained(server: ServerProcess, book: Guessbook, model: Path, **config: object) -> Version:
    """A finished job's version."""
    submit(book, server.home, model, **({"lora_r": 4, "max_length": 64, "learning_rate": 1e-2} | config))
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    job = book.jobs().jobs[-1]
    assert job.state == JOB_STATE_COMPLETED, job
    return book.versions().versions[0]


def weights(server: ServerProcess, version: Version) -> dict[str, torch.Tensor]:
    (file,) = [file for file in version.files if file.path.endswith(".safetensors")]
    return load_file(Artifacts(server.home.artifacts).path(file.sha256))


def test_an_adapter_is_trained_on_and_a_merged_model_is_a_base(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    first = trained(server, book, model_folder)
    assert first.parent == ""
    assert first.base_model_sha256
    # So small a step that the second adapter must be all but the first one, unless it began anew.
    second = trained(server, book, model_folder, from_version="latest", learning_rate=1e-7, max_steps=1)
    assert second.parent == first.name
    before, after = weights(server, first), weights(server, second)
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-5) for name in before)
    run = book.run(second.run)
    assert run.config.from_version == first.name
    asked = book.request_operation("consolidate", "v2", reason="a base").operation
    with Working(server.home, book):
        for answer in book.subscribe(asked.position, [f"operation/{asked.id}"]):
            if any(event.HasField("operation_completed") for event in answer.events):
                break
    assert book.operations(id=asked.id).operations[0].stage == OPERATION_STAGE_COMPLETED
    submit(book, server.home, model_folder, base_model="", from_version="latest", max_length=64)
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    fourth = book.versions().versions[0]
    assert (fourth.number, fourth.parent) == (4, book.versions().versions[1].name)
    assert fourth.base_model == f"version/{fourth.parent}"


def test_a_job_goes_on_from_the_latest_version_unless_it_says_otherwise(
    server: ServerProcess, book: Guessbook, model_folder: Path
) -> None:
    first = trained(server, book, model_folder, max_steps=1)
    assert trained(server, book, model_folder, max_steps=1).parent == first.name
    alone = trained(server, book, model_folder, max_steps=1, from_version="base")
    assert alone.parent == ""
    assert trained(server, book, model_folder, max_steps=1, lora_r=3).parent == "", "another shape of adapter"


@pytest.mark.parametrize(
    ("config", "error", "told"),
    [
        ({"from_version": "v9"}, NotFound, "no version"),
        ({"from_version": "v1", "lora_r": 8}, Invalid, "lora_r is 8, and v001.* has 4"),
        ({"from_version": "v1", "base_model": "other"}, Invalid, "base_model is other"),
        ({"from_version": "v1", "lora_target_modules": ["q_proj"]}, Invalid, "all linear layers"),
    ],
)
def test_what_does_not_fit_the_version_is_refused(
    server: ServerProcess,
    book: Guessbook,
    model_folder: Path,
    config: dict[str, object],
    error: type[GuessbookError],
    told: str,
) -> None:
    trained(server, book, model_folder)
    with pytest.raises(error, match=told):
        submit(book, server.home, model_folder, **config)
