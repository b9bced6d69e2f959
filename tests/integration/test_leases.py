"""Trainers that say nothing for too long lose their jobs, and what they say later is refused: real processes, stopped and woken up again."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

import grpc
import pytest
from made_events import run_start, step, write_questions
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.connection import channel
from guessbook.clients.errors import Displaced
from guessbook.clients.producer import Producer
from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import Device, Event, Events, TrainerConnected, TrainingConfig
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, Job
from guessbook.proto.log_pb2_grpc import LogStub

PATIENCE_S = 30.0
HEARTBEAT_S = 0.5
CONFIG = TrainingConfig(base_model="tiny", max_steps=5)

# A trainer without a model. It answers each line of its input: a step of the run at hand is recorded; "hold 3" keeps the interpreter for so long.
TRAINER = """
import ctypes, sys
from pathlib import Path
from made_events import step
from guessbook.clients.client import Guessbook
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import TrainerConnected
name, folder, address = sys.argv[1:]
producer = Producer(name, Path(folder) / f"{name}.sqlite", address, TrainerConnected(device="cpu"))
producer.start()
epoch = producer.wait_welcome(30)
with Guessbook(address) as book:
    run = book.lease(name, epoch).run
print(run, flush=True)
for line in sys.stdin:
    if line.startswith("hold"):
        ctypes.PyDLL(None).sleep(int(line.split()[1]))
    else:
        producer.record(step(int(line), run))
        producer.flush(30)
    print(type(producer.failure).__name__, flush=True)
producer.close(0)
"""


class TrainerProcess:
    """A trainer in a process of its own, that has leased a job; as a context it is killed at the end."""

    def __init__(self, server: ServerProcess, folder: Path, name: str) -> None:
        command = [sys.executable, "-c", TRAINER, name, str(folder), server.address]
        tests = {"PYTHONPATH": str(Path(__file__).parents[1]), "GUESSBOOK_HOME": str(server.home.root), "PATH": ""}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=tests)
        self.run = self._line()

    def say(self, line: object) -> str:
        """Has it do something and returns what its producer failed with, "NoneType" if it didn't."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._line()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """One that notices within a second that somebody is silent."""
    options = ["--trainer-heartbeat", str(HEARTBEAT_S)]
    with ServerProcess(tmp_path / "home", options=options) as process:
        yield process


@pytest.fixture
def other(server: ServerProcess, tmp_path: Path) -> Iterator[Producer]:
    with Producer("other", tmp_path / "other.sqlite", server.address, TrainerConnected(device="cpu")) as producer:
        producer.wait_welcome(PATIENCE_S)
        yield producer


def wait_for(book: Guessbook, kind: str, position: int = 1) -> Event:
    for answer in book.subscribe(position):
        for event in answer.events:
            if event.WhichOneof("body") == kind:
                return event
    raise AssertionError("a subscription does not end")


def steps(book: Guessbook) -> list[tuple[int, int]]:
    """Each step that was recorded, and its position."""
    return [(event.step_completed.step, event.position) for event in book.read() if event.HasField("step_completed")]


def active(book: Guessbook) -> Job:
    (job,) = [job for job in book.jobs().jobs if job.state == JOB_STATE_ACTIVE]
    return job


def queued(book: Guessbook, folder: Path) -> None:
    book.submit(write_questions(folder / "sums.jsonl", 4), config=CONFIG)


def test_a_stopped_process_loses_its_job_and_what_it_says_later_is_refused(
    server: ServerProcess, book: Guessbook, other: Producer, tmp_path: Path
) -> None:
    queued(book, tmp_path)
    with TrainerProcess(server, tmp_path, "box") as trainer:
        start = run_start(4, run=trainer.run, job=active(book).id, dataset=active(book).dataset)
        assert trainer.say(1) == "NoneType"  # the run has not begun, but its steps are taken
        trainer.signal(signal.SIGSTOP)
        lost = wait_for(book, "job_interrupted")
        assert lost.job_interrupted.reason == "its stream ended"
        lease = book.lease("other", other.epoch)
        assert lease.run == trainer.run
        other.record(start)
        other.record(step(1, lease.run))
        assert other.flush(PATIENCE_S)

        before = book.head().position
        trainer.signal(signal.SIGCONT)
        assert trainer.say(2) == "Displaced"
        assert [number for number, position in steps(book) if position > before] == []
        assert active(book).trainer == "other"
        other.record(step(2, lease.run))
        assert other.flush(PATIENCE_S)


