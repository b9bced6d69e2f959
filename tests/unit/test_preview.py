"""What a preview shows of a dataset's rows, against the batches that training makes of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import make_tiny_tokenizer
from transformers import LlamaConfig

from guessbook.server.decide.config import DEFAULTS
from guessbook.store.dataset import FORMS, read_dataset
from guessbook.trainer.base_model import load_tokenizer
from guessbook.trainer.encoding import IGNORED, Collator, Encoder
from guessbook.trainer.errors import UnusableExample, UnusableModel, UnusableSetting
from guessbook.trainer.preview import ASSUMED, ERRORS_LISTED, PIECE_LIMIT, ROWS_MOST, preview

ASKED = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
USER, ASSISTANT = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
# Of each form a record, what of it is given, and what is trained.
RECORDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "messages": ({"messages": [USER, ASSISTANT]}, ASKED, "4<|im_end|>"),
    "conversations": (
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
        ASKED,
        "4<|im_end|>",
    ),
    "prompt/completion": ({"prompt": "2+2=", "completion": "4"}, "2+2=", "4<|endoftext|>"),
    "question/answer": ({"question": "2+2?", "answer": "4"}, ASKED, "4<|im_end|>"),
    "instruction/input/output": ({"instruction": "2+2?", "output": "4"}, ASKED, "4<|im_end|>"),
    "text": ({"text": "abc"}, "a", "bc<|endoftext|>"),
}


def model(folder: Path, *, chat: bool = True, template: str = "") -> str:
    tokenizer = make_tiny_tokenizer(chat=chat)
    if template:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(folder / "model")
    return str(folder / "model")


def asked(base_model: str, *records: object, rows: int = 3, **config: object) -> dict[str, Any]:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return preview({"lines": lines, "config": {"base_model": base_model, **config}, "rows": rows})


def trained_in_training(base_model: str, file: Path, max_length: int) -> list[tuple[str, int]]:
    """The text and the number of tokens that the batches of training have labels for, example by example."""
    encoder = Encoder(load_tokenizer(base_model, file.parent), max_length)
    batch = Collator(encoder.pad_id)([encoder.encode(example) for example in read_dataset(file).examples])
    kept = [ids[labels != IGNORED] for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True)]
    return [(str(encoder.tokenizer.decode(ids)), len(ids)) for ids in kept]


def told(row: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(piece["text"], piece["trained"]) for piece in row["pieces"]]


def test_every_form_has_a_record_here() -> None:
    assert RECORDS.keys() == FORMS.keys()


@pytest.mark.parametrize("form", RECORDS)
def test_what_is_marked_is_what_is_trained(form: str, tmp_path: Path) -> None:
    record, given, trained = RECORDS[form]
    name = model(tmp_path)
    answer = asked(name, record)
    assert (answer["form"], answer["examples"], answer["error_count"]) == (form, 1, 0)
    (row,) = answer["rows"]
    assert told(row) == [(given, False), (trained, True)]
    assert row["templated"] == (given == ASKED)
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(record))
    assert trained_in_training(name, file, 1024) == [(trained, row["trained_tokens"])]
    assert row["tokens"] > row["trained_tokens"]


@pytest.mark.parametrize("max_length", [2, 6, 8, 9])
def test_a_cut_row_marks_what_training_is_left_with(max_length: int, tmp_path: Path) -> None:
    name, file = model(tmp_path), tmp_path / "one.jsonl"
    file.write_text(json.dumps({"prompt": "abcde", "completion": "xyz"}))
    answer = preview({"path": str(file), "config": {"base_model": name, "max_length": max_length}})
    (row,) = answer["rows"]
    ((trained, count),) = trained_in_training(name, file, max_length)
    assert (told(row)[-1], row["trained_tokens"], row["tokens"]) == ((trained, True), count, max_length)
    assert row["cut"] == row["answer_cut"] == (max_length < 9)


def test_rows_keep_their_lines_and_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    record = {"question": "2+2?", "answer": "4"}
    answer = asked(model(tmp_path), "no JSON", record, "", {**record, "answer": " "}, {**record, "id": "mine"})
    assert [(row["line"], row["id"]) for row in answer["rows"]][1] == (5, "mine")
    assert answer["rows"][0]["line"] == 2
    assert [error["line"] for error in answer["errors"]] == [1, 4]
    assert answer["errors"][1]["reason"] == 'field "answer" is empty'


def test_a_model_without_a_template_is_told_as_such(tmp_path: Path) -> None:
    answer = asked(model(tmp_path, chat=False), RECORDS["question/answer"][0])
    assert (answer["chat_template"], answer["template_source"]) == (False, "")
    assert told(answer["rows"][0]) == [("2+2?\n", False), ("4<|endoftext|>", True)]
    assert not answer["rows"][0]["templated"]


@pytest.mark.parametrize("where", ["chat_template.jinja", "tokenizer_config.json"])
def test_the_file_of_the_template_is_named(where: str, tmp_path: Path) -> None:
    name = model(tmp_path)
    apart, settings = Path(name, "chat_template.jinja"), Path(name, "tokenizer_config.json")
    if where == settings.name:
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "chat_template": apart.read_text()}))
        apart.unlink()
    answer = asked(name, RECORDS["question/answer"][0])
    assert (answer["chat_template"], answer["template_source"]) == (True, where)


def test_a_row_that_the_template_refuses_says_why_and_the_others_are_shown(tmp_path: Path) -> None:
    refusing = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for message in messages %}{{ message['content'] + '<|im_end|>' }}{% endfor %}"
    )
    name = model(tmp_path, template=refusing)
    turns = [{"role": "system", "content": "Be brief."}, USER, ASSISTANT]
    first, second = asked(name, {"messages": turns}, {"messages": [USER, ASSISTANT]})["rows"]
    assert "no system" in first["error"]
    assert first["hint"]
    assert first["pieces"] == []
    assert told(second) == [("2+2?<|im_end|>", False), ("4<|im_end|>", True)]


@pytest.mark.parametrize("template", ["{% for %}", "{{ messages + 1 }}"])
def test_a_broken_template_is_said_with_what_to_do(template: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match=r"the chat template of .* can't render") as raised:
        asked(model(tmp_path, template=template), RECORDS["question/answer"][0])
    assert "chat_template.jinja" in raised.value.hint


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"lines": [], "config": {}}, UnusableSetting),
        ({"lines": [], "config": {"base_model": "m", "max_length": "many"}}, UnusableSetting),
        ({"lines": [], "config": {"base_model": "/nowhere/model"}}, UnusableModel),
        ({"path": "/nowhere/facts.jsonl", "config": {"base_model": "m"}}, UnusableExample),
    ],
    ids=["no-model", "bad-config", "no-such-model", "no-such-file"],
)
def test_what_cannot_be_used_is_said_with_what_to_do(request_: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        preview(request_)
    assert raised.value.hint  # type: ignore[attr-defined]


def test_hostile_rows_are_shown_within_bounds(tmp_path: Path) -> None:
    nasty = "\u202eabc\u0000\u001b[31m<script>alert(1)</script>👩\u200d🔬"
    rows = [{"prompt": "x" * 200_000, "completion": "y" * 200_000}, {"prompt": nasty, "completion": nasty}]
    answer = asked(model(tmp_path), *rows, max_length=1_000_000)
    long, odd = answer["rows"]
    assert [(len(piece["text"]), piece["left_out"]) for piece in long["pieces"]] == [
        (PIECE_LIMIT, 200_000 - PIECE_LIMIT),
        (PIECE_LIMIT, 200_000 - PIECE_LIMIT + len("<|endoftext|>")),
    ]
    assert told(odd) == [(nasty, False), (nasty + "<|endoftext|>", True)]
    many = asked(model(tmp_path), *[rows[1]] * 30, *["no JSON", "\ud800"] * 30, rows=1000)
    assert (len(many["rows"]), len(many["errors"]), many["error_count"]) == (ROWS_MOST, ERRORS_LISTED, 60)
    assert len(json.dumps(many)) < 1_000_000


def test_no_row_at_all_is_an_answer_too(tmp_path: Path) -> None:
    answer = asked(model(tmp_path))
    assert (answer["rows"], answer["examples"], answer["form"]) == ([], 0, "")


def test_the_memory_is_that_of_the_models_shape_and_its_weights_are_not_needed(tmp_path: Path) -> None:
    name = model(tmp_path)
    assert asked(name, RECORDS["text"][0])["memory"] is None
    LlamaConfig(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2).save_pretrained(name)
    memory = asked(name, RECORDS["text"][0], dtype="bfloat16", per_device_train_batch_size=2)["memory"]
    assert (memory["dtype"], memory["batch_size"]) == ("bfloat16", 2)
    assert memory["total"] == sum(memory[part] for part in ("weights", "adapter", "activations", "logits")) > 0


def test_what_is_assumed_is_what_the_server_gives() -> None:
    assert {field.name: value for field, value in ASSUMED.ListFields()} == {
        field.name: getattr(DEFAULTS, field.name) for field, _ in ASSUMED.ListFields()
    }
