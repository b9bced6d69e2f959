"""What a dataset looks like to its base model, before it is queued: the first rows as tokens, with those marked that are trained.

Knows the trainer's preview as a program that is asked in JSON, and its answer's form. Not tokenizers: that program has them, and ends with its answer.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TypedDict, cast

from google.protobuf.json_format import MessageToDict

from guessbook.clients.errors import GuessbookError, Invalid
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.home import Home

COMMAND = (sys.executable, "-m", "guessbook.trainer.preview")
NEEDS = ("torch", "transformers")
DEADLINE_S = 120.0  # beside a training that has all cores; alone it takes two or three
OFFLINE = {"HF_HUB_OFFLINE": "1"}  # looking at a dataset downloads nothing; the trainer does, when the job starts
ANSWER_LIMIT = 4 * 1024 * 1024  # bytes; the program cuts long texts itself and stays far below
LOG_TAIL = 2000  # bytes of what it said on its way
SAFE = "Nothing was queued, and your file is unchanged."
SHORTER = "Look at fewer or shorter rows, or submit it without a preview."


class Piece(TypedDict):
    """Text that is trained, or isn't. `left_out`: how many characters more there are."""

    text: str
    trained: bool
    left_out: int


class Row(TypedDict):
    """One example. `error` and `hint` are empty, or say why it can't be rendered; then the rest is empty.

    `tokens` are those that the model sees, `trained_tokens` are part of them. `cut`: it was longer than max_length;
    `answer_cut`: its answer lost its end. `templated`: the chat template was used; without, the text is trained as it is.
    """

    line: int
    id: str
    pieces: list[Piece]
    tokens: int
    trained_tokens: int
    cut: bool
    answer_cut: bool
    templated: bool
    error: str
    hint: str


class BadLine(TypedDict):
    line: int
    reason: str


class Memory(TypedDict):
    """What training takes, in bytes, if no connected trainer makes the server choose another dtype."""

    weights: float
    adapter: float
    activations: float
    logits: float
    total: float
    dtype: str
    batch_size: int


class Preview(TypedDict):
    """`chat_template`: whether the model has one. `template_source`: the file that holds it. `memory`: None where the model's shape is not known.

    `errors` are the first of the `error_count` lines that can't be read.
    """

    base_model: str
    chat_template: bool
    template_source: str
    max_length: int
    form: str
    examples: int
    errors: list[BadLine]
    error_count: int
    rows: list[Row]
    memory: Memory | None


async def preview_async(
    dataset: Path | Sequence[str],
    config: TrainingConfig,
    *,
    rows: int = 3,
    home: Home | None = None,
    deadline_s: float = DEADLINE_S,
) -> Preview:
    """The first `rows` examples of a file, or of lines of text, as `config.base_model` is trained on them. Starts a process that ends with its answer.

    `home`: the data folder, where converted and merged models lie. Nothing is downloaded. Raises Invalid where model, template or file can't be used,
    GuessbookError where there was no answer in time; cancelling it ends the process.
    """
    _require(config)
    source = {"path": str(dataset.absolute())} if isinstance(dataset, Path) else {"lines": list(dataset)}
    fields = MessageToDict(config, preserving_proto_field_name=True)
    asked = {**source, "config": fields, "rows": rows, "home": str((home or Home.default()).root)}
    with TemporaryFile() as request, TemporaryFile() as answer, TemporaryFile() as log:
        request.write(json.dumps(asked).encode())
        request.seek(0)
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=request, stdout=answer, stderr=log, env=os.environ | OFFLINE
        )
        try:
            async with asyncio.timeout(deadline_s):
                await process.wait()
        except TimeoutError as error:
            raise GuessbookError(f"there was no preview within {deadline_s:g} s", f"{SAFE} {SHORTER}") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _read(process.returncode, answer, log)


def preview(
    dataset: Path | Sequence[str],
    config: TrainingConfig,
    *,
    rows: int = 3,
    home: Home | None = None,
    deadline_s: float = DEADLINE_S,
) -> Preview:
    """As `preview_async`, for callers without an event loop."""
    return asyncio.run(preview_async(dataset, config, rows=rows, home=home, deadline_s=deadline_s))


def _require(config: TrainingConfig) -> None:
    if not config.base_model:
        raise Invalid(
            "no base model is named",
            "Name one, to see its tokens (--model): a Hugging Face id, a local folder or a .gguf file.",
        )
    if any(find_spec(name) is None for name in NEEDS):
        raise Invalid(
            "the trainer, which has the tokenizers, is not installed here",
            "Install it: pip install 'guessbook[trainer]'. Submitting works without.",
        )


def _read(code: int | None, answer: IO[bytes], log: IO[bytes]) -> Preview:
    """What the program said, or what it died of. Raises Invalid, GuessbookError."""
    answer.seek(0)
    said = answer.read(ANSWER_LIMIT + 1)
    if code or len(said) > ANSWER_LIMIT:
        log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
        tail = log.read().decode(errors="replace").strip()
        happened = f"its program ended with {code}:\n{tail}" if code else "its answer is too large"
        raise GuessbookError(f"the preview failed: {happened}", f"{SAFE} {SHORTER}")
    document = json.loads(said)
    if "error" in document:
        raise Invalid(document["error"], document["hint"])
    return cast(Preview, document)
