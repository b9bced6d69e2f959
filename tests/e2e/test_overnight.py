"""A night in short: twenty jobs by inbox and command line, a file that is bad, a job that fails, a preemption, a pause, a server and a trainer killed.

Everything is as a person has it: `guessbook up` and its three processes, files dropped into the inbox, commands typed.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Unreachable
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_QUEUED, Job
from guessbook.store.home import Home
from guessbook.store.verify import verify

NIGHT_S = 240
LONG_STEPS = 1200
SHORT = {"max_steps": 4, "snapshot_steps": [1000], "max_new_tokens": 4, "tracked_examples": 2}
SLOW = ["--max-steps", str(LONG_STEPS), "--save-steps", "100", "--lora-dropout", "0.1", "--no-snapshots"]
QUICK = [word for key, value in SHORT.items() for word in (f"--{key.replace('_', '-')}", str(value).strip("[]"))]
STORY_OF_THE_LONG_JOB = [
    *("job_queued", "job_leased", "job_started"),
    *("stop_requested", "job_stopped"),  # the urgent one came
    *("job_leased", "job_resumed", "pause_requested", "job_paused", "resume_requested"),
    *("job_leased", "job_resumed", "job_interrupted"),  # its trainer was killed; that the server was is not its story
    *("job_leased", "job_resumed", "job_completed"),
]

pytestmark = pytest.mark.timeout(2 * NIGHT_S)


class Night:
    """`guessbook up` on a data folder, what is typed beside it, and what the log says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.terminal = Terminal(self.home.root)
        model = make_tiny_model(folder / "model")
        self._up = self.terminal.start(
            "up", "--port", "0", "--dashboard-port", "0", "--base-model", str(model), "--json"
        )
        assert self._up.stdout
        self.address = json.loads(self._up.stdout.readline())["address"]
        self.book = Guessbook(self.address, self.home.token)

    def dawn(self) -> None:
        self._up.send_signal(signal.SIGTERM)
        assert self._up.wait(NIGHT_S) == 0, "a part that was restarted is no failure"
        assert self._up.stdout
        self._up.stdout.close()
        self.book.close()

    def kill(self, module: str) -> None:
        """As the kernel's out-of-memory killer does it."""
        children = Path(f"/proc/{self._up.pid}/task/{self._up.pid}/children").read_text().split()
        (pid,) = [int(child) for child in children if module in Path(f"/proc/{child}/cmdline").read_text()]
        os.kill(pid, signal.SIGKILL)

    def file(self, name: str, first: int) -> Path:
        """Eight sums that no other file has."""
        file = self.folder / f"{name}.jsonl"
        rows = [{"question": f"{i}+{i}?", "answer": str(2 * i)} for i in range(first, first + 8)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return file

    def drop(self, name: str, first: int, box: str) -> None:
        file = self.file(name, first)
        (self.home.root / "inbox" / box / f"{name}.yaml").write_text(json.dumps(SHORT))
        file.rename(self.home.root / "inbox" / box / file.name)

    def submit(self, name: str, first: int, *options: str) -> str:
        job: str = self.terminal.json("submit", str(self.file(name, first)), *options)["job"]["id"]
        return job

    def jobs(self) -> dict[str, Job]:
        return {job.name.removesuffix(".jsonl"): job for job in self.book.jobs().jobs}

    def events(self, job: str, *bodies: str) -> list[Event]:
        found = self.book.read(subjects=[f"job/{job}"])
        return [event for event in found if not bodies or event.WhichOneof("body") in bodies]

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + NIGHT_S
        while not what():
            assert time.monotonic() < deadline, [(job.name, job.state, job.error) for job in self.jobs().values()]
            assert self._up.poll() is None
            time.sleep(0.05)

    def until_step(self, name: str, beyond: int) -> int:
        """The step that a job is at when it is further than that."""
        self.until(lambda: bool(self.jobs()[name].run) and self.step(name) > beyond)
        return self.step(name)

    def step(self, name: str) -> int:
        runs = {run.job: run for run in self.book.runs().runs}
        job = self.jobs()[name].id
        return runs[job].step if job in runs else 0


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The whole night; the tests look at what it left."""
    night = Night(tmp_path_factory.mktemp("night"))
    _evening(night)
    assert night.terminal.run("queue", "on").returncode == 0
    _preempted(night)
    _paused_and_resumed(night)
    _server_killed(night)
    _trainer_killed(night)
    night.until(lambda: all(job.state in (JOB_STATE_COMPLETED, JOB_STATE_FAILED) for job in night.jobs().values()))
    night.until(lambda: not list((night.home.root / "data" / "active").iterdir()))
    yield night
    night.dawn()
    assert verify(night.home.log).ok


def _evening(night: Night) -> None:
    """Everything is handed in before the first job begins."""
    assert night.terminal.run("queue", "pause", "--reason", "until all is in").returncode == 0
    night.submit("long", 0, "--priority", "high", *SLOW)
    for number in range(3):
        night.drop(f"priority{number}", 100 + 8 * number, "priority")
    for number in range(8):
        night.drop(f"normal{number}", 200 + 8 * number, "normal")
    (night.home.root / "inbox" / "normal" / "bad.jsonl").write_text(
        '{"question": "1?", "answer": "1"}\n{"question": \n'
    )
    first = night.submit("low", 300, "--priority", "low", *QUICK)
    night.submit("behind", 308, "--after", first, "--priority", "high", *QUICK)
    night.submit("failing", 316, "--lora-target-modules", "no_such_module", *QUICK)
    night.submit("twin", 0, "--priority", "low", *SLOW)
    night.submit("ordinary", 324, *QUICK)
    night.submit("lower", 332, "--priority", "low", *QUICK)
    night.submit("higher", 340, "--priority", "high", *QUICK)
    night.until(lambda: len(night.jobs()) == 19)
    assert {job.state for job in night.jobs().values()} == {JOB_STATE_QUEUED}, "the queue is paused"


def _preempted(night: Night) -> None:
    night.until_step("long", 20)
    night.submit("urgent", 348, "--priority", "urgent", "--preempt", *QUICK)
    night.until(lambda: night.jobs()["urgent"].state == JOB_STATE_COMPLETED)
    night.until(lambda: len(night.events(night.jobs()["long"].id, "job_resumed")) == 1)


def _paused_and_resumed(night: Night) -> None:
    night.until_step("long", night.step("long"))
    assert night.terminal.run("pause", night.jobs()["long"].id).returncode == 0
    assert night.terminal.run("resume", night.jobs()["long"].id).returncode == 0


def _server_killed(night: Night) -> None:
    step = night.until_step("long", night.step("long"))
    night.kill("guessbook.server.app")
    night.until(lambda: _answers(night) and night.step("long") > step)


def _answers(night: Night) -> bool:
    try:
        return bool(night.book.status().home)
    except Unreachable:
        return False


def _trainer_killed(night: Night) -> None:
    night.until_step("long", night.step("long"))
    night.kill("guessbook.trainer.daemon")
    night.until(lambda: len(night.events(night.jobs()["long"].id, "job_interrupted")) == 1)


def test_every_job_ends_where_it_should(night: Night) -> None:
    ends = {name: job.state for name, job in night.jobs().items()}
    assert len(ends) == 20
    assert {name for name, state in ends.items() if state == JOB_STATE_FAILED} == {"failing"}
    assert set(ends.values()) == {JOB_STATE_COMPLETED, JOB_STATE_FAILED}
    assert len(night.book.versions().versions) == 19
    for job in night.jobs().values():
        assert len(night.events(job.id, "job_completed", "job_failed")) == 1


def test_the_log_tells_the_story_of_the_job_that_had_it_hardest(night: Night) -> None:
    jobs = night.jobs()
    story = night.events(jobs["long"].id)
    assert [event.WhichOneof("body") for event in story] == STORY_OF_THE_LONG_JOB
    assert next(e for e in story if e.HasField("stop_requested")).stop_requested.preempted_by == jobs["urgent"].id
    started = [event for event in night.book.read(subjects=["server"]) if event.HasField("server_started")]
    assert len(started) == 2


def test_it_ended_as_if_nothing_had_happened(night: Night) -> None:
    """Its twin has the same data and config and was never disturbed."""
    files: dict[str, dict[str, str]] = {
        version.job: {file.path: file.sha256 for file in version.files} for version in night.book.versions().versions
    }
    weights = "adapter_model.safetensors"
    jobs = night.jobs()
    assert files[jobs["long"].id][weights] == files[jobs["twin"].id][weights]


def test_the_more_urgent_went_first(night: Night) -> None:
    def begun(name: str) -> int:
        return night.events(night.jobs()[name].id, "job_leased")[0].position

    assert begun("long") < begun("priority0") < begun("priority1") < begun("priority2") < begun("higher")
    assert begun("higher") < begun("normal0") < begun("normal7") < begun("lower")
    assert begun("failing") < begun("ordinary") < begun("low") < begun("behind")


def test_the_inbox_is_empty_and_nothing_of_it_is_lost(night: Night) -> None:
    root = night.home.root
    assert [file for box in ("priority", "normal") for file in (root / "inbox" / box).iterdir()] == []
    assert len(list((root / "data" / "completed").glob("*.jsonl"))) == 11
    assert '{"question": \n' in (root / "inbox" / "rejected" / "bad.jsonl").read_text()
    (report,) = [file for file in (root / "inbox" / "rejected").iterdir() if file.name != "bad.jsonl"]
    assert "line 2" in report.read_text()


def test_why_a_job_failed_is_said(night: Night) -> None:
    job: dict[str, Any] = next(job for job in night.terminal.json("queue")["jobs"] if job["name"].startswith("failing"))
    assert "no_such_module" in job["error"]
