"""GGUF files as plain Hugging Face folders. Knows GGUF through transformers alone.

What transformers loads from a GGUF file is marked as quantized and refuses to be saved or trained as a plain model, so its weights are put
into a fresh model, once, and kept beside the other base models.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guessbook.store.artifacts import file_sha256, sync_folder
from guessbook.trainer.durable import sync_tree

_log = logging.getLogger(__name__)


def converted(file: Path, base_models: Path) -> tuple[Path, str]:
    """The folder a GGUF file was converted into, now or before, and the SHA-256 of the file."""
    folder, sha256 = _place(file, base_models)
    if not folder.is_dir():
        _log.info("Converting %s, once.", file.name)
        base_models.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", suffix=".tmp", dir=base_models))
        try:
            _convert(file, temporary)
            temporary.chmod(0o755)
            sync_tree(temporary)
            temporary.rename(folder)
            sync_folder(base_models)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder, sha256


@contextmanager
def tokenizer_folder(file: Path, base_models: Path) -> Iterator[Path]:
    """A folder with the tokenizer that conversion gives: the one it was converted into, else one for now."""
    folder, _ = _place(file, base_models)
    if folder.is_dir():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="guessbook-") as temporary:
        _convert_tokenizer(file, Path(temporary))
        yield Path(temporary)


def _place(file: Path, base_models: Path) -> tuple[Path, str]:
    """Where a GGUF file's conversion lies or will lie, and its SHA-256."""
    sha256 = file_sha256(file)
    return base_models / f"{file.stem}-{sha256[:12]}", sha256


def _convert_tokenizer(file: Path, folder: Path) -> None:
    """With its chat template."""
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def _convert(file: Path, folder: Path) -> None:
    """Weights, widened to float32, and the tokenizer."""
    _convert_tokenizer(file, folder)
    loaded = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # its weights are assigned below, so none are made up
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    plain.load_state_dict(loaded.state_dict(), assign=True)
    plain.generation_config = loaded.generation_config
    plain.save_pretrained(folder)
