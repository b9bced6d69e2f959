"""The formats of exports, from messages made by hand: their exact text, and that they give everything back."""

import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from guessbook.clients.errors import Invalid
from guessbook.clients.export import cartography, csv_file, destination, json_file, jsonl_file, parquet_file
from guessbook.clients.export.rows import rows
from guessbook.clients.export.source import Source, Texts, number
from guessbook.clients.export.training_set import chosen, lines_of
from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_NOT_LEARNED,
    EXAMPLE_STATE_REGRESSED,
    EXAMPLE_STATE_UNKNOWN,
    Observation,
    Observations,
    Run,
    Snapshot,
)

TEXTS = {
    0: Texts("france", "What is the capital of France?", "Paris", "capitals"),
    2: Texts("sum", "2+2?", "4", ""),
}
NOON_US = 1_763_294_400_000_000  # 2025-11-16T12:00:00Z


def seen(step: int, guess: str, loss: float, **more: Any) -> Observation:
    fields = {"token_accuracy": 0.5, "confidence": 0.25, "expected_probability": math.exp(-loss), "guessed": True}
    return Observation(step=step, guess=guess, loss=loss, recorded_at_us=NOON_US + step, **(fields | more))


def part(step: int, observed: dict[int, Observation], places: list[int], *, complete: bool = True) -> Observations:
    return Observations(
        snapshot=Snapshot(step=step, complete=complete, recorded_at_us=NOON_US + step * 1_000_000),
        example_index=observed.keys(),
        observations=observed.values(),
        batch_position=places,
    )


# Example 1 isn't exported; step 10 comes in two parts; example 2 gets worse at step 20.
PARTS = [
    part(
        0,
        {0: seen(0, "Lyon", 3.0, state=EXAMPLE_STATE_UNKNOWN), 2: seen(0, "5", 1.5, state=EXAMPLE_STATE_UNKNOWN)},
        [-1, -1],
    ),
    part(10, {0: seen(10, "Paris", 0.25, correct=True, state=EXAMPLE_STATE_LEARNED, improved=True)}, [3]),
    part(10, {2: seen(10, "5", 1.5, state=EXAMPLE_STATE_NOT_LEARNED)}, [0]),
    part(20, {2: seen(20, "5", 2.0, state=EXAMPLE_STATE_REGRESSED, guessed=False)}, [1]),
]
FAILED = part(30, {2: seen(30, "6", 1.0)}, [1], complete=False)


def source(parts: list[Observations] | None = None, texts: dict[int, Texts] | None = None) -> Source:
    run = Run(id="run-0001", examples=2, version="v001_20251116_facts")
    return Source(run, texts or TEXTS, iter(PARTS if parts is None else parts), {10: 0.0002, 20: 0.0001}.get)


def test_csv_is_a_row_per_observation() -> None:
    file = io.BytesIO()
    assert csv_file.write(source(PARTS[:2]), file) == 3
    assert file.getvalue().decode() == (
        "run,step,recorded_at,example_index,example_id,held_out,category,prompt,expected,guess,guessed,correct,state,"
        "loss,token_accuracy,confidence,expected_probability\r\n"
        "run-0001,0,2025-11-16T12:00:00.000Z,0,france,false,capitals,What is the capital of France?,Paris,Lyon,true,"
        "false,unknown,3.0,0.5,0.25,0.049787067\r\n"
        "run-0001,0,2025-11-16T12:00:00.000Z,2,sum,true,,2+2?,4,5,true,false,unknown,1.5,0.5,0.25,0.22313017\r\n"
        "run-0001,10,2025-11-16T12:00:00.000Z,0,france,false,capitals,What is the capital of France?,Paris,Paris,true,"
        "true,learned,0.25,0.5,0.25,0.7788008\r\n"
    )


def test_json_lines_are_an_object_per_observation() -> None:
    file = io.BytesIO()
    assert jsonl_file.write(source(PARTS[1:2]), file) == 1
    assert file.getvalue().decode() == (
        '{"run": "run-0001", "step": 10, "recorded_at": "2025-11-16T12:00:00.000Z", "example_index": 0, '
        '"example_id": "france", "held_out": false, "category": "capitals", "prompt": "What is the capital of France?", '
        '"expected": "Paris", "guess": "Paris", "guessed": true, "correct": true, "state": "learned", "loss": 0.25, '
        '"token_accuracy": 0.5, "confidence": 0.25, "expected_probability": 0.7788008}\n'
    )


