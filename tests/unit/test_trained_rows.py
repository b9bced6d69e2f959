"""What somebody else's rows become: examples that a person can read, and exactly the tokens that are trained."""

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from tiny_model import END, START, make_tiny_tokenizer
from transformers import PreTrainedTokenizerFast

from guessbook.trainer import trained_rows
from guessbook.trainer.encoding import IGNORED, Encoder
from guessbook.trainer.errors import UnusableExample
from guessbook.trainer.trained_rows import TrainedRows, read_rows

TOKENIZER: PreTrainedTokenizerFast = make_tiny_tokenizer()
ENCODER = Encoder(TOKENIZER, 256)
Row = dict[str, Any]


def ids(text: str) -> list[int]:
    found: list[int] = TOKENIZER(text, add_special_tokens=False).input_ids
    return found


def row(*parts: tuple[str, bool], end: bool = True) -> Row:
    """A tokenized row of parts, each trained or not; an EOS behind a trained one."""
    tokens: list[int] = []
    labels: list[int] = []
    for text, trained in parts:
        part = ids(text) + ([ENCODER.stop_ids[-1]] if trained and end else [])
        tokens += part
        labels += part if trained else [IGNORED] * len(part)
    return {"input_ids": tokens, "labels": labels}


def read(folder: Path, rows: list[Row], given: list[Row] | None = None) -> TrainedRows:
    return read_rows(rows, given, ENCODER, folder / "rows.jsonl")


def test_prompt_and_answer_are_decoded_from_what_is_trained(tmp_path: Path) -> None:
    rows = [row((f"{i}+{i}=", False), (str(2 * i), True)) for i in range(3)]
    found = read(tmp_path, rows)
    assert [(one.prompt, one.expected) for one in found.examples] == [("0+0=", "0"), ("1+1=", "2"), ("2+2=", "4")]
    for one, given in zip(found.encoded, rows, strict=True):
        assert one.input_ids.tolist() == given["input_ids"]
        assert one.prompt_length == 4
        assert found.index_of(np.array(given["input_ids"])) == one.index
    assert found.index_of(np.array([1, 2])) is None


def test_rows_that_are_the_same_take_turns(tmp_path: Path) -> None:
    rows = [row(("a=", False), ("b", True))] * 2 + [row(("c=", False), ("d", True))]
    found = read(tmp_path, rows)
    tokens = np.array(rows[0]["input_ids"])
    assert [found.index_of(tokens) for _ in range(3)] == [0, 1, 0]
    assert len({one.id for one in found.examples}) == 3


def test_text_that_is_trained_as_a_whole_has_no_prompt(tmp_path: Path) -> None:
    found = read(tmp_path, [{"input_ids": ids("once upon a time")}, row(("and then", True))])
    assert [(one.prompt, one.expected) for one in found.examples] == [("", "once upon a time"), ("", "and then")]
    assert [one.prompt_length for one in found.encoded] == [1, 1]


def test_of_several_answers_the_last_is_expected(tmp_path: Path) -> None:
    given = row(("hi ", False), ("hello", True), (" 1+1? ", False), ("2", True), ("  ", False))
    found = read(tmp_path, [given])
    (example,), (encoded,) = found.examples, found.encoded
    assert (example.prompt, example.expected) == ("hi hello 1+1? ", "2")
    assert encoded.input_ids.tolist() == given["input_ids"][:-2]  # nothing is expected behind the answer
    assert found.index_of(np.array(given["input_ids"])) == 0


def test_own_fields_of_a_known_form_are_what_a_person_reads(tmp_path: Path) -> None:
    tokens = row(("Q: 1+1? A: ", False), ("2", True))
    given = {"prompt": "1+1?", "completion": f"2{TOKENIZER.eos_token}", "id": "one", "category": "sums", **tokens}
    (example,) = read(tmp_path, [given]).examples
    assert (example.prompt, example.expected, example.id, example.category) == ("1+1?", "2", "one", "sums")


def test_records_given_beside_are_paired_with_their_rows(tmp_path: Path) -> None:
    rows = [row((f"<{i}>", False), (f"answer {i}", True)) for i in range(2)]
    records = [{"question": f"number {i}?", "answer": f"answer {i}"} for i in range(2)]
    found = read(tmp_path, rows, records)
    assert [one.prompt for one in found.examples] == ["number 0?", "number 1?"]
    assert found.encoded[1].input_ids.tolist() == rows[1]["input_ids"]
    for others in (records[::-1], records[:1]):  # in another order, or fewer: taken by themselves
        alone = read(tmp_path, rows, others)
        assert [one.prompt for one in alone.examples] == [record["question"] for record in others]
        assert alone.index_of(np.array(rows[0]["input_ids"])) is None


