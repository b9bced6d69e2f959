"""Commands as files, and the files that show the present, on a real server."""

import asyncio
import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from eventually import eventually
from made_events import run_start, step, write_questions
from made_versions import CONFIG, ScriptedTrainer
from operations import ENDS
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.server.control_files import ControlFiles
from guessbook.server.live_book import LiveBook
from guessbook.server.safety import Safety
from guessbook.store.home import Home

ME = f"owner:{getpass.getuser()}"
QUEUE_KEYS = ["active", "queued", "paused", "completed"]


@pytest.fixture
def trainer(server: ServerProcess, tmp_path: Path) -> Iterator[ScriptedTrainer]:
    made = ScriptedTrainer(server, tmp_path)
    yield made
    made.close()


def touch(server: ServerProcess, name: str, content: str = "") -> str:
    """Makes a control file, waits until it has disappeared, and returns the answer."""
    path = server.home.control / name
    path.write_text(content)
    eventually(lambda: not path.exists())
    return (server.home.control / "last_answer.txt").read_text()


def begin(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path, total_steps: int = 8) -> h.Job:
    """A job that runs."""
    book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG)
    answer = book.lease(trainer.name, trainer.epoch)
    started = e.Event(subject=f"job/{answer.job.id}", job_started=e.JobStarted(run=answer.run))
    trainer.say(run_start(4, answer.run, answer.job.id, answer.job.dataset, total_steps), started)
    return answer.job


