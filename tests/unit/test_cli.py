"""The CLI as a whole: its options, its exit codes, what goes to which stream, and what it does not import."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from guessbook.clients.cli import main as cli
from guessbook.clients.cli import options, wording
from guessbook.clients.cli.demo import EXAMPLES, summarise
from guessbook.clients.cli.output import as_document
from guessbook.clients.cli.resume import why_it_waits
from guessbook.clients.cli.submit import called
from guessbook.clients.cli.training_options import chosen
from guessbook.clients.visible import visible
from guessbook.proto import events_pb2, history_pb2


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--home` and `--address` set these; what a test sets is taken back."""
    monkeypatch.setenv("GUESSBOOK_HOME", str(tmp_path))
    monkeypatch.setenv("GUESSBOOK_ADDRESS", "")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["guessbook", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def nobody() -> str:
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def test_without_a_server_a_question_exits_with_3_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], nobody: str
) -> None:
    assert run(monkeypatch, "status", "--json", "--address", nobody) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert nobody in err
    assert "guessbook up" in err
    assert "Traceback" not in err


def test_a_missing_file_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], nobody: str
) -> None:
    assert run(monkeypatch, "--address", nobody, "submit", "no-such-file.jsonl") == 2
    assert "no-such-file.jsonl" in capfd.readouterr().err


def test_verify_without_a_log_exits_with_4(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "verify", "--home", str(tmp_path / "other")) == 4
    assert str(tmp_path / "other") in capfd.readouterr().err


@pytest.mark.parametrize(
    "words", [["no-such-verb"], ["replay", "latest"], ["examples", "--state", "bored"], ["status", "--at", "yesterday"]]
)
def test_what_makes_no_sense_exits_with_2(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    assert run(monkeypatch, *words) == 2


@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
@pytest.mark.parametrize(
    "words", [["server", "--port"], ["up", "--port"], ["up", "--dashboard-port"], ["dashboard", "--port"]]
)
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, words: list[str], port: str) -> None:
    assert run(monkeypatch, *words, port) == 2


@pytest.mark.parametrize("module", ["guessbook.clients.dashboard.app", "guessbook.server.app"])
def test_the_parts_themselves_refuse_it_too(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", module, "--home", str(tmp_path / "home"), "--port", "99999"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "99999 is not a port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--max-steps", "-1"],
        ["--max-steps", str(2**32)],
        ["--seed", "-1"],
        ["--snapshot-steps", "-3"],
        ["--name", "\udcff"],
        ["--dtype", "\udcff"],
    ],
)
def test_what_no_field_can_hold_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], nobody: str, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "a.jsonl").touch()
    assert run(monkeypatch, "--address", nobody, "submit", str(tmp_path / "a.jsonl"), *words) == 2
    assert f"{words[0]} can't be" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["examples", "--limit", "99999999999"],
        ["replay", "latest", "--step", "1", "--limit", "99999999999"],
        ["replay", "latest", "--step", str(10**30)],
        ["log", "--limit", str(10**30)],
        ["log", "--from", str(10**30)],
        ["status", "--at", str(10**30)],
        ["status", "--at", "0001-01-01"],
    ],
)
def test_a_number_beyond_every_log_is_refused(monkeypatch: pytest.MonkeyPatch, nobody: str, words: list[str]) -> None:
    assert run(monkeypatch, "--address", nobody, *words) == 2


def test_a_file_whose_name_is_no_text_still_names_its_job() -> None:
    assert called("", Path(os.fsdecode(b"/data/\xff.jsonl"))) == "\ufffd.jsonl"
    assert called("mine", Path("/data/a.jsonl")) == "mine"


def test_home_may_stand_before_the_verb_and_behind_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, "--home", str(tmp_path / "before"), "verify")
    assert os.environ["GUESSBOOK_HOME"] == str(tmp_path / "before")
    run(monkeypatch, "verify", "--home", str(tmp_path / "behind"))
    assert os.environ["GUESSBOOK_HOME"] == str(tmp_path / "behind")


def test_every_field_of_the_training_config_has_an_option() -> None:
    known = {param.name for param in cli.command().commands["submit"].params}
    assert {field.name for field in events_pb2.TrainingConfig.DESCRIPTOR.fields} <= known


