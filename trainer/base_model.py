"""The model a job starts from: a Hugging Face id, a local folder or a GGUF file. Knows how it is found and loaded, not how it is trained."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from guessbook.store.artifacts import file_sha256
from guessbook.trainer.errors import UnusableModel
from guessbook.trainer.gguf import converted

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class BaseModel:
    """`sha256`: of the GGUF file, or over the folder's *.safetensors files; empty where there are none."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sha256: str


def load_base_model(name: str, dtype: str, base_models: Path) -> BaseModel:
    """Loads model and tokenizer into memory. Raises UnusableModel, with what to do."""
    if dtype not in DTYPES:
        raise UnusableModel(f"{dtype!r} is not a dtype to train in", f"Use one of {', '.join(DTYPES)}.")
    path = Path(name).expanduser()
    try:
        if path.suffix == ".gguf" and path.is_file():
            folder, sha256 = converted(path, base_models)
            return _load(str(folder), dtype, sha256)
        if path.is_dir():
            return _load(str(path), dtype, weights_sha256(path))
        if path.suffix == ".gguf" or path.is_absolute() or name.startswith((".", "~")):
            raise UnusableModel(
                f"there is no model at {path}", "Check base_model; on the trainer's machine this path must exist."
            )
        loaded = _load(name, dtype, "")
        return BaseModel(loaded.model, loaded.tokenizer, _cached_sha256(name))
    except (OSError, ValueError, ImportError) as error:
        raise UnusableModel(
            f"{name} can't be loaded as a causal language model: {error}",
            "base_model takes a Hugging Face id, a local folder or a .gguf file. Check its spelling, the network, or, for a gated model, "
            "`hf auth login`.",
        ) from error


def _load(source: str, dtype: str, sha256: str) -> BaseModel:
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=DTYPES[dtype])
    return BaseModel(model, tokenizer, sha256)


def weights_sha256(folder: Path) -> str:
    """One hash over the names and bytes of all *.safetensors files in order; empty if there are none."""
    files = sorted(folder.glob("*.safetensors"))
    lines = "".join(f"{file_sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest() if files else ""


def _cached_sha256(name: str) -> str:
    """The hash of a hub model's weights, as they lie in the local cache."""
    config = try_to_load_from_cache(name, "config.json")
    return weights_sha256(Path(config).parent) if isinstance(config, str) else ""
