"""What leaves the book, and two stages of it side by side: the verbs against a real server with a run that a script made."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documentation import PAGES, commands
from e2e.scripted import ScriptedTrainer
from pyarrow import parquet
from server_process import ServerProcess

from guessbook.clients.cli.main import command
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid, NotFound, Rejected
from guessbook.clients.export.formats import Format
from guessbook.proto import events_pb2
from guessbook.proto.events_pb2 import PRIORITY_NORMAL

QUESTIONS = [("france", "Capital of France?", "Paris"), ("sum", "2+2?", "4"), ("k", "K?", "Potassium")]
LINES = [json.dumps({"id": id, "question": question, "answer": answer}) for id, question, answer in QUESTIONS]
# A blank line, a line that can't be read, white space of the user's own, and no line feed at the end.
FILE = f"{LINES[0]}\n\nnot JSON\n  {LINES[1]} \r\n{LINES[2]}"


def guessbook(*words: str) -> None:
    """Runs a verb in this process; a GuessbookError comes through."""
    command().main(list(words), standalone_mode=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home", trainer_grace=60, start_grace=60) as process:
        yield process


@pytest.fixture
def run(book: Guessbook, tmp_path: Path) -> Iterator[str]:
    """A run of 20 steps with snapshots at 0, 10 and 20: france is learned, sum is forgotten, k is never learned."""
    dataset = tmp_path / "facts.jsonl"
    dataset.write_bytes(FILE.encode())
    config = events_pb2.TrainingConfig(base_model="some/model", max_steps=20)
    book.submit(dataset, priority=PRIORITY_NORMAL, config=config, skip_bad_lines=True)
    trainer = ScriptedTrainer(book, tmp_path / "scripted.spool")
    trainer.take(total_steps=20, examples=3)
    trainer.snapshot(0, ["Lyon", "5", "Kalium"], [False] * 3, [3.0, 2.0, 4.0])
    trainer.steps(1, 10, [1.5, 1.0, 3.0])
    trainer.snapshot(10, ["Paris", "4", "Kalium"], [True, True, False], [0.2, 0.5, 3.0])
    trainer.steps(11, 20, [0.1, 0.1, 2.5])
    trainer.snapshot(20, ["Paris", "22", "Kalium"], [True, False, False], [0.1, 1.5, 2.5])
    yield trainer.run
    trainer.close()


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> "Printed":
    return Printed(capsys)


class Printed:
    """What a verb prints on standard output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, *words: str) -> str:
        self._capsys.readouterr()
        guessbook(*words)
        return self._capsys.readouterr().out

    def document(self, *words: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.text(*words, "--json"))
        return document


def test_csv_json_lines_and_parquet_hold_what_the_filter_leaves(run: str, printed: Printed, tmp_path: Path) -> None:
    told = {}
    for format in ("csv", "jsonl", "parquet"):
        told[format] = printed.text(
            "export", run, "--format", format, "-o", str(tmp_path / f"out.{format}"), "--without-state", "regressed"
        )
    with (tmp_path / "out.csv").open(newline="") as file:
        from_csv = [(row["example_id"], int(row["step"]), row["guess"]) for row in csv.DictReader(file)]
    documents = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert from_csv == [
        *(("france", 0, "Lyon"), ("k", 0, "Kalium")),
        *(("france", 10, "Paris"), ("k", 10, "Kalium")),
        *(("france", 20, "Paris"), ("k", 20, "Kalium")),
    ]
    assert [(one["example_id"], one["step"], one["guess"]) for one in documents] == from_csv
    assert [(one["example_id"], one["step"], one["guess"]) for one in table] == from_csv
    assert told["csv"].strip() == f"2 of 3 examples, 6 observations → {tmp_path / 'out.csv'}"


def test_json_tells_the_learning_rate_and_the_place_in_the_batch(run: str, printed: Printed, tmp_path: Path) -> None:
    answer = printed.document("export", run, "--format", "json", "-o", str(tmp_path / "out.json"))
    snapshots = json.loads((tmp_path / "out.json").read_text())
    assert (answer["examples"], answer["total"], answer["observations"]) == (3, 3, 9)
    assert [one["training_step"] for one in snapshots] == [0, 10, 20]
    first, _, last = (one["examples"][1]["metadata"] for one in snapshots)
    assert first == {"improved_from_last": False, "learning_rate": None, "batch_position": None}
    assert last["improved_from_last"] is False
    assert last["learning_rate"] == pytest.approx(1e-4)
    assert last["batch_position"] == 1
    assert snapshots[2]["summary"] == {
        "avg_loss": pytest.approx(1.366667),
        "avg_accuracy": pytest.approx(1 / 3, abs=1e-6),
        "examples_improving": 2,
        "examples_regressing": 1,
        "examples_stable": 0,
    }


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ((), [LINES[0] + "\n", "  " + LINES[1] + " \r\n", LINES[2]]),
        (("--without-state", "never-learned"), [LINES[0] + "\n", "  " + LINES[1] + " \r\n"]),
        (("--state", "regressed"), ["  " + LINES[1] + " \r\n"]),
        (("--state", "never-learned"), [LINES[2]]),
        (("--search", "paris"), [LINES[0] + "\n"]),
    ],
)
def test_a_training_set_is_the_files_own_lines(
    run: str, printed: Printed, tmp_path: Path, options: tuple[str, ...], chosen: list[str]
) -> None:
    told = printed.text("export", run, "--format", "training-set", "-o", str(tmp_path / "next.jsonl"), *options)
    assert (tmp_path / "next.jsonl").read_bytes() == "".join(chosen).encode()
    assert told.startswith(f"{len(chosen)} of 3 examples → ")


