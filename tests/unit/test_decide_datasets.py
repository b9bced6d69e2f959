"""Registering a dataset in parts, and the training config's rules."""

import pytest
from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.server.decide import config, datasets
from guessbook.server.decide.rejection import Invalid
from guessbook.store.dataset import Dataset, Example, LineError
from guessbook.store.log import BATCH_LIMIT, EVENT_LIMIT

SHA = "a" * 64


def _dataset(texts: list[str]) -> Dataset:
    return Dataset("text", len(texts), [Example(i, f"e{i}", "", text) for i, text in enumerate(texts)])


def _register(book: Book, dataset: Dataset, rounds: int = 1000) -> Book:
    for _ in range(rounds):
        events = datasets.register(book, "x.jsonl", SHA, "md5", 1, dataset)
        if not events:
            return book
        assert sum(event.ByteSize() for event in events) < BATCH_LIMIT
        assert all(event.ByteSize() < EVENT_LIMIT for event in events)
        for event in numbered(events, start=book.position + 1):
            book = book_fold.apply(book, event)
    return book


@pytest.mark.parametrize("texts", [["a"], ["b"] * 2000, ["é" * 100_000] * 30, ["c" * 20_000] * 100])
def test_every_example_is_registered_once_whatever_their_size(texts: list[str]) -> None:
    book = _register(Book(), _dataset(texts))
    known = book.datasets.by_sha256[SHA]
    assert list(known.ids) == [f"e{i}" for i in range(len(texts))]
    assert all(text.startswith(shown.rstrip("…")) for text, shown in zip(texts, known.expected, strict=True))
    assert datasets.register(book, "again.jsonl", SHA, "md5", 1, _dataset(texts)) == []


def test_a_registration_that_was_cut_off_goes_on() -> None:
    dataset = _dataset(["x"] * 2000)
    book = _register(Book(), dataset, rounds=2)
    assert 0 < len(book.datasets.by_sha256[SHA].ids) < 2000
    assert len(_register(book, dataset).datasets.by_sha256[SHA].ids) == 2000


def test_a_report_names_lines_and_says_how_to_go_on() -> None:
    bad = Dataset("text", 30, _dataset(["x"]).examples, [LineError(i, "not JSON", "{") for i in range(1, 30)])
    told = datasets.report("x.jsonl", bad, skipped=False)
    assert "29 of 30 lines can't be read" in told
    assert "line 1: not JSON: {" in told
    assert "… and 9 more" in told
    assert "--skip-bad-lines" in told
    assert "left out" in datasets.report("x.jsonl", bad, skipped=True)
    assert "nothing to train on" in datasets.report("x.jsonl", Dataset("", 1, [], bad.errors), skipped=True)


def test_a_config_is_made_complete() -> None:
    complete = config.complete(TrainingConfig(lora_r=4, snapshot_steps=[1, 2]), "model")
    assert (complete.base_model, complete.lora_r, complete.lora_alpha) == ("model", 4, 32)
    assert list(complete.snapshot_steps) == [1, 2]
    without_default = {"lora_target_modules", "snapshot_steps", "tracked_ids", "held_out", "from_version", "report_to"}
    assert {field.name for field, _ in complete.ListFields()} | without_default == set(
        TrainingConfig.DESCRIPTOR.fields_by_name
    )


@pytest.mark.parametrize(
    "wrong",
    [
        TrainingConfig(learning_rate=0),
        TrainingConfig(learning_rate=float("nan")),
        TrainingConfig(lora_dropout=1.0),
        TrainingConfig(dtype="int4"),
        TrainingConfig(lr_scheduler_type="magic"),
        TrainingConfig(per_device_train_batch_size=0),
    ],
)
def test_a_config_that_can_not_work_names_its_field(wrong: TrainingConfig) -> None:
    field = wrong.ListFields()[0][0].name
    with pytest.raises(Invalid, match=f"{field} is .* must be"):
        config.complete(wrong, "model")


def test_without_a_model_there_is_no_job() -> None:
    with pytest.raises(Invalid, match="no base model"):
        config.complete(TrainingConfig(), "")


def test_a_tracked_id_that_no_example_has_is_named() -> None:
    datasets.check_tracked(["e0", "e2"], "x.jsonl", _dataset(["a"] * 3))
    with pytest.raises(Invalid, match=r"no example of x.jsonl has the id e3, e4, e5, e6, e7 and 2 more"):
        datasets.check_tracked([f"e{i}" for i in range(10)], "x.jsonl", _dataset(["a"] * 3))


def test_a_held_out_file_that_is_also_trained_on_is_told() -> None:
    trained, held = _dataset(["a", "b", "c"]), _dataset(["c", "d"])
    said = datasets.held_out(trained, held, skip_bad_lines=False)
    assert said.startswith("Held out: 2 examples")
    assert "1 of them are in the training data too" in said
    assert "training data" not in datasets.held_out(trained, _dataset(["d"]), skip_bad_lines=False)


def test_a_held_out_file_that_cannot_be_read_whole_is_refused_with_its_lines() -> None:
    bad = Dataset("text", 2, _dataset(["x"]).examples, [LineError(2, "not JSON", "{")])
    with pytest.raises(Invalid, match="1 of 2 lines of the held-out file can't be read; line 2: not JSON"):
        datasets.held_out(_dataset(["a"]), bad, skip_bad_lines=False)
    assert datasets.held_out(_dataset(["a"]), bad, skip_bad_lines=True)
    with pytest.raises(Invalid, match="has no example"):
        datasets.held_out(_dataset(["a"]), Dataset("", 0), skip_bad_lines=True)
