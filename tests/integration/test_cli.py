"""The command line against a real server, as a person runs it: processes, streams and exit codes."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.scripted import ScriptedTrainer
from server_process import ServerProcess
from terminal import DEADLINE_S, Terminal

from guessbook.clients.client import Guessbook
from guessbook.clients.embedded import serving
from guessbook.proto import events_pb2
from guessbook.store.home import Home

ZSTD = b"\x28\xb5\x2f\xfd"  # the first bytes of a compressed frame
QUESTIONS = [
    ("france", "What is the capital of France?", "Paris"),
    ("sum", "What is 2+2?", "4"),
    ("k", "K?", "Potassium"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """The scripted trainer may stay away as long as it likes."""
    with ServerProcess(tmp_path / "home", trainer_grace=60, start_grace=60) as process:
        yield process


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    file = tmp_path / "facts.jsonl"
    rows = [{"id": id, "question": question, "answer": answer} for id, question, answer in QUESTIONS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def training(terminal: Terminal, trainer: ScriptedTrainer, facts: Path) -> ScriptedTrainer:
    """A run that took its steps 1 to 10, with snapshots at 0 and 10."""
    terminal.json("submit", str(facts), "--base-model", "some/model", "--max-steps", "20")
    trainer.take(total_steps=20, examples=3)
    trainer.snapshot(0, ["Lyon", "5", "Kalium"], [False] * 3, [3.0, 2.0, 4.0])
    trainer.steps(1, 10, [1.5, 1.0, 3.0])
    trainer.snapshot(10, ["Paris", "5", "Kalium"], [True, False, False], [0.2, 1.0, 3.0])
    return trainer


def test_replay_shows_what_was_shown_then(training: ScriptedTrainer, terminal: Terminal) -> None:
    shown, status = terminal.json("examples", "latest"), terminal.json("status")
    training.steps(11, 20, [0.1, 0.1, 2.5])
    training.snapshot(20, ["Paris", "4", "Sodium"], [True, True, False], [0.1, 0.1, 2.5])

    past = terminal.json("replay", "latest", "--step", "10")
    assert past["examples"] == shown["examples"]
    assert past["run"]["states"] == status["run"]["states"]
    assert past["run"]["step"] == 10
    assert past["position"] == status["position"]
    at = ["--at", str(status["position"])]
    assert terminal.json("examples", "latest", *at) == shown
    assert terminal.json("status", *at)["run"] == status["run"]
    assert terminal.json("examples", "latest")["examples"] != shown["examples"]


def test_the_story_of_an_example(training: ScriptedTrainer, terminal: Terminal) -> None:
    story = terminal.run("example", "latest", "france")
    assert story.returncode == 0
    lines = [line.split() for line in story.stdout.splitlines()]
    assert ["0", "✗", "Lyon", "3.00", "50", "%", "unknown"] in lines
    assert ["10", "✓", "Paris", "0.20", "50", "%", "learned"] in lines
    assert "Learned at step 10 ✓" in story.stdout
    document = terminal.json("example", "latest", "#0")
    assert [one["guess"] for one in document["observations"]] == ["Lyon", "Paris"]
    assert document["example"]["learned_step"] == 10


def test_examples_are_filtered_searched_and_counted(training: ScriptedTrainer, terminal: Terminal) -> None:
    learned = terminal.json("examples", "latest", "--state", "learned")
    assert [one["id"] for one in learned["examples"]] == ["france"]
    assert (learned["matching"], learned["total"]) == (1, 3)
    found = terminal.json("examples", "latest", "--search", "KALIUM", "--sort=-loss", "--limit", "1")
    assert [one["id"] for one in found["examples"]] == ["k"]
    assert "1 of 1 that match, 3 in all" in terminal.run("examples", "--state", "learned").stdout


def test_pause_waits_for_the_trainers_answer(training: ScriptedTrainer, terminal: Terminal, book: Guessbook) -> None:
    asking = terminal.start("pause")
    request = next(
        event
        for answer in book.subscribe(1, [f"job/{training.job}"])
        for event in answer.events
        if event.HasField("pause_requested")
    )
    assert asking.poll() is None
    paused = events_pb2.JobPaused(step=10, checkpoint="checkpoint-10")
    subject = f"job/{training.job}"
    training.producer.record(events_pb2.Event(subject=subject, causation=request.position, job_paused=paused))
    out, _ = asking.communicate(timeout=DEADLINE_S)
    assert asking.returncode == 0
    assert "paused after step 10" in out


def test_a_request_nobody_answers_stays_recorded(training: ScriptedTrainer, terminal: Terminal) -> None:
    done = terminal.run("snapshot", "--timeout", "0")
    assert done.returncode == 1
    assert "The request is recorded and stays" in done.stderr
    assert terminal.json("status")["active"]["snapshot_pending"]
    assert terminal.json("stop", "--no-wait")["answer"] is None


def test_a_file_with_bad_lines_is_reported_and_not_queued(terminal: Terminal, facts: Path) -> None:
    with facts.open("a") as file:
        file.write('{"question": "no answer"}\nnot JSON\n')
    done = terminal.run("submit", str(facts), "--base-model", "some/model")
    assert done.returncode == 5
    assert "line 4" in done.stdout
    assert "line 5" in done.stdout
    assert "--skip-bad-lines" in done.stdout
    assert terminal.json("queue")["jobs"] == []
    accepted = terminal.json(
        "submit", str(facts), "--base-model", "some/model", "--skip-bad-lines", "--priority", "high"
    )
    assert accepted["examples"] == 3
    assert [job["priority"] for job in terminal.json("queue")["jobs"]] == ["PRIORITY_HIGH"]


def test_a_dry_run_records_nothing(terminal: Terminal, facts: Path) -> None:
    before = terminal.json("log")["head"]
    answer = terminal.json("submit", str(facts), "--dry-run")
    assert (answer["form"], answer["examples"]) == ("question/answer", 3)
    assert terminal.json("log")["head"] == before


def test_what_is_not_there_exits_with_4(terminal: Terminal) -> None:
    done = terminal.run("example", "no-such-run", "1", "--json")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: ")


def test_log_follows_over_a_restart_of_the_server(terminal: Terminal, server: ServerProcess, facts: Path) -> None:
    following = terminal.start("log", "--follow", "--json", "--subject", "job/")
    assert following.stdout
    terminal.json("submit", str(facts), "--base-model", "some/model")
    first = json.loads(following.stdout.readline())
    server.kill()
    server.start()
    terminal.json("submit", str(facts), "--base-model", "some/model")
    second = json.loads(following.stdout.readline())
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=DEADLINE_S)
    assert following.returncode == 130
    assert "job_queued" in first
    assert "job_queued" in second
    assert first["position"] < second["position"]


def test_verify_with_and_without_a_server(training: ScriptedTrainer, terminal: Terminal, server: ServerProcess) -> None:
    head = terminal.json("log")["head"]
    assert terminal.json("verify")["head"] == head
    training.close()
    server.kill()
    assert terminal.json("verify")["ok"]
    assert terminal.run("status").returncode == 3


def test_verify_names_the_first_bad_position(facts: Path, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "damaged").start()
    terminal = Terminal(server.home.root)
    terminal.json("submit", str(facts), "--base-model", "some/model")
    server.kill()
    file = server.home.log / "data.mdb"
    pieces = file.read_bytes().split(ZSTD)  # each piece but the first begins inside a frame
    file.write_bytes(ZSTD.join([pieces[0], *(piece[:8] + b"!" + piece[9:] for piece in pieces[1:])]))
    done = terminal.run("verify", "--json")
    verdict = json.loads(done.stdout)
    assert done.returncode == 1
    assert not verdict["ok"]
    assert f"damaged at position {verdict['first_bad_position']}" in terminal.run("verify").stderr


def test_doctor_finds_the_server_and_its_log(training: ScriptedTrainer, terminal: Terminal) -> None:
    levels = {check["name"]: check["level"] for check in terminal.json("doctor")["checks"]}
    assert levels["reachable"] == levels["connected"] == levels["log"] == levels["home"] == "ok"


def test_two_servers_on_one_data_folder_are_refused(terminal: Terminal) -> None:
    done = terminal.run("up", "--port", "0", "--dashboard-port", "0")
    assert done.returncode == 5
    assert "a server already runs" in done.stderr


def test_a_token_is_made_used_and_revoked(terminal: Terminal, server: ServerProcess) -> None:
    made = terminal.run("token", "create", "anna", "--role", "viewer")
    secret = made.stdout.strip()
    assert "not shown again" in made.stderr
    anna = Terminal(server.home.root)
    anna.environment["GUESSBOOK_TOKEN"] = secret
    assert anna.run("status").returncode == 0
    assert anna.run("pause").returncode == 8
    assert {token["name"]: token["role"] for token in terminal.json("token", "list")["tokens"]} == {
        "viewer": "ROLE_VIEWER",
        "operator": "ROLE_OPERATOR",
        "trainer": "ROLE_TRAINER",
        "admin": "ROLE_ADMIN",
        "anna": "ROLE_VIEWER",
    }
    assert "anna" in terminal.run("token", "list").stdout
    assert terminal.json("token", "revoke", "anna")["token"]["revoked_at_us"]
    refused = anna.run("status")
    assert refused.returncode == 7
    assert "GUESSBOOK_TOKEN" in refused.stderr
    assert "TokenRevoked token/anna" in terminal.run("log", "--subject", "token/").stdout


def test_the_last_events_of_a_subject_are_found_however_far_back(training: ScriptedTrainer, terminal: Terminal) -> None:
    (event,) = terminal.json("log", "--subject", "job/", "--limit", "1")["events"]
    assert "job_started" in event  # eighteen other events came since
    assert terminal.json("log", "--limit", "1")["events"][0]["position"] > event["position"]


@pytest.fixture
def elsewhere(server: ServerProcess, tmp_path: Path) -> Terminal:
    """Another data folder, whose last server was killed and left its address behind: now `server` answers there."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "server.address").write_text(server.address + "\n")
    terminal = Terminal(folder)
    terminal.environment["GUESSBOOK_TOKEN"] = server.home.token()  # as if one token were good for all servers
    return terminal


def test_nothing_is_submitted_to_the_server_of_another_folder(
    elsewhere: Terminal, facts: Path, book: Guessbook, server: ServerProcess
) -> None:
    done = elsewhere.run("submit", str(facts), "--base-model", "some/model")
    assert done.returncode == 5
    assert f"has another data folder: {server.home.root}" in done.stderr
    del elsewhere.environment["GUESSBOOK_TOKEN"]
    unknown = elsewhere.run("submit", str(facts), "--base-model", "some/model")
    assert unknown.returncode == 7
    assert "another data folder" in unknown.stderr
    assert not book.jobs().jobs
    elsewhere.environment["GUESSBOOK_TOKEN"] = server.home.token()
    named = elsewhere.run("--address", server.address, "submit", str(facts), "--base-model", "some/model")
    assert named.returncode == 0, named.stderr
    assert len(book.jobs().jobs) == 1


def test_a_server_of_another_folder_is_not_this_ones(
    elsewhere: Terminal, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUESSBOOK_TOKEN", elsewhere.environment["GUESSBOOK_TOKEN"])
    assert not serving(Home(Path(elsewhere.environment["GUESSBOOK_HOME"])))
    assert serving(server.home)