def test_json_is_an_array_of_snapshots_in_their_form() -> None:
    file = io.BytesIO()
    assert json_file.write(source(), file) == 5
    start, middle, end = json.loads(file.getvalue())
    assert middle == {
        "snapshot_id": "run-0001_step_0010",
        "training_step": 10,
        "timestamp": "2025-11-16T12:00:10.000Z",
        "model_version": "v001_20251116_facts",
        "examples": [
            {
                "example_id": "france",
                "input": "What is the capital of France?",
                "expected_output": "Paris",
                "model_output": "Paris",
                "loss": 0.25,
                "accuracy": 1.0,
                "confidence": 0.25,
                "metadata": {"improved_from_last": True, "learning_rate": 0.0002, "batch_position": 3},
            },
            {
                "example_id": "sum",
                "input": "2+2?",
                "expected_output": "4",
                "model_output": "5",
                "loss": 1.5,
                "accuracy": 0.0,
                "confidence": 0.25,
                "metadata": {"improved_from_last": False, "learning_rate": 0.0002, "batch_position": 0},
            },
        ],
        "summary": {
            "avg_loss": 0.875,
            "avg_accuracy": 0.5,
            "examples_improving": 1,
            "examples_regressing": 0,
            "examples_stable": 1,
        },
    }
    assert list(middle) == [
        "snapshot_id",
        "training_step",
        "timestamp",
        "model_version",
        "examples",
        "summary",
    ]
    untrained = {"improved_from_last": False, "learning_rate": None, "batch_position": None}
    assert [one["metadata"] for one in start["examples"]] == [untrained, untrained]
    assert start["summary"]["examples_stable"] == 2  # nothing came before
    assert end["summary"]["examples_regressing"] == 1


@pytest.mark.parametrize("writer", [csv_file, json_file, jsonl_file, parquet_file])
def test_a_snapshot_that_is_not_whole_is_in_no_file(writer: Any) -> None:
    with_it, without = io.BytesIO(), io.BytesIO()
    assert writer.write(source([FAILED, *PARTS, FAILED]), with_it) == writer.write(source(), without) == 5
    assert with_it.getvalue() == without.getvalue()


def test_held_out_examples_can_be_passed_over(tmp_path: Path) -> None:
    trained = source().trained()
    assert list(trained.texts) == [0]
    assert cartography.write(trained, tmp_path) == 2


def test_json_of_nothing_is_an_empty_array() -> None:
    file = io.BytesIO()
    assert json_file.write(source([], {}), file) == 0
    assert json.loads(file.getvalue()) == []


def test_a_measure_that_is_missing_is_empty_or_null() -> None:
    parts = [part(0, {0: seen(0, "Lyon", math.nan)}, [])]
    written = {}
    for writer in (csv_file, jsonl_file, json_file):
        file = io.BytesIO()
        writer.write(source(parts), file)
        written[writer] = file.getvalue().decode()
    assert next(csv.DictReader(io.StringIO(written[csv_file])))["loss"] == ""
    assert json.loads(written[jsonl_file])["loss"] is None
    (snapshot,) = json.loads(written[json_file])
    assert snapshot["summary"]["avg_loss"] is None
    assert snapshot["examples"][0]["metadata"]["batch_position"] is None


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("'quoted'", "''quoted'"),
        ("-4", "-4"),
        ("+3.5", "+3.5"),
        ("4 = 4", "4 = 4"),
        ("", ""),
    ],
)
def test_a_spreadsheet_runs_nothing(text: str, cell: str) -> None:
    assert csv_file.safe(text) == cell


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def many_parts(draw: st.DrawFn) -> list[Observations]:
    made = []
    for step in range(draw(st.integers(1, 3))):
        observed = {
            index: Observation(
                step=step,
                guess=draw(TEXT),
                loss=draw(FLOAT),
                confidence=draw(FLOAT),
                correct=draw(st.booleans()),
                recorded_at_us=draw(st.integers(0, 2**51)),
            )
            for index in TEXTS
        }
        made.append(part(step, observed, []))
    return made


@settings(deadline=None)  # the first one loads pyarrow
@given(many_parts(), TEXT, TEXT)
def test_every_format_gives_its_rows_back(parts: list[Observations], prompt: str, expected: str) -> None:
    texts = {index: text._replace(prompt=prompt, expected=expected) for index, text in TEXTS.items()}
    wanted = list(rows(source(parts, texts)))
    files = {}
    for writer in (csv_file, jsonl_file, parquet_file):
        files[writer] = io.BytesIO()
        assert writer.write(source(parts, texts), files[writer]) == len(wanted)
        files[writer].seek(0)
    from_csv = list(csv.DictReader(io.TextIOWrapper(files[csv_file], "utf-8", newline="")))
    from_jsonl = [json.loads(line) for line in files[jsonl_file]]
    from_parquet = parquet.read_table(files[parquet_file]).to_pylist()
    single = [[number(cell) if isinstance(cell, float) else cell for cell in row.values()] for row in from_parquet]
    assert single == [list(row) for row in wanted]
    for row, table_row, document in zip(wanted, from_csv, from_jsonl, strict=True):
        for name in ("example_id", "prompt", "expected", "guess"):
            assert table_row[name].removeprefix("'") == document[name] == getattr(row, name)
        for name in ("loss", "confidence"):
            assert float(table_row[name]) == document[name] == getattr(row, name)
        assert table_row["correct"] == str(row.correct).lower()