def test_one_that_wakes_up_before_anybody_took_its_job_goes_on_with_it(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    queued(book, tmp_path)
    with TrainerProcess(server, tmp_path, "box") as trainer:
        trainer.signal(signal.SIGSTOP)
        lost = wait_for(book, "job_interrupted")
        trainer.signal(signal.SIGCONT)
        assert wait_for(book, "job_leased", lost.position).job_leased.trainer == "box"
        assert trainer.say(1) == "NoneType"
        assert [number for number, _ in steps(book)] == [1]


def test_one_that_computes_for_long_is_not_taken_for_lost(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    queued(book, tmp_path)
    with TrainerProcess(server, tmp_path, "box") as trainer:
        assert trainer.say("hold 4") == "NoneType"  # eight heartbeats in which no line of Python runs
        assert trainer.say(1) == "NoneType"
        assert not [event for event in book.read() if event.WhichOneof("body") in ("job_interrupted", "trainer_lost")]


def test_what_was_refused_is_kept_and_the_trainer_begins_anew(
    server: ServerProcess, book: Guessbook, other: Producer, tmp_path: Path
) -> None:
    queued(book, tmp_path)
    spool = server.home.spool / "box.sqlite"
    with Producer("box", spool, server.address, TrainerConnected(device="cpu")) as before:
        first = book.lease("box", before.wait_welcome(PATIENCE_S))
    wait_for(book, "job_interrupted")
    book.lease("other", other.epoch)

    late = Producer("box", spool, server.address, TrainerConnected(device="cpu"))
    late.record(step(7, first.run))
    late.start()
    assert not late.flush(PATIENCE_S)
    assert isinstance(late.failure, Displaced)
    assert not late.close(PATIENCE_S)
    (aside,) = (server.home.spool / "superseded").iterdir()
    assert aside.name.startswith("box_2_")
    assert str(aside) in late.failure.hint
    with sqlite3.connect(aside) as kept:
        assert kept.execute("SELECT count(*) FROM batches").fetchone() == (1,)
    kept.close()
    assert not late.close(0)  # a second time does nothing, though the place is another's by now

    queued(book, tmp_path)
    with Producer("box", spool, server.address, TrainerConnected(device="cpu")) as again:
        assert again.wait_welcome(PATIENCE_S) == 3
        second = book.lease("box", again.epoch)
        assert second.run not in ("", first.run)
        again.record(step(1, second.run))
        assert again.flush(PATIENCE_S)
    assert [number for number, _ in steps(book)] == [1]


def test_what_is_stored_is_acknowledged_again_whoever_has_the_job_by_now(
    server: ServerProcess, book: Guessbook, other: Producer, tmp_path: Path
) -> None:
    queued(book, tmp_path)

    def appended(epoch: int, *batches: log_pb2.Batch) -> list[log_pb2.AppendResponse]:
        """The answers of a trainer's stream, which leases a job as soon as it is taken in."""
        requests: SimpleQueue[log_pb2.AppendRequest | None] = SimpleQueue()
        hello = log_pb2.Hello(producer="box", epoch=epoch, trainer=TrainerConnected(device="cpu"))
        requests.put(log_pb2.AppendRequest(hello=hello))
        with channel(server.address) as connection:
            answers: Any = LogStub(connection).Append(iter(requests.get, None))
            told = [next(answers)]
            if not epoch:
                book.lease("box", told[0].welcome.epoch)
            for batch in batches:
                requests.put(log_pb2.AppendRequest(batch=batch))
                told.append(next(answers))
            requests.put(None)
            return told

    batch = log_pb2.Batch(sequence=1, events=Events(events=[step(1, "run-0001")]))
    first = appended(0, batch)[-1].ack
    wait_for(book, "job_interrupted")
    assert book.lease("other", other.epoch).run == "run-0001"
    again = appended(1, batch)[-1].ack
    assert (again.duplicate, again.first_position) == (True, first.first_position)
    new = log_pb2.Batch(sequence=2, events=Events(events=[step(2, "run-0001")]))
    with pytest.raises(grpc.RpcError) as refused:
        appended(1, new)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_devices_are_declared(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    here = TrainerConnected(device="cuda:0 H100", devices=[Device(name="H100", memory_bytes=80 * 10**9)])
    with Producer("box", tmp_path / "box.sqlite", server.address, here) as producer:
        producer.wait_welcome(PATIENCE_S)
        (trainer,) = book.status().trainers
        assert [(device.name, device.memory_bytes) for device in trainer.devices] == [("H100", 80 * 10**9)]
