"""How a dataset's first rows reach the model: their tokens as text, with those marked that are trained. A program, asked and answering in JSON.

Knows the encoding that training uses, and the shape of the model, never its weights. Doesn't know who asks, a server or a log.

    python -m guessbook.trainer.preview < request.json

The request: {"path": FILE or "lines": [TEXT, ...], "config": fields of TrainingConfig, "rows": 3, "home": DATA FOLDER}. The answer is the document that
clients/preview.py describes, or {"error", "hint"}. With HF_HUB_OFFLINE=1 nothing is downloaded.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from huggingface_hub import try_to_load_from_cache
from transformers import PreTrainedTokenizerBase

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.dataset import Dataset, Example, LineError, read_dataset
from guessbook.store.home import Home
from guessbook.trainer import memory_estimate
from guessbook.trainer.base_model import load_tokenizer, located
from guessbook.trainer.encoding import IGNORED, Collator, Encoded, Encoder
from guessbook.trainer.errors import TrainingError, UnusableExample, UnusableSetting

# What the server gives a job that doesn't say, as far as it matters here; a test compares them.
ASSUMED = TrainingConfig(max_length=1024, per_device_train_batch_size=4, lora_r=16, dtype="float32")
ROWS, ROWS_MOST = 3, 20
PIECE_LIMIT = 4000  # characters
ERRORS_LISTED = 20
TEMPLATE = "chat_template.jinja"


def preview(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request. Raises TrainingError, which says what can't be used and what to do."""
    config = _config(request)
    home = Home(Path(request["home"])) if "home" in request else Home.default()
    dataset, lines = _dataset(request)
    name = located(config.base_model, home.versions)
    tokenizer = load_tokenizer(name, home.base_models)
    encoder = Encoder(tokenizer, config.max_length)
    count = max(0, min(request.get("rows", ROWS), ROWS_MOST))
    shown = islice(zip(dataset.examples, lines, strict=True), count)
    return {
        "base_model": config.base_model,
        "chat_template": bool(tokenizer.chat_template),
        "template_source": _template_source(name, tokenizer),
        "max_length": config.max_length,
        "form": dataset.form,
        "examples": len(dataset.examples),
        "errors": [{"line": error.line, "reason": error.reason} for error in dataset.errors[:ERRORS_LISTED]],
        "error_count": len(dataset.errors),
        "rows": [_row(encoder, example, line) for example, line in shown],
        "memory": _memory(config, name, dataset.examples),
    }


def _config(request: dict[str, Any]) -> TrainingConfig:
    config = TrainingConfig()
    config.CopyFrom(ASSUMED)
    try:
        config.MergeFrom(ParseDict(request.get("config", {}), TrainingConfig()))
    except ParseError as error:
        raise UnusableSetting(f"the config can't be read: {error}", "Mend that field.") from error
    if not config.base_model:
        raise UnusableSetting("no base model is named", "Name one: a Hugging Face id, a local folder or a .gguf file.")
    return config


def _dataset(request: dict[str, Any]) -> tuple[Dataset, list[int]]:
    """What a file, or lines of one, hold, and the line of each example."""
    if "path" in request:
        return _read(Path(request["path"]))
    with tempfile.TemporaryDirectory(prefix="guessbook-") as folder:
        file = Path(folder) / "lines.jsonl"
        file.write_bytes(b"".join(line.encode(errors="surrogatepass") + b"\n" for line in request["lines"]))
        return _read(file)


def _read(file: Path) -> tuple[Dataset, list[int]]:
    try:
        dataset = read_dataset(file)
        with file.open("rb") as lines:
            return dataset, list(_lines(lines, dataset.errors))
    except OSError as error:
        raise UnusableExample(
            f"{file} can't be read: {error.strerror}", "Give a JSONL file of this machine."
        ) from error


def _lines(file: Iterator[bytes], errors: list[LineError]) -> Iterator[int]:
    """The numbers of the lines that are examples: neither blank nor an error."""
    bad = {error.line for error in errors}
    return (number for number, line in enumerate(file, start=1) if line.strip() and number not in bad)


def _row(encoder: Encoder, example: Example, line: int) -> dict[str, Any]:
    row = {"line": line, "id": example.id, "templated": bool(example.turns and encoder.tokenizer.chat_template)}
    try:
        encoded = encoder.encode(example)
    except UnusableExample as error:
        nothing = {"pieces": [], "tokens": 0, "trained_tokens": 0, "cut": False, "answer_cut": False}
        return {**row, **nothing, "error": str(error), "hint": error.hint}
    trained = _trained(encoder, encoded)
    return {
        **row,
        "pieces": list(_pieces(encoder, encoded, trained)),
        "tokens": len(trained),
        "trained_tokens": sum(trained),
        "cut": encoded.truncated,
        "answer_cut": encoded.answer_cut,
        "error": "",
        "hint": "",
    }


def _trained(encoder: Encoder, encoded: Encoded) -> list[bool]:
    """Of each token whether it is trained: by the labels of the batch that training would make of it."""
    labels = Collator(encoder.pad_id)([encoded])["labels"][0]
    return [label != IGNORED for label in labels.tolist()]


def _pieces(encoder: Encoder, encoded: Encoded, trained: list[bool]) -> Iterator[dict[str, Any]]:
    before, end = "", 0
    for mark, group in groupby(trained):
        begin, end = end, end + len(list(group))
        # Some tokenizers write a space before a word only if there is something before it.
        whole = _text(encoder, encoded, 0, end)
        text = whole.removeprefix(before) if whole.startswith(before) else _text(encoder, encoded, begin, end)
        before = whole
        yield {"text": text[:PIECE_LIMIT], "trained": mark, "left_out": max(0, len(text) - PIECE_LIMIT)}


def _text(encoder: Encoder, encoded: Encoded, begin: int, end: int) -> str:
    ids = encoded.input_ids[begin:end].tolist()
    return str(encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def _template_source(name: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """The file that the chat template comes from; empty if there is none."""
    if not tokenizer.chat_template:
        return ""
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        return path.name
    if path.is_dir():
        apart = (path / TEMPLATE).is_file()
    else:
        source, _, revision = name.partition("@")
        apart = isinstance(try_to_load_from_cache(source, TEMPLATE, revision=revision or None), str)
    return TEMPLATE if apart else "tokenizer_config.json"


def _memory(config: TrainingConfig, name: str, examples: list[Example]) -> dict[str, Any] | None:
    told = memory_estimate.of_job(config, name, examples)
    if told is None:
        return None
    return {
        **vars(told),
        "total": told.total,
        "dtype": config.dtype,
        "batch_size": config.per_device_train_batch_size,
    }


def main() -> None:
    with redirect_stdout(sys.stderr):  # libraries print; standard output is the answer
        try:
            answer = preview(json.load(sys.stdin))
        except TrainingError as error:
            answer = {"error": str(error), "hint": error.hint}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
