"""What somebody else's trainer trains on, as a dataset of the book and as the very tokens that are trained.

Knows rows, tokenizers and the dataset's forms, not models, not events and not where the dataset goes.
"""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from guessbook.store.dataset import Dataset, Example, detect, read_dataset
from guessbook.trainer.encoding import IGNORED, Encoded, Encoder
from guessbook.trainer.errors import UnusableExample
from guessbook.trainer.tracking import MOST

MOST_TOKENS = 50_000_000  # of all examples: they are held in memory, beside the training
LOOKED_AT = 1000  # rows that tell how long rows are
CHARACTERS = 4  # of a token, about, where a row is text

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Row:
    """One row's tokens up to the end of its last answer, and where that begins. `digest` is of the whole row, as it is in a batch."""

    place: int  # in the trainer's data
    tokens: Tokens
    answer: int
    digest: bytes


@dataclass
class TrainedRows:
    """The examples of a dataset file and their tokens, by index. The file is to be read with its bad lines left out.

    `digests`: of the tokens that each example has in training. `left_out`: rows that are not among the examples, since there are too many of them.
    """

    file: Path
    examples: list[Example]
    encoded: list[Encoded]
    digests: list[bytes]
    left_out: int = 0

    def __post_init__(self) -> None:
        self._indices: dict[bytes, list[int]] = defaultdict(list)
        for index, digest in enumerate(self.digests):
            self._indices[digest].append(index)

    def index_of(self, tokens: Tokens) -> int | None:
        """The example that is trained with exactly these tokens; None if there is none. Of several that are the same each has its turn."""
        indices = self._indices.get(_digest(tokens))
        if not indices:
            return None
        indices.append(indices.pop(0))
        return indices[-1]


def read_rows(
    rows: Sequence[Any], given: Sequence[Any] | None, encoder: Encoder, file: Path, seed: int = 0
) -> TrainedRows:
    """Writes the dataset to `file`, as JSON lines, and reads it back as the server will. Asks for one row at a time and keeps of it only what is needed.

    `rows` are the trainer's. With `input_ids`, and maybe `labels`, they are what is trained. Their texts are those of their other fields, if these are a
    known form, else the tokens decoded: the prompt is what isn't trained, the answer is what is. `given` are the records before they were made into `rows`,
    one for each; where they don't fit row by row, they are taken by themselves and encoded here. The first one tells the form of all.

    Of more than MOST rows or about MOST_TOKENS tokens it is a sample that the seed decides. An example of a sample that has no id of its own is named by
    its row: "row-17", counted from 0. Raises UnusableExample.
    """
    told = rows if given is None else given
    places = _sample(told, seed)
    own_places = places if len(rows) == len(told) else _sample(rows, seed)
    trained = _trained(rows, own_places)
    if len(told) and isinstance(told[0], Mapping) and detect(told[0]):
        found = _with_records(file, told, places, trained, encoder)
        found.left_out = len(told) - len(places)
    elif trained and any(trained):
        left_out = len(rows) - len(own_places)
        kept = [row for row in trained if row]
        paired = _paired(file, _decoded(kept, encoder, named=left_out > 0), kept, encoder)
        found = paired or _encoded(file, _decoded(kept, encoder, named=left_out > 0), encoder)
        found.left_out = left_out
    else:
        raise UnusableExample(
            f"the training data has {_fields(rows)}: neither input_ids nor a form that Guessbook knows",
            "Give the callback the records as they were before: GuessbookCallback(dataset=...).",
        )
    return found


def _sample(rows: Sequence[Any], seed: int) -> Sequence[int]:
    """The places of the rows that there is room for, ascending: all, or a sample. How long rows are is told by some of them."""
    chance = random.Random(seed)
    sizes = [_size(rows[place]) for place in chance.sample(range(len(rows)), min(len(rows), LOOKED_AT))]
    tokens = sum(size for size, _ in sizes)
    parts = sum(count for _, count in sizes)
    most = min(MOST_TOKENS * len(sizes) // max(tokens, 1), MOST * len(sizes) // max(parts, 1))
    if len(rows) <= max(most, 1):
        return range(len(rows))
    return sorted(chance.sample(range(len(rows)), max(most, 1)))


def _size(row: Any) -> tuple[int, int]:
    """How many tokens a row has, about, and how many examples."""
    if isinstance(row, Mapping) and "input_ids" in row:
        return len(row["input_ids"]), len(row.get("seq_lengths") or [0])
    return len(json.dumps(row, default=str)) // CHARACTERS, 1


def _with_records(
    file: Path, told: Sequence[Any], places: Sequence[int], trained: Sequence[_Row | None] | None, encoder: Encoder
) -> TrainedRows:
    named = len(places) < len(told)
    if trained is not None and len(trained) == len(places):
        rows = [row for row in trained if row]
        kept = [place for place, row in zip(places, trained, strict=True) if row]
        paired = _paired(file, _records(told, kept, encoder, named=named), rows, encoder) if rows else None
        if paired:
            return paired
    return _encoded(file, _records(told, places, encoder, named=named), encoder)


def _encoded(file: Path, records: Iterable[Any], encoder: Encoder) -> TrainedRows:
    """The records by themselves, with the tokens that a trainer of Guessbook's would make of them."""
    examples = _read_back(file, records).examples
    encoded = [encoder.encode(example) for example in examples]
    return TrainedRows(file, examples, encoded, [_digest(one.input_ids) for one in encoded])


def _paired(file: Path, records: Iterable[Any], rows: Sequence[_Row], encoder: Encoder) -> TrainedRows | None:
    """The records with the tokens of their rows; None if these aren't their rows."""
    dataset = _read_back(file, records)
    bad = {error.line for error in dataset.errors}
    kept = [row for line, row in enumerate(rows, start=1) if line not in bad]
    pairs = list(zip(dataset.examples, kept, strict=True))
    if not all(_fits(example, row, encoder) for example, row in pairs):
        return None
    encoded = [_look(example, row, encoder) for example, row in pairs]
    return TrainedRows(file, dataset.examples, encoded, [row.digest for row in kept])


def _read_back(file: Path, records: Iterable[Any]) -> Dataset:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record, default=str) + "\n" for record in records)
    dataset = read_dataset(file)
    if not dataset.examples:
        why = dataset.errors[0].reason if dataset.errors else "nothing of it is trained"
        raise UnusableExample(f"no row of the training data can be read as an example: {why}")
    return dataset


