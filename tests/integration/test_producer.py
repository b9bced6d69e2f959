"""The producer against a real server that is killed: nothing recorded is lost, nothing is stored twice."""

import statistics
import threading
import time
from pathlib import Path

import pytest
from made_events import run_start, step
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Fenced, Forbidden, Invalid, SpoolFull, Unreachable
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import Event, JobQueued, TrainerConnected

PATIENCE_S = 30.0


def _steps(book: Guessbook) -> list[int]:
    return [event.step_completed.step for event in book.read(subjects=["run/"]) if event.HasField("step_completed")]


def test_what_is_recorded_while_the_server_is_dead_arrives_once(server: ServerProcess, tmp_path: Path) -> None:
    producer = Producer("p", tmp_path / "p.sqlite", server.address)
    producer.start()
    producer.record(run_start(1))
    number = 0
    for _ in range(5):
        for _ in range(200):
            number += 1
            producer.record(step(number))
        server.kill()
        for _ in range(50):
            number += 1
            producer.record(step(number))
        server.start()
    assert producer.flush(PATIENCE_S)
    assert producer.pending == 0
    assert producer.close()
    with server.client() as book:
        assert _steps(book) == list(range(1, number + 1))


def test_a_spool_is_delivered_by_the_next_process(server: ServerProcess, tmp_path: Path) -> None:
    first = Producer("p", tmp_path / "p.sqlite", server.address)
    first.start()
    first.record(run_start(1))
    assert first.flush(PATIENCE_S)
    server.kill()
    for number in range(1, 4):
        first.record(step(number))
    assert not first.close(timeout=0.5)
    server.start()
    second = Producer("p", tmp_path / "p.sqlite", server.address)
    second.start()
    assert second.wait_welcome(PATIENCE_S) == 2
    second.record(step(4))
    assert second.close(PATIENCE_S)
    with server.client() as book:
        assert _steps(book) == [1, 2, 3, 4]


def test_a_lost_spool_file_does_not_reuse_numbers(server: ServerProcess, tmp_path: Path) -> None:
    for attempt in range(3):
        producer = Producer("p", tmp_path / f"p{attempt}.sqlite", server.address)
        producer.start()
        producer.record(run_start(1, run=f"run-{attempt}"))
        assert producer.close(PATIENCE_S)
    with server.client() as book:
        assert [event.subject for event in book.read(subjects=["run/"])] == ["run/run-0", "run/run-1", "run/run-2"]


def test_a_newer_process_fences_an_older_one(server: ServerProcess, tmp_path: Path) -> None:
    old = Producer("p", tmp_path / "old.sqlite", server.address)
    old.start()
    old.wait_welcome(PATIENCE_S)
    new = Producer("p", tmp_path / "new.sqlite", server.address)
    new.start()
    new.wait_welcome(PATIENCE_S)
    old.record(step(1))
    assert not old.flush(PATIENCE_S)
    assert isinstance(old.failure, Fenced)
    assert old.pending
    old.close(0)
    new.close(PATIENCE_S)


def test_only_the_server_decides(server: ServerProcess, tmp_path: Path) -> None:
    producer = Producer("p", tmp_path / "p.sqlite", server.address)
    producer.start()
    producer.record(Event(subject="job/x", job_queued=JobQueued(name="mine")))
    assert not producer.flush(PATIENCE_S)
    assert isinstance(producer.failure, Forbidden)
    producer.close(0)
    with server.client() as book:
        assert not book.jobs().jobs


def test_a_name_that_no_environment_can_hold_is_refused(server: ServerProcess, tmp_path: Path) -> None:
    producer = Producer("p\0", tmp_path / "p.sqlite", server.address)
    producer.start()
    with pytest.raises(Invalid, match="none of them NUL"):
        producer.wait_welcome(PATIENCE_S)
    producer.close(0)


