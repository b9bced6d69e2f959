"""`guessbook up` with real processes: what is killed comes back, and a stop leaves nobody behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from made_events import write_questions
from tiny_model import make_tiny_model

from guessbook.clients.cli.running import processes
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Unreachable
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.store.home import Home
from guessbook.store.spool import Spool
from guessbook.store.verify import verify

PARTS = {"up", "server", "dashboard", "trainer"}
LONGEST_S = 60.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


class Up:
    """`guessbook up` until the `with` ends. `told`: what it said on standard error."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self._said = root.parent / "up.err"

    def __enter__(self) -> Self:
        os.environ["GUESSBOOK_HOME"] = str(self.home.root)
        command = [
            sys.executable,
            "-m",
            "guessbook.clients.cli.main",
            "up",
            "--json",
            "--port",
            "0",
            "--dashboard-port",
            "0",
        ]
        with self._said.open("ab") as said:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=said, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        assert self.process.stdout
        with self.process.stdout as output:
            first = output.readline()
        assert first, self.told
        self.place: dict[str, str] = json.loads(first)
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.stop()
        until(lambda: not self.alive)
        verdict = verify(self.home.log)
        assert verdict.ok, verdict

    @property
    def told(self) -> str:
        return self._said.read_text()

    @property
    def alive(self) -> dict[str, int]:
        return processes(self.home)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=LONGEST_S)

    def kill_part(self, name: str) -> None:
        """Returns when another process has its place."""
        before = self.alive[name]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.alive.get(name, before) != before)

    def book(self) -> Guessbook:
        return Guessbook(self.place["address"], self.home.token)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path / "home") as running:
        yield running


def _answers(book: Guessbook) -> bool:
    try:
        book.head()
    except Unreachable:
        return False
    return True


@pytest.mark.timeout(180)
def test_what_is_killed_is_started_again_and_the_job_completes(up: Up, tmp_path: Path, model: Path) -> None:
    link = (up.home.root / "dashboard.link").read_text()
    config = e.TrainingConfig(base_model=str(model), max_steps=150, save_steps=10, snapshot_steps=[], max_new_tokens=4)
    with up.book() as book:
        book.submit(write_questions(tmp_path / "sums.jsonl", 8), config=config)
        until(lambda: any(event.HasField("checkpoint_saved") for event in book.read()))
        up.kill_part("trainer")
        up.kill_part("server")
        up.kill_part("dashboard")
        until(lambda: _answers(book))  # at the same address
        until(lambda: [job.state for job in book.jobs().jobs] == [h.JOB_STATE_COMPLETED])
        until(lambda: (up.home.root / "dashboard.link").exists())
    assert (up.home.root / "dashboard.link").read_text() == link
    for name in ("trainer", "server", "dashboard"):
        assert f"the {name} ended (by SIGKILL)" in up.told
        assert f"started the {name} again" in up.told
        assert list((up.home.logs / name).glob("*.log"))
    assert set(up.alive) == PARTS
    assert up.stop() == 0
    stops = [line for line in up.told.splitlines() if line.startswith("stopping")]
    assert stops == ["stopping the trainer …", "stopping the dashboard …", "stopping the server …"]


def test_a_trainer_whose_name_is_taken_is_not_tried_for_ever(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.spool.mkdir(parents=True)
    spool = Spool(home.spool / f"{socket.gethostname()}.sqlite")
    try:
        with Up(home.root) as up:
            until(lambda: "is not started again" in up.told)
            assert "the trainer ended (exit code 6)" in up.told
            assert set(up.alive) == PARTS - {"trainer"}
            assert up.stop() == 0
    finally:
        spool.close()


def test_a_second_signal_kills_what_is_left(up: Up) -> None:
    trainer = up.alive["trainer"]
    os.kill(trainer, signal.SIGSTOP)  # it will not end by itself
    until(
        lambda: "State:\tT" in Path(f"/proc/{trainer}/status").read_text()
    )  # of two signals the kernel delivers SIGTERM first
    up.process.send_signal(signal.SIGTERM)
    until(lambda: "stopping the trainer" in up.told)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=LONGEST_S) == 0
    assert "the trainer does not end; killing it" in up.told


def test_parts_outlive_a_killed_supervisor_and_the_next_one_says_so(tmp_path: Path) -> None:
    with Up(tmp_path / "home") as up:
        up.process.kill()
        up.process.wait()
        left = up.alive
        assert set(left) == PARTS - {"up"}
        with up.book() as book:
            assert book.status().home == str(up.home.root)
        command = [sys.executable, "-m", "guessbook.clients.cli.main", "up", "--port", "0", "--dashboard-port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        assert done.returncode == 5
        for name, pid in left.items():
            assert f"{name} (process {pid})" in done.stderr
        assert up.alive == left
        for pid in left.values():
            os.kill(pid, signal.SIGTERM)