def shown(server: ServerProcess, name: str = "queue.json") -> dict[str, Any]:
    """What a file shows; at no moment is it half of one."""
    found: dict[str, Any] = json.loads((server.home.control / name).read_text())
    return found


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (".pause", "pause_requested"),
        (".stop", "stop_requested"),
        (".skip", "batch_skip_requested"),
        (".snapshot", "snapshot_requested"),
    ],
)
def test_touching_a_file_is_the_command(
    name: str, body: str, server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    job = begin(book, trainer, tmp_path)
    assert "sums.jsonl will" in touch(server, name)
    assert "already" in touch(server, name, job.id)
    told = [event for event in book.read(subjects=[f"job/{job.id}"]) if event.WhichOneof("body") == body]
    assert [event.actor for event in told] == [ME]


def test_a_priority_is_given_by_what_the_file_holds(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    first = book.submit(write_questions(tmp_path / "first.jsonl", 4), config=CONFIG).job.id
    second = book.submit(write_questions(tmp_path / "second.jsonl", 5), config=CONFIG).job.id
    assert "second.jsonl has the priority high now" in touch(server, ".priority", f"{second} high\n")
    assert [job.id for job in book.jobs().jobs] == [second, first]
    assert "second.jsonl has the priority urgent now" in touch(server, ".priority"), "empty: the job that is next"
    assert "first.jsonl has the priority urgent now" in touch(server, ".priority", first)
    assert "second.jsonl has the priority low now" in touch(server, ".priority", f"{second} low")
    assert [job.priority for job in book.jobs().jobs] == [e.PRIORITY_URGENT, e.PRIORITY_LOW]


def test_a_pause_and_a_resume(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    job = book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG).job.id
    assert "is paused now" in touch(server, ".pause", job)
    assert eventually(lambda: shown(server)["paused"])[0]["id"] == job
    assert "back in the queue" in touch(server, ".resume")


def test_what_is_refused_is_answered_and_the_file_goes(server: ServerProcess, book: Guessbook) -> None:
    eventually(server.home.control.exists)
    answer = touch(server, ".stop")
    assert f".stop ({ME}): refused: no job is running." in answer
    assert "there is no job nonsense" in touch(server, ".pause", "nonsense")
    assert "it has more than 1,000 bytes" in touch(server, ".pause", "x" * 2000)
    assert "there is no version" in touch(server, ".consolidate", "v999")


def test_what_can_not_be_removed_holds_up_no_other(server: ServerProcess, book: Guessbook) -> None:
    eventually(server.home.control.exists)
    (server.home.control / ".stop").mkdir()
    answer = server.home.control / "last_answer.txt"
    eventually(lambda: answer.exists() and "it is a folder" in answer.read_text())
    assert "no job is paused" in touch(server, ".resume")


def test_an_answer_that_can_not_be_written_repeats_no_command(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    job = begin(book, trainer, tmp_path)
    (server.home.control / "last_answer.txt").mkdir()
    path = server.home.control / ".snapshot"
    path.touch()
    eventually(lambda: not path.exists())
    events = list(book.read(subjects=[f"job/{job.id}"]))
    assert [event.HasField("snapshot_requested") for event in events].count(True) == 1


def test_what_can_not_be_removed_is_obeyed_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    stuck = home.control / ".stop"
    stuck.mkdir(parents=True)
    files = ControlFiles(cast(LiveBook, None), home, cast(Safety, None))  # what is refused as a file asks neither
    answer = home.control / "last_answer.txt"

    async def twice() -> None:
        with pytest.raises(OSError):
            await files._obey(stuck)
        assert "it is a folder" in answer.read_text()
        answer.unlink()
        with pytest.raises(OSError):
            await files._obey(stuck)
        assert not answer.exists(), "an old answer takes no newer one's place"

    asyncio.run(twice())


def test_a_file_from_before_the_start_is_obeyed(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    job = book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG).job.id
    server.stop()
    path = server.home.control / ".pause"
    path.write_text(job)
    server.start()
    eventually(lambda: not path.exists())
    assert book.jobs().jobs[0].state == h.JOB_STATE_PAUSED


def test_a_consolidation_goes_the_guarded_way(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer) -> None:
    version = trainer.version(book, "facts")
    assert f"{version} is being consolidated" in touch(server, ".consolidate")
    operation = book.operations().operations[0]
    assert (operation.kind, operation.target, operation.actor) == ("consolidate", version, ME)
    assert operation.reason == "control/.consolidate"
    eventually(lambda: any(job.consolidate for job in book.jobs().jobs))
    book.abort_operation(operation.id, reason="enough")
    eventually(lambda: ENDS & {event.WhichOneof("body") for event in book.read(subjects=[f"operation/{operation.id}"])})


def test_the_files_show_the_present(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    job = begin(book, trainer, tmp_path)
    for number in range(1, 4):
        trainer.say(step(number, "run-0001"))
    waiting = book.submit(write_questions(tmp_path / "next.jsonl", 5), priority=e.PRIORITY_HIGH, config=CONFIG).job
    eventually(lambda: shown(server)["queued"] and shown(server)["active"]["progress"]["step"] == 3)
    queue = shown(server)
    assert list(queue) == QUEUE_KEYS
    active = queue["active"]
    assert list(active) == ["id", "file", "priority", "started", "progress", "status"]
    assert (active["id"], active["file"], active["priority"], active["status"]) == (
        job.id,
        "sums.jsonl",
        "normal",
        "training",
    )
    assert active["started"].endswith("Z")
    progress = active["progress"]
    assert (progress["step"], progress["total_steps"], progress["percent"]) == (3, 8, 37)
    assert isinstance(progress["eta_minutes"], int)
    (queued,) = queue["queued"]
    assert list(queued) == ["id", "file", "priority", "queued_at", "estimated_start"]
    assert (queued["id"], queued["priority"]) == (waiting.id, "high")
    assert queued["estimated_start"] is None or queued["estimated_start"] >= queued["queued_at"]
    state = shown(server, "current_state.json")
    assert list(state)[: len(QUEUE_KEYS)] == QUEUE_KEYS
    assert (state["active"]["id"], state["all_active"]) == (job.id, [state["active"]])
    assert (state["queue"], state["server_running"]) == ("on", True)
    assert [one["id"] for one in state["trainers"]] == [trainer.name]


def test_a_completed_job_is_shown_with_its_version(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    version = trainer.version(book, "facts")
    (completed,) = eventually(lambda: shown(server)["completed"])
    assert list(completed) == ["id", "file", "completed_at", "version_created"]
    assert (completed["file"], completed["version_created"]) == ("facts.jsonl", version)
    assert shown(server)["active"] is None


def test_after_a_stop_the_files_say_that_no_server_runs(server: ServerProcess, book: Guessbook) -> None:
    eventually((server.home.control / "current_state.json").exists)
    server.stop()
    assert shown(server, "current_state.json")["server_running"] is False
    server.start()
    eventually(lambda: shown(server, "current_state.json")["server_running"])
