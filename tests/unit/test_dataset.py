"""Every form of dataset is read, and every line that can't be is named with its reason."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guessbook.store.dataset import Turn, read_dataset

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4"},
]

FORMS = [
    ({"prompt": "2+2=", "completion": "4"}, "prompt/completion", "2+2=", "4", ()),
    ({"prompt": CHAT[:2], "completion": CHAT[2:]}, "prompt/completion", "system: Be brief.\nuser: 2+2?", "4", 2),
    ({"question": "2+2?", "answer": "4"}, "question/answer", "2+2?", "4", 1),
    ({"instruction": "Add.", "input": "2 2", "output": "4"}, "instruction/input/output", "Add.\n\n2 2", "4", 1),
    ({"instruction": "Add 2 2.", "input": "", "output": "4"}, "instruction/input/output", "Add 2 2.", "4", 1),
    ({"messages": CHAT}, "messages", "system: Be brief.\nuser: 2+2?", "4", 2),
    (
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
        "conversations",
        "2+2?",
        "4",
        1,
    ),
    ({"text": "Two and two is four."}, "text", "", "Two and two is four.", ()),
]


def _file(folder: Path, *lines: object) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


@pytest.mark.parametrize(("record", "form", "prompt", "expected", "turns"), FORMS)
def test_each_form(tmp_path: Path, record: object, form: str, prompt: str, expected: str, turns: object) -> None:
    dataset = read_dataset(_file(tmp_path, record))
    assert dataset.errors == []
    assert dataset.form == form
    example = dataset.examples[0]
    assert (example.prompt, example.expected) == (prompt, expected)
    assert len(example.turns) == (turns or 0)


def test_only_what_comes_before_the_last_answer_is_the_prompt(tmp_path: Path) -> None:
    turns = [("user", "hi"), ("assistant", "hello"), ("user", "2+2?"), ("assistant", "4"), ("user", "thanks")]
    record = {"messages": [{"role": role, "content": content} for role, content in turns]}
    example = read_dataset(_file(tmp_path, record)).examples[0]
    assert example.expected == "4"
    assert example.turns == tuple(Turn(*turn) for turn in turns[:3])


def test_a_broken_line_is_named_and_the_others_keep_their_order(tmp_path: Path) -> None:
    good = {"question": "2+2?", "answer": "4"}
    path = _file(
        tmp_path, good, "", "{broken", good, '["a list"]', {"question": 3, "answer": "x"}, {"question": "q"}, good
    )
    dataset = read_dataset(path)
    assert dataset.lines == 7
    assert [example.index for example in dataset.examples] == [0, 1, 2]
    assert [error.line for error in dataset.errors] == [3, 5, 6, 7]
    reasons = [error.reason for error in dataset.errors]
    assert "not JSON" in reasons[0]
    assert reasons[1] == "a list, expected an object with fields"
    assert reasons[2] == 'field "question" is a number, expected a string'
    assert reasons[3] == 'field "answer" is missing (the file is in the question/answer form)'


def test_a_chat_without_an_answer_is_named(tmp_path: Path) -> None:
    only_user = {"messages": CHAT[:2]}
    dataset = read_dataset(
        _file(tmp_path, only_user, {"messages": CHAT[2:]}, {"messages": "hi"}, {"messages": [{"role": "boss"}]})
    )
    reasons = [error.reason for error in dataset.errors]
    assert "no assistant message" in reasons[0]
    assert "nothing to answer" in reasons[1]
    assert "expected a list of messages" in reasons[2]
    assert "role 'boss'" in reasons[3]


def test_unknown_fields_are_told_with_what_is_known(tmp_path: Path) -> None:
    dataset = read_dataset(_file(tmp_path, {"foo": "bar"}))
    assert dataset.form == ""
    assert "unknown fields foo" in dataset.errors[0].reason
    assert "question + answer" in dataset.errors[0].reason


def test_ids_are_the_users_own_else_of_the_content_and_each_once(tmp_path: Path) -> None:
    record = {"question": "q", "answer": "a"}
    dataset = read_dataset(
        _file(tmp_path, {**record, "id": "x"}, {**record, "guid": 7}, record, record, {**record, "id": "x"})
    )
    ids = [example.id for example in dataset.examples]
    assert ids[:2] == ["x", "7"]
    assert ids[3] == f"{ids[2]}-2"
    assert ids[4] == "x-2"
    assert len(set(ids)) == len(ids)


def test_bytes_that_are_not_utf8_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    good = json.dumps({"question": "q", "answer": "a"}).encode()
    path.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n" + b'{"question": "\xff", "answer": "a"}\n' + good)
    dataset = read_dataset(path)
    assert len(dataset.examples) == 2
    assert [(error.line, error.reason) for error in dataset.errors] == [(2, "byte 15 is not UTF-8")]


def test_text_that_no_file_can_carry_is_refused(tmp_path: Path) -> None:
    dataset = read_dataset(
        _file(tmp_path, '{"question": "\\ud800", "answer": "a"}', '{"question": "q", "answer": "a"}')
    )
    assert len(dataset.examples) == 1
    assert "surrogate" in dataset.errors[0].reason


@given(raw=st.binary(max_size=200))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("raw") / "data.jsonl"
    path.write_bytes(raw)
    dataset = read_dataset(path)
    assert len(dataset.examples) + len(dataset.errors) == dataset.lines