def test_only_given_options_reach_the_config() -> None:
    nothing: dict[str, object] = {field.name: None for field in events_pb2.TrainingConfig.DESCRIPTOR.fields}
    given = chosen({**nothing, "learning_rate": 5e-4, "snapshot_steps": [10, 25], "snapshots": False})
    assert given == events_pb2.TrainingConfig(learning_rate=5e-4, snapshot_steps=[10, 25], snapshots=False)


def test_a_local_model_reaches_the_trainer_by_its_full_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing: dict[str, object] = {field.name: None for field in events_pb2.TrainingConfig.DESCRIPTOR.fields}
    (tmp_path / "model.gguf").touch()
    monkeypatch.chdir(tmp_path)
    assert chosen({**nothing, "base_model": "model.gguf"}).base_model == str(tmp_path / "model.gguf")
    assert chosen({**nothing, "base_model": "org/model"}).base_model == "org/model"


def test_starting_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'peft', 'lmdb', 'dash', 'numpy', 'guessbook.server', 'guessbook.trainer'}"
    program = f"import sys, guessbook.clients.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_json_has_numbers_where_the_schema_has_numbers() -> None:
    run = history_pb2.Run(id="r", step=2**53 - 1, snapshots=[history_pb2.Snapshot(step=3)], learning_rate=0.1)
    document = as_document(run)
    assert document["step"] == 2**53 - 1
    assert document["snapshots"][0]["step"] == 3
    assert document["learning_rate"] == 0.1
    assert document["resumes"] == 0
    steps = as_document(history_pb2.Steps(step=[1, 2]))
    assert steps["step"] == [1, 2]
    assert json.loads(json.dumps(document)) == document


def test_a_point_in_the_past_is_a_position_or_a_time() -> None:
    assert options.parse_at("120") == history_pb2.At(position=120)
    assert options.parse_at("2025-11-17T10:30:00+00:00") == history_pb2.At(time_us=1_763_375_400_000_000)


def test_durations_and_foreign_text_read_well() -> None:
    assert [wording.duration(seconds) for seconds in (5, 125, 1100, 7800)] == [
        "5 s",
        "2 min 5 s",
        "18 min",
        "2 h 10 min",
    ]
    assert visible("a\tb\x1b[0m\n👩‍🔬") == "a\\tb\\x1b[0m\n👩‍🔬"
    assert wording.one_line(" a \n b ") == "a b"


@pytest.mark.parametrize(
    ("outlook", "waits"),
    [
        (history_pb2.JobOutlook(job="a", why="next", trainer="t", starts_at_us=5), ""),
        (history_pb2.JobOutlook(job="a", why="runs", trainer="t"), ""),
        (
            history_pb2.JobOutlook(job="a", why="behind 1 urgent job", trainer="t", starts_at_us=6),
            "behind 1 urgent job",
        ),
        (history_pb2.JobOutlook(job="a", why="the queue is off", starts_at_us=0), "the queue is off"),
        (history_pb2.JobOutlook(job="b", why="next"), ""),
    ],
)
def test_resume_waits_only_for_a_trainer_that_may_begin(outlook: history_pb2.JobOutlook, waits: str) -> None:
    assert why_it_waits("a", history_pb2.ExplainQueueResponse(now_us=5, jobs=[outlook])) == waits


def test_the_demo_has_36_different_questions_with_short_answers() -> None:
    rows = [json.loads(line) for line in EXAMPLES.read_text().splitlines()]
    assert len(rows) == 36
    assert len({row["id"] for row in rows}) == len({row["question"] for row in rows}) == 36
    assert all(0 < len(row["answer"]) <= 20 for row in rows)
    assert {key for row in rows for key in row} == {"id", "question", "answer", "category"}


def test_the_demo_counts_from_the_trajectories() -> None:
    def told(*right: bool) -> history_pb2.Trajectory:
        return history_pb2.Trajectory(observations=[history_pb2.Observation(correct=one) for one in right])

    summary = summarise("r1", [told(False, True), told(False, False), told(True, True), told(True, False)], 12.34)
    assert summary == {"run": "r1", "examples": 4, "wrong_at_start": 2, "wrong_then_right": 1, "seconds": 12.3}