def test_recording_costs_microseconds_even_without_a_server(tmp_path: Path) -> None:
    producer = Producer("p", tmp_path / "p.sqlite", "127.0.0.1:1")
    producer.start()
    costs = []
    for number in range(1, 1001):
        event = step(number, examples=range(8), losses=[0.5] * 8)
        begin = time.perf_counter()
        producer.record(event)
        costs.append(time.perf_counter() - begin)
    assert statistics.median(costs) < 200e-6
    assert producer.pending
    with pytest.raises(Unreachable):
        producer.wait_welcome(0.1)
    with pytest.raises(Invalid, match="over the limit"):
        producer.record(step(1, examples=range(10), losses=[0.5] * 300_000))
    assert not producer.close(0)


def test_a_trainer_that_stays_away_loses_its_job_and_one_that_comes_back_in_time_keeps_it(tmp_path: Path) -> None:
    info = TrainerConnected(device="cpu")
    with ServerProcess(tmp_path / "home", trainer_grace=1.0) as server, server.client() as book:
        producer = Producer("t", tmp_path / "t.sqlite", server.address, info)
        producer.start()
        assert producer.wait_welcome(PATIENCE_S) == 1
        assert [(trainer.id, trainer.connected) for trainer in book.status().trainers] == [("t", True)]
        server.kill()
        server.start()
        with server.client() as after:
            subscription = after.subscribe(after.head().position + 1, ["trainer/"])
            producer.close(PATIENCE_S)
            told = [event.WhichOneof("body") for answer in _until(subscription, "trainer_lost") for event in answer]
            assert told[-1] == "trainer_lost"
            assert [trainer.connected for trainer in after.status().trainers] == [False]


def _until(subscription: object, body: str) -> list[list[Event]]:
    seen: list[list[Event]] = []
    for answer in subscription:  # type: ignore[attr-defined]
        seen.append(list(answer.events))
        if any(event.WhichOneof("body") == body for event in answer.events):
            return seen
    raise AssertionError("the subscription ended")


def test_a_full_spool_raises_and_keeps_what_was_recorded(server: ServerProcess, tmp_path: Path) -> None:
    with server.client() as book:
        producer = book.producer("p", tmp_path / "p.sqlite", spool_bytes=20_000)
        producer.record(run_start(1))
        assert producer.flush(PATIENCE_S)
        server.kill()
        taken = 0

        def record_for_ever() -> None:
            nonlocal taken
            while True:
                producer.record(step(taken + 1, examples=range(8), losses=[0.5] * 8))
                taken += 1

        with pytest.raises(SpoolFull, match="wait for the server") as caught:
            record_for_ever()
        assert caught.value.hint
        assert taken > 100
        assert (tmp_path / "p.sqlite").stat().st_size < 200_000
        server.start()
        assert producer.flush(PATIENCE_S)
        producer.record(step(taken + 1))
        assert producer.close(PATIENCE_S)
        assert _steps(book) == list(range(1, taken + 2))


def test_a_full_spool_blocks_if_that_is_asked_for(server: ServerProcess, tmp_path: Path) -> None:
    with server.client() as book:
        producer = book.producer("p", tmp_path / "p.sqlite", spool_bytes=20_000, when_full="block")
        producer.record(run_start(1))
        assert producer.flush(PATIENCE_S)
        server.kill()
        recorded = 0

        def record() -> None:
            nonlocal recorded
            for number in range(1, 1001):
                producer.record(step(number, examples=range(8), losses=[0.5] * 8))
                recorded += 1

        recording = threading.Thread(target=record)
        recording.start()
        recording.join(1.0)
        assert recording.is_alive()
        assert 100 < recorded < 1000
        server.start()
        recording.join(PATIENCE_S)
        assert recorded == 1000
        assert producer.close(PATIENCE_S)
        assert _steps(book) == list(range(1, 1001))


def test_a_blocked_recording_ends_when_the_producer_is_closed(tmp_path: Path) -> None:
    producer = Producer("p", tmp_path / "p.sqlite", "127.0.0.1:1", spool_bytes=2_000, when_full="block")
    producer.start()
    failures: list[SpoolFull] = []

    def record() -> None:
        try:
            for number in range(1, 1001):
                producer.record(step(number, examples=range(8), losses=[0.5] * 8))
        except SpoolFull as error:
            failures.append(error)

    recording = threading.Thread(target=record)
    recording.start()
    recording.join(0.3)
    assert recording.is_alive()
    assert not producer.close(0)
    recording.join(PATIENCE_S)
    assert failures
