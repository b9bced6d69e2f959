"""Insights and reports over a real server: made by the trainer at a run's end, and by the command line at any point."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.scripted import ScriptedTrainer
from made_events import write_questions
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.cli.main import command
from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Event, TrainingConfig
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, At
from guessbook.store.artifacts import Artifacts
from guessbook.trainer import daemon
from guessbook.trainer.daemon import Daemon

pytestmark = pytest.mark.usefixtures("one_thread")

RIGHT, WRONG = ["0", "2", "4", "6"], ["x", "y", "z", "w"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """The scripted trainer may stay away as long as it likes."""
    with ServerProcess(tmp_path / "home", trainer_grace=60, start_grace=60) as process:
        yield process


@pytest.fixture
def run(book: Guessbook, tmp_path: Path) -> Iterator[str]:
    """A run of four sums: right at step 10, and the last one forgotten at step 20."""
    book.submit(
        write_questions(tmp_path / "sums.jsonl", 4), config=TrainingConfig(base_model="some/model", max_steps=20)
    )
    trainer = ScriptedTrainer(book, tmp_path / "scripted.spool")
    trainer.take(total_steps=20, examples=4)
    trainer.snapshot(0, WRONG, [False] * 4, [4.0] * 4)
    trainer.steps(1, 10, [1.0] * 4)
    trainer.snapshot(10, RIGHT, [True] * 4, [0.1] * 4)
    trainer.steps(11, 20, [0.1] * 4)
    trainer.snapshot(20, [*RIGHT[:3], "7"], [True, True, True, False], [0.1, 0.1, 0.1, 2.0])
    yield trainer.run
    trainer.close()


def guessbook(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a verb says on standard output."""
    capsys.readouterr()
    command().main(list(words), standalone_mode=False)
    return capsys.readouterr().out


def test_insights_are_said_in_words_and_as_json(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(guessbook(capsys, "insights", run).split())
    assert "1 example was right at step 10 and wrong at step 20; still wrong." in said
    assert "#3 e3: “6” became “7”, loss 0.10 → 2.00; not right since" in said
    (insight,) = json.loads(guessbook(capsys, "insights", run, "--json"))["insights"]
    assert (insight["kind"], insight["count"], insight["example_id"], insight["step"]) == ("forgotten", 1, ["e3"], 20)


def test_the_past_has_its_own_insights(run: str, book: Guessbook, capsys: pytest.CaptureFixture[str]) -> None:
    before = book.run(run).snapshots[1].position
    assert "Nothing stands out" in guessbook(capsys, "insights", run, "--at", str(before))


def test_a_report_is_written_as_of_now_or_of_then(
    run: str, book: Guessbook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now, then = tmp_path / "now.html", tmp_path / "then.html"
    answer = json.loads(guessbook(capsys, "report", run, "-o", str(now), "--json"))
    assert answer == {"file": str(now), "run": run, "position": book.head().position, "bytes": now.stat().st_size}
    assert "<h1>sums.jsonl: 3 of 4 right, from 0</h1>" in now.read_text()

    position = book.run(run).snapshots[1].position
    asked = ("report", run, "--at", str(position), "-o", str(then))
    assert guessbook(capsys, *asked).strip() == str(then)
    assert "<h1>sums.jsonl: 4 of 4 right, from 0</h1>" in then.read_text()
    first = then.read_bytes()
    guessbook(capsys, *asked)
    assert then.read_bytes() == first


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


def train(server: ServerProcess, book: Guessbook, model: Path) -> list[Event]:
    config = TrainingConfig(base_model=str(model), max_steps=3, snapshot_steps=[1, 2], max_new_tokens=4)
    book.submit(write_questions(server.home.root / "sums.jsonl", 4), config=config)
    Daemon(server.home, book.address, "box", once=True).run()
    return list(book.read())


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_ends_leaves_its_report_among_the_artifacts(
    server: ServerProcess, book: Guessbook, model: Path
) -> None:
    events = train(server, book, model)
    (created,) = [event for event in events if event.HasField("report_created")]
    content = b"".join(Artifacts(server.home.artifacts).read(created.report_created.sha256)).decode()
    assert created.report_created.bytes == len(content.encode())
    assert "for 3 of 3 steps" in content
    assert book.run().report == created.report_created.sha256
    assert book.jobs().jobs[0].state == JOB_STATE_COMPLETED
    # It holds the last snapshot: nothing that the run recorded came too late for it.
    end = next(event.position for event in events if event.HasField("job_completed"))
    assert [snapshot.step for snapshot in book.run(at=At(position=end)).snapshots] == [0, 1, 2, 3]
    assert "at steps 0, 1, 2, 3;" in content


@pytest.mark.usefixtures("one_thread")
def test_a_report_that_fails_is_a_warning_and_the_job_is_completed(
    server: ServerProcess,
    book: Guessbook,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> Event:
        raise OSError("No space left on device")

    monkeypatch.setattr(daemon, "store_report", full)
    with caplog.at_level(logging.WARNING, "guessbook.trainer"):
        train(server, book, model)
    assert book.jobs().jobs[0].state == JOB_STATE_COMPLETED
    assert book.run().report == ""
    assert "was not made: No space left on device. `guessbook report run-0001` makes it." in caplog.text