@given(FLOAT)
def test_a_number_keeps_its_single_precision(value: float) -> None:
    shown = number(value)
    assert shown is not None
    assert np.float32(shown) == np.float32(value)


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Invalid, match="pyarrow") as refused:
        parquet_file.write(source(), io.BytesIO())
    assert "guessbook[parquet]" in refused.value.hint


def test_training_dynamics_hold_the_whole_snapshots_in_order(tmp_path: Path) -> None:
    assert cartography.write(source([*PARTS[:3], FAILED]), tmp_path) == 4
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dynamics_epoch_0.jsonl", "dynamics_epoch_1.jsonl"]
    lines = [json.loads(line) for line in (tmp_path / "dynamics_epoch_1.jsonl").read_text().splitlines()]
    assert [(line["guid"], line["gold"], line["step"], line["correct"]) for line in lines] == [
        ("france", 0, 10, True),
        ("sum", 0, 10, False),
    ]
    assert lines[0]["logits_epoch_1"] == pytest.approx([-0.25, math.log(1 - math.exp(-0.25))])


def test_cartography_computes_our_data_map_from_them(tmp_path: Path) -> None:
    """Its formulas, as in `compute_train_dy_metrics`: softmax over the logits, the gold class's mean and standard deviation."""
    cartography.write(source(), tmp_path)
    logits: dict[str, list[list[float]]] = {}
    for epoch in range(2):
        for line in (tmp_path / f"dynamics_epoch_{epoch}.jsonl").read_text().splitlines():
            record = json.loads(line)
            logits.setdefault(record["guid"], []).append(record[f"logits_epoch_{epoch}"])
    exponentials = np.exp(np.array(logits["france"]))
    of_gold = (exponentials / exponentials.sum(axis=1, keepdims=True))[:, 0]
    ours = np.exp([-3.0, -0.25])
    assert of_gold.mean() == pytest.approx(ours.mean())
    assert of_gold.std() == pytest.approx(ours.std())


@pytest.mark.parametrize("probability", [0.0, 1e-30, 0.5, 1.0])
def test_logits_are_finite_and_give_the_probability_back(probability: float) -> None:
    expected, other = cartography.two_logits(probability)
    assert math.isfinite(expected)
    assert math.isfinite(other)
    assert math.exp(expected) / (math.exp(expected) + math.exp(other)) == pytest.approx(probability, abs=1e-9)


FILE = b'\xef\xbb\xbf{"id": 0}\r\n\n{"id": 1}\nnot JSON\n  \n{"id": 2}'


def test_a_training_set_is_the_lines_themselves() -> None:
    lines = list(chosen(lines_of([FILE]), skipped={4}, wanted={0, 2}))
    assert lines == [b'\xef\xbb\xbf{"id": 0}\r\n', b'{"id": 2}']
    assert b"".join(chosen(lines_of([FILE]), skipped={4}, wanted={1})) == b'{"id": 1}\n'


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_lines_are_those_of_the_file_however_it_is_cut(content: bytes, cuts: list[int]) -> None:
    def pieces() -> Iterator[bytes]:
        places = [0, *sorted(cuts), len(content)]
        for first, last in pairwise(places):
            yield content[first:last]

    assert list(lines_of(pieces())) == list(io.BytesIO(content))


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(ZeroDivisionError), destination.file(str(path), force=False) as file:
        file.write(b"half" * (1 // 0))
    assert list(tmp_path.iterdir()) == []
    with destination.file(str(path), force=False) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(Invalid, match="there already"), destination.file(str(path), force=False):
        pass
    assert path.read_text() == "mine"
    with destination.file(str(path), force=True) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_a_folder_of_something_else_stays_even_with_force(tmp_path: Path) -> None:
    with destination.folder(str(tmp_path / "to"), "made", force=False) as folder:
        (folder / "a").write_text("1")
    with destination.folder(str(tmp_path / "to"), "made", force=True) as folder:
        (folder / "b").write_text("2")
    assert [one.name for one in (tmp_path / "to" / "made").iterdir()] == ["b"]
    (tmp_path / "to" / "made" / "deeper").mkdir()
    again = destination.folder(str(tmp_path / "to"), "made", force=True)
    with pytest.raises(Invalid, match="more than an export"), again:
        pass
    assert (tmp_path / "to" / "made" / "b").exists()
    assert [one.name for one in (tmp_path / "to").iterdir()] == ["made"]