def test_a_chat_that_is_trained_as_a_whole_is_looked_at_by_its_answer(tmp_path: Path) -> None:
    chat = {"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]}
    whole = ids(f"{START}user\n1+1?{END}\n{START}assistant\n2{END}\n")
    found = read(tmp_path, [{"input_ids": whole, "labels": whole}], [chat])
    (example,), (encoded,) = found.examples, found.encoded
    assert (example.prompt, example.expected) == ("1+1?", "2")
    assert encoded.input_ids[encoded.prompt_length :].tolist() == ids(f"2{END}")
    assert found.index_of(np.array(whole)) == 0


def test_a_packed_row_is_taken_apart(tmp_path: Path) -> None:
    parts = [row(("a=", False), ("1", True)), row(("b=", False), ("22", True))]
    packed = {name: parts[0][name] + parts[1][name] for name in ("input_ids", "labels")}
    packed["seq_lengths"] = [len(part["input_ids"]) for part in parts]
    found = read(tmp_path, [packed])
    assert [(one.prompt, one.expected) for one in found.examples] == [("a=", "1"), ("b=", "22")]


def test_padding_and_rows_without_anything_trained_are_left_out(tmp_path: Path) -> None:
    good = row(("a=", False), ("1", True))
    padded = {"input_ids": [0, 0, *good["input_ids"]], "labels": [IGNORED, IGNORED, *good["labels"]]}
    padded["attention_mask"] = [0, 0] + [1] * len(good["input_ids"])
    found = read(tmp_path, [row(("nothing", False)), padded])
    assert [one.prompt for one in found.examples] == ["a="]
    assert found.encoded[0].input_ids.tolist() == good["input_ids"]


def test_rows_that_nobody_can_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(UnusableExample, match="the fields pixels") as told:
        read(tmp_path, [{"pixels": [1, 2]}])
    assert "dataset=" in told.value.hint
    with pytest.raises(UnusableExample):
        read(tmp_path, [])


class OneAtATime:
    """Rows that are made when they are asked for, and the most of them that were there at once."""

    class Made(dict[str, Any]):
        """A row that can be referred to weakly."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._made: list[weakref.ref[OneAtATime.Made]] = []
        self.most = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Row:
        made = self.Made(row((f"{place}=", False), (str(place), True)))
        self._made = [one for one in self._made if one() is not None] + [weakref.ref(made)]
        self.most = max(self.most, len(self._made))
        return made


def test_one_row_is_in_memory_at_a_time(tmp_path: Path) -> None:
    rows = OneAtATime(200)
    found = read_rows(cast(Sequence[Row], rows), None, ENCODER, tmp_path / "rows.jsonl")
    assert [one.expected for one in found.examples] == [str(place) for place in range(200)]
    assert found.left_out == 0
    assert rows.most <= 2  # the next one is made while the one before has its name still


@pytest.mark.parametrize(("limit", "value"), [("MOST", 40), ("MOST_TOKENS", 400)])
@pytest.mark.parametrize("texts", [False, True])
def test_of_too_many_rows_a_sample_keeps_the_places_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, texts: bool
) -> None:
    monkeypatch.setattr(trained_rows, limit, value)
    rows = [row((f"{place:03}=", False), (f"<{place:03}>", True)) for place in range(200)]  # 10 tokens each
    given = [{"prompt": f"{place:03}=", "completion": f"<{place:03}>"} for place in range(200)] if texts else None
    found = read_rows(rows, given, ENCODER, tmp_path / "rows.jsonl", seed=1)
    places = [int(one.id.removeprefix("row-")) for one in found.examples]
    assert found.left_out == 200 - len(places)
    assert 20 <= len(places) <= 60
    assert places == sorted(set(places))
    for example, place in zip(found.examples, places, strict=True):
        assert example.expected == f"<{place:03}>"
        assert found.index_of(np.array(rows[place]["input_ids"])) == example.index
    left_out = next(place for place in range(200) if place not in places)
    assert found.index_of(np.array(rows[left_out]["input_ids"])) is None
    again = read_rows(rows, given, ENCODER, tmp_path / "rows.jsonl", seed=1)
    other = read_rows(rows, given, ENCODER, tmp_path / "rows.jsonl", seed=2)
    assert [one.id for one in again.examples] == [one.id for one in found.examples]
    assert [one.id for one in other.examples] != [one.id for one in found.examples]
