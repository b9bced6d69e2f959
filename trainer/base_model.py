"""The model a job starts from: a Hugging Face id, a local folder, a GGUF file or a merged version. Knows how it is found and loaded, not how it is trained."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePath

import torch
from huggingface_hub import constants, try_to_load_from_cache
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from guessbook.proto.history_pb2 import Version
from guessbook.store.artifacts import file_sha256
from guessbook.trainer.errors import UnusableModel, UnusableSetting
from guessbook.trainer.gguf import converted, tokenizer_folder

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
VERSION = "version/"  # before the name of a merged version


@dataclass(frozen=True)
class BaseModel:
    """`sha256`: of the GGUF file, or over the folder's *.safetensors files that are loaded; empty where there are none. `revision`: of a Hugging Face id, if one was named."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sha256: str
    revision: str = ""


def located(name: str, versions: Path) -> str:
    """What a job's base_model means here. `versions`: this data folder's, where a merged version lies.

    Older logs have the path that its folder had when the job was queued; where that is gone, the data folder has moved.
    """
    if name.startswith(VERSION):
        return str(versions / name.removeprefix(VERSION))
    path = PurePath(name)
    moved = versions / path.name
    if path.is_absolute() and path.parent.name == versions.name and not Path(path).exists() and moved.is_dir():
        return str(moved)
    return name


def load_base_model(name: str, dtype: str, base_models: Path, *, load_in_4bit: bool = False) -> BaseModel:
    """Loads model and tokenizer into memory. `name`: as `located` gives it; a Hugging Face id may end in `@REVISION`.

    Raises UnusableModel, UnusableSetting, with what to do.
    """
    if dtype not in DTYPES:
        raise UnusableModel(f"{dtype!r} is not a dtype to train in", f"Use one of {', '.join(DTYPES)}.")
    quantisation = _nf4(dtype) if load_in_4bit else None
    with _told(name):
        path = _on_disk(name)
        if path is None:
            source, revision = _on_hub(name)
            loaded = _load(source, dtype, "", quantisation, revision or "main")
            return BaseModel(loaded.model, loaded.tokenizer, _cached_sha256(source, revision or "main"), revision)
        if path.is_dir():
            return _load(str(path), dtype, weights_sha256(path), quantisation)
        folder, sha256 = converted(path, base_models)
        return _load(str(folder), dtype, sha256, quantisation)


def load_tokenizer(name: str, base_models: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that `load_base_model` gives, without its weights. Raises UnusableModel, with what to do."""
    with _told(name):
        path = _on_disk(name)
        if path is None:
            return _hub_tokenizer(*_on_hub(name))
        if path.is_dir():
            return _tokenizer(str(path))
        with tokenizer_folder(path, base_models) as folder:
            return _tokenizer(str(folder))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong with a model inside it is raised as UnusableModel, with what to do."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        raise UnusableModel(
            f"{name} can't be loaded as a causal language model: {error}",
            "base_model takes a Hugging Face id, a local folder or a .gguf file. Check its spelling, the network, or, for a gated model, "
            "`hf auth login`.",
        ) from error


def _on_disk(name: str) -> Path | None:
    """Its folder or .gguf file; None of a Hugging Face id. Raises UnusableModel for a path where there is nothing."""
    path = Path(name).expanduser()
    if path.is_dir() or (path.suffix == ".gguf" and path.is_file()):
        return path
    if path.suffix == ".gguf" or path.is_absolute() or name.startswith((".", "~")):
        raise UnusableModel(
            f"there is no model at {path}", "Check base_model; on the trainer's machine this path must exist."
        )
    return None


def _on_hub(name: str) -> tuple[str, str]:
    """A Hugging Face id, and the revision that it names; empty: none."""
    source, _, revision = name.partition("@")
    return source, revision


def require_same(base: BaseModel, name: str, version: Version) -> None:
    """That these are the weights that a version was made with, or, where it is a merged one, that it is made of. Raises UnusableModel.

    Of what was recorded without a hash nothing can be said.
    """
    own = version.HasField("consolidation")
    wanted = _hash_of((file.sha256, file.path) for file in version.files) if own else version.base_model_sha256
    if wanted and base.sha256 != wanted:
        told = f"has the SHA-256 {base.sha256}" if base.sha256 else "has no *.safetensors file"
        raise UnusableModel(
            f"{name} is not the model that {version.name} {'is' if own else 'was trained on'}: it {told}, and {wanted} was recorded",
            _relaid(name)
            if own
            else f"Put the model back that it was, or train without {version.name}. Nothing was changed.",
        )


def _relaid(folder: str) -> str:
    return f"Remove {folder} and start the server again: it lays the folder out anew, from the artifacts."


def _nf4(dtype: str) -> BitsAndBytesConfig:
    """Weights in 4 bits, sums in `dtype` (Dettmers et al. 2023, QLoRA). Raises UnusableSetting where that can't be."""
    if not torch.cuda.is_available():
        raise UnusableSetting(
            "load_in_4bit needs a GPU, and this trainer has none",
            "Submit it without load_in_4bit, or start a trainer on a GPU.",
        )
    if find_spec("bitsandbytes") is None:
        raise UnusableSetting(
            "load_in_4bit needs the library bitsandbytes, which this trainer does not have",
            "Install it (pip install bitsandbytes) and start the trainer again, or submit without load_in_4bit.",
        )
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=DTYPES[dtype])  # type: ignore[no-untyped-call]


def _load(
    source: str, dtype: str, sha256: str, quantisation: BitsAndBytesConfig | None, revision: str = "main"
) -> BaseModel:
    """`revision`: of a Hugging Face id; a folder has none."""
    tokenizer = _tokenizer(source, revision)
    settings = {"quantization_config": quantisation} if quantisation else {}
    model = AutoModelForCausalLM.from_pretrained(source, revision=revision, dtype=DTYPES[dtype], **settings)
    return BaseModel(model, tokenizer, sha256)


def _tokenizer(source: str, revision: str = "main") -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source, revision=revision)
    return tokenizer


def _hub_tokenizer(source: str, revision: str) -> PreTrainedTokenizerBase:
    try:
        return _tokenizer(source, revision or "main")
    except OSError as error:
        if not constants.HF_HUB_OFFLINE:
            raise
        raise UnusableModel(
            f"the tokenizer of {source} is not on this machine, and nothing may be downloaded",
            f"Check its spelling, or fetch it: hf download {source} --include '*.json' '*.jinja' 'tokenizer*'",
        ) from error


def weights_sha256(folder: Path) -> str:
    """One hash over the names and bytes of the *.safetensors files that are loaded, in order; empty if there are none."""
    return _hash_of((file_sha256(file), file.name) for file in _loaded_files(folder))


def _loaded_files(folder: Path) -> Iterable[Path]:
    """A hub's folder may get others besides, of another program's form: they change nothing."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    if index.is_file():
        return {folder / name for name in json.loads(index.read_text())["weight_map"].values()}
    return folder.glob("*.safetensors")


def _hash_of(files: Iterable[tuple[str, str]]) -> str:
    """`files`: SHA-256 and name of each."""
    named = sorted((name, sha256) for sha256, name in files if name.endswith(".safetensors") and "/" not in name)
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in named)
    return hashlib.sha256(lines.encode()).hexdigest() if named else ""


def _cached_sha256(name: str, revision: str) -> str:
    """The hash of a hub model's weights, as they lie in the local cache."""
    config = try_to_load_from_cache(name, "config.json", revision=revision)
    return weights_sha256(Path(config).parent) if isinstance(config, str) else ""