def test_training_dynamics_are_a_folder_of_epochs(run: str, printed: Printed, tmp_path: Path) -> None:
    words = ["export", run, "--format", "cartography", "-o", str(tmp_path / "dynamics")]
    assert printed.text(*words).startswith("3 of 3 examples, 9 observations")
    folder = tmp_path / "dynamics" / "training_dynamics"
    assert sorted(one.name for one in folder.iterdir()) == [f"dynamics_epoch_{epoch}.jsonl" for epoch in range(3)]
    with pytest.raises(Invalid, match="there already"):
        guessbook(*words)
    guessbook(*words, "--force")


def test_a_snapshot_that_failed_is_left_out_and_counted(
    book: Guessbook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = tmp_path / "facts.jsonl"
    dataset.write_text("\n".join(LINES) + "\n")
    book.submit(dataset, config=events_pb2.TrainingConfig(base_model="some/model", max_steps=20))
    trainer = ScriptedTrainer(book, tmp_path / "scripted.spool")
    trainer.take(total_steps=20, examples=3)
    trainer.snapshot(0, ["Lyon", "5", "Kalium"], [False] * 3, [3.0, 2.0, 4.0])
    started = events_pb2.SnapshotStarted(step=10, reason="schedule", examples=3)
    observed = events_pb2.ExamplesObserved(
        step=10,
        example_index=[0],
        guess=["Paris"],
        loss=[0.5],
        token_accuracy=[1.0],
        correct=[True],
        confidence=[0.5],
        expected_probability=[0.5],
    )
    failed = events_pb2.SnapshotFailed(step=10, error="out of memory")
    for body in ({"snapshot_started": started}, {"examples_observed": observed}, {"snapshot_failed": failed}):
        trainer.producer.record(events_pb2.Event(subject=f"run/{trainer.run}", **body))
    assert trainer.producer.flush(20.0)
    guessbook("export", trainer.run, "--format", "jsonl", "-o", "-")
    told = capsys.readouterr()
    assert {json.loads(line)["step"] for line in told.out.splitlines()} == {0}
    assert "1 snapshot that is not whole is left out" in told.err
    trainer.close()


def test_long_examples_are_all_exported_and_listed(book: Guessbook, printed: Printed, tmp_path: Path) -> None:
    text = "é" * 16_384  # two bytes each: 1,000 such examples are 64 MB, and an answer has at most 16
    dataset = tmp_path / "long.jsonl"
    lines = [json.dumps({"id": f"e{i}", "prompt": text, "completion": text}) for i in range(1000)]
    dataset.write_text("\n".join(lines) + "\n")
    book.submit(dataset, config=events_pb2.TrainingConfig(base_model="some/model", max_steps=20))
    trainer = ScriptedTrainer(book, tmp_path / "scripted.spool")
    trainer.take(total_steps=20, examples=1000)
    target = tmp_path / "next.jsonl"
    told = printed.text("export", trainer.run, "--format", "training-set", "-o", str(target))
    assert told.startswith("1000 of 1000 examples")
    assert target.read_bytes() == dataset.read_bytes()
    listed = printed.document("examples", trainer.run, "--limit", "150", "--page", "2")
    assert [one["id"] for one in listed["examples"]] == [f"e{i}" for i in range(150, 300)]
    trainer.close()


def test_an_export_of_the_past_is_as_of_then(run: str, book: Guessbook, printed: Printed, tmp_path: Path) -> None:
    position = book.run(run).snapshots[1].position
    words = ["--format", "jsonl", "-o", str(tmp_path / "then.jsonl"), "--at", str(position), "--state", "learned"]
    answer = printed.document("export", "latest", *words)
    assert answer["position"] == position
    documents = [json.loads(line) for line in (tmp_path / "then.jsonl").read_text().splitlines()]
    assert {one["example_id"] for one in documents} == {"france", "sum"}
    assert max(one["step"] for one in documents) == 10


def test_standard_output_takes_the_export_alone(run: str, printed: Printed) -> None:
    lines = printed.text("export", run, "--format", "jsonl", "-o", "-", "--search", "kalium").splitlines()
    assert [json.loads(line)["example_id"] for line in lines] == ["k"] * 3
    for words in (["--format", "jsonl", "--json"], ["--format", "cartography"]):
        with pytest.raises(Invalid):
            guessbook("export", run, *words, "-o", "-")


def test_held_out_examples_are_exported_and_are_no_training_set(
    book: Guessbook, printed: Printed, tmp_path: Path
) -> None:
    dataset, held_out = tmp_path / "facts.jsonl", tmp_path / "held_out.jsonl"
    dataset.write_text("\n".join(LINES) + "\n")
    held_out.write_text(json.dumps({"id": "exam", "question": "3+3?", "answer": "6"}) + "\n")
    config = events_pb2.TrainingConfig(base_model="some/model")
    book.submit(dataset, config=config, held_out=held_out)
    trainer = ScriptedTrainer(book, tmp_path / "scripted.spool")
    lease = book.lease("scripted", trainer.producer.wait_welcome(20.0))
    trainer.job, trainer.run = lease.job.id, lease.run
    started = events_pb2.RunStarted(
        job=lease.job.id,
        dataset=lease.job.dataset,
        config=lease.job.config,
        total_steps=20,
        examples=3,
        tracked=range(3),
        held_out=lease.job.config.held_out,
        held_out_examples=1,
    )
    trainer.producer.record(events_pb2.Event(subject=f"run/{lease.run}", run_started=started))
    trainer.snapshot(0, ["Lyon", "5", "Kalium", "six"], [False] * 4, [3.0, 2.0, 4.0, 1.0])
    rows = [json.loads(line) for line in printed.text("export", "--format", "jsonl", "-o", "-", lease.run).splitlines()]
    assert [(row["example_id"], row["held_out"]) for row in rows] == [
        ("france", False),
        ("sum", False),
        ("k", False),
        ("exam", True),
    ]
    watched = printed.document("export", lease.run, "--format", "csv", "-o", str(tmp_path / "exam.csv"), "--held-out")
    assert (watched["examples"], watched["total"], watched["observations"]) == (1, 4, 1)
    for option, exported in (
        ((), 3),
        (("--held-out",), 1),
    ):  # training dynamics are of what is trained, unless asked otherwise
        words = ["export", lease.run, "--format", "cartography", "-o", str(tmp_path / f"dynamics-{exported}"), *option]
        answer = printed.document(*words)
        assert (answer["examples"], answer["observations"]) == (exported, exported)
    guessbook("export", lease.run, "--format", "training-set", "-o", str(tmp_path / "next.jsonl"))
    assert (tmp_path / "next.jsonl").read_bytes() == dataset.read_bytes()
    trainer.close()


def test_the_exports_of_the_documentation_work(run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [words for page in PAGES for words in commands(page, "guessbook") if words[1] == "export"]
    assert {Format(words[words.index("--format") + 1]) for words in shown} == set(Format)
    for words in shown:
        guessbook(*words[1:])


def test_a_reader_that_leaves_early_ends_the_export_quietly(run: str) -> None:
    export = [sys.executable, "-m", "guessbook.clients.cli.main", "export", run, "--format", "jsonl", "-o", "-"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as nobody_reads:
        done = subprocess.run(export, check=False, stdout=nobody_reads, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "error: whoever reads standard output has left: the export ended early\n"


def test_what_fails_leaves_nothing_and_what_is_there_stays(run: str, tmp_path: Path) -> None:
    target = tmp_path / "exports" / "out.csv"
    target.parent.mkdir()
    with pytest.raises(NotFound):
        guessbook("export", "no-such-run", "--format", "csv", "-o", str(target))
    with pytest.raises((Invalid, NotFound, Rejected), match="category"):
        guessbook("export", run, "--format", "csv", "-o", str(target), "--category", "no such")
    assert list(target.parent.iterdir()) == []
    target.write_text("mine")
    with pytest.raises(Invalid, match="there already"):
        guessbook("export", run, "--format", "csv", "-o", str(target))
    assert target.read_text() == "mine"


def test_two_steps_of_a_run_are_compared(run: str, printed: Printed) -> None:
    answer = printed.document("compare", f"{run}@0", "latest@10")
    counts = {one["change"]: one["count"] for one in answer["counts"]}
    assert counts["CHANGE_FIXED"] == 2
    assert counts["CHANGE_STILL_WRONG"] == 1
    broken = printed.document("compare", f"{run}@10", run, "--only", "broken")
    (example,) = broken["examples"]
    assert (example["id"], example["before"]["guess"], example["after"]["guess"]) == ("sum", "4", "22")
    assert (broken["matching"], len(broken["examples"])) == (1, 1)
    shown = printed.text("compare", f"{run}@10", run)
    assert "fixed 0 · broken 1 · still wrong 1 · still right 1" in shown
    assert "mean loss 1.23 → 1.37" in shown
    page = printed.document("compare", f"{run}@0", run, "--limit", "1", "--page", "2", "--search", "?")
    assert (page["matching"], len(page["examples"])) == (3, 1)


def test_examples_come_in_pages_with_their_states(run: str, printed: Printed) -> None:
    first = printed.document("examples", run, "--limit", "2")
    second = printed.document("examples", run, "--limit", "2", "--page", "2")
    assert [one["id"] for one in first["examples"] + second["examples"]] == ["france", "sum", "k"]
    shown = printed.text("examples", run, "--without-state", "never-learned", "--limit", "1")
    assert "ULL" in shown
    assert "1-1 of 2 that match, 3 in all · page 1 of 2, --page 2 shows the next" in shown
    assert printed.document("examples", run, "--held-out")["matching"] == 0