def _look(example: Example, row: _Row, encoder: Encoder) -> Encoded:
    """What a snapshot looks at: where a chat or a prompt is trained as a whole, its answer all the same."""
    if row.answer == 0 and (example.prompt or example.turns):
        return encoder.encode(example)
    # A causal model predicts from something: the first token of a text without a prompt is given, not guessed.
    return Encoded(example.index, row.tokens, max(row.answer, 1), truncated=False)


def _fits(example: Example, row: _Row, encoder: Encoder) -> bool:
    """Whether they say the same; either may be cut, and a row that is trained as a whole says more."""
    trained, expected = _text(row.tokens[row.answer :], encoder).strip(), example.expected.strip()
    return trained in expected or expected in trained


def _fields(rows: Sequence[Any]) -> str:
    named = len(rows) and isinstance(rows[0], Mapping)
    return f"the fields {', '.join(map(str, rows[0]))}" if named else "no fields"


# ---- tokens ----


def _trained(rows: Sequence[Any], places: Sequence[int]) -> list[_Row | None] | None:
    """The tokens of the rows at these places, None for one in which nothing is trained; None where rows have no tokens. A packed row is taken apart."""
    if not len(rows) or not isinstance(rows[0], Mapping) or "input_ids" not in rows[0]:
        return None
    return [part for place in places for part in _parts(place, rows[place])]


def _parts(place: int, row: Mapping[str, Any]) -> Iterator[_Row | None]:
    tokens = np.asarray(row["input_ids"], dtype=np.int32)
    labels = tokens if row.get("labels") is None else np.asarray(row["labels"])
    if row.get("attention_mask") is not None:
        shown = np.asarray(row["attention_mask"]) == 1
        tokens, labels = tokens[shown], labels[shown]
    ends = np.cumsum(row.get("seq_lengths") or [len(tokens)])[:-1]
    for part, label in zip(np.split(tokens, ends), np.split(labels, ends), strict=True):
        yield _row(place, part, label)


def _row(place: int, tokens: Tokens, labels: npt.NDArray[Any]) -> _Row | None:
    places = np.flatnonzero(labels != IGNORED)
    places = places[places > 0]  # nothing predicts the first token
    if not len(places):
        return None
    gaps = np.flatnonzero(np.diff(places) > 1)
    answer = int(places[gaps[-1] + 1] if len(gaps) else places[0])
    text = answer == 1 and labels[0] != IGNORED
    return _Row(place, tokens[: places[-1] + 1], 0 if text else answer, _digest(tokens))


def _digest(tokens: Tokens) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(tokens, dtype=np.int32).tobytes(), digest_size=16).digest()


# ---- texts ----


def _records(rows: Sequence[Any], places: Sequence[int], encoder: Encoder, *, named: bool) -> Iterator[dict[str, Any]]:
    """The fields of the rows at these places that are text or chats."""
    for place in places:
        row = rows[place]
        fields = row if isinstance(row, Mapping) else {}  # an empty line is a bad one, which is left out
        record = {name: _plain(value, encoder) for name, value in fields.items() if _is_text(value)}
        yield {"id": _name(place), **record} if named and not {"id", "guid"} & record.keys() else record


def _name(place: int) -> str:
    return f"row-{place}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _plain(value: Any, encoder: Encoder) -> Any:
    """A text without the EOS token that some trainers write behind it."""
    end = encoder.tokenizer.eos_token
    return value.removesuffix(end) if isinstance(value, str) and end else value


def _decoded(rows: Sequence[_Row], encoder: Encoder, *, named: bool) -> Iterator[dict[str, Any]]:
    """Text after text; what was decoded is not kept."""
    prompted = all(_text(row.tokens[: row.answer], encoder).strip() for row in rows)
    for row in rows:
        name = {"id": _name(row.place)} if named else {}
        if prompted:
            prompt, answer = row.tokens[: row.answer], row.tokens[row.answer :]
            yield {**name, "prompt": _text(prompt, encoder), "completion": _text(answer, encoder)}
        else:
            yield {**name, "text": _text(row.tokens, encoder)}


def _text(tokens: Tokens, encoder: Encoder) -> str:
    return str(encoder.tokenizer.decode(tokens.tolist(), skip_special_tokens=True))
