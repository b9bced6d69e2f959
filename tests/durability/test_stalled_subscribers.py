"""200 subscribers that stopped reading: the server's memory and the log's file stay bounded, no read transaction stays open, and the server answers."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import lmdb
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from made_events import step
from server_process import ServerProcess

from guessbook.clients import connection
from guessbook.clients.producer import Producer
from guessbook.proto import log_pb2
from guessbook.proto.log_pb2_grpc import LogStub

SUBSCRIBERS = 200
CONNECTIONS = 20
EVENTS, EXAMPLES = 8000, 100  # of one writing
PATIENCE_S = 60.0
MEMORY_MB = 900.0  # up to 4 MB a subscriber may be in flight, on both sides together; seen here: 350 to 660
GROWTH_MB = 150.0  # when everybody has stalled; 200 answers are made anew, and their memory is not always given back
SETTLED = 8  # looks in a row at which it was the same
HEALTH_TRIES = 50
HEALTH_S = 0.1


@pytest.fixture
def subscriptions(server: ServerProcess) -> Iterator[list[Any]]:
    """Each has read one answer, and reads no more."""
    token = (("authorization", f"Bearer {server.home.token()}"),)
    channels = [grpc.insecure_channel(server.address, options=[("test.connection", n)]) for n in range(CONNECTIONS)]
    calls = []
    for number in range(SUBSCRIBERS):
        call: Any = LogStub(channels[number % CONNECTIONS]).Subscribe(log_pb2.ReadRequest(), metadata=token)
        next(call)
        calls.append(call)
    yield calls
    for channel in channels:
        channel.close()


def test_two_hundred_stalled_subscribers_cost_no_more_than_they_may(
    server: ServerProcess, subscriptions: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in range(2):  # more than the buffers on the way take: after it everybody has stalled
        _write(server, tmp_path, part)
    memory, file_bytes = _settled_mb(server), _file_bytes(server)
    payload = _write(server, tmp_path, 2)
    memory_after, growth = _settled_mb(server), _file_bytes(server) - file_bytes
    answers = sorted(_health_seconds(server) for _ in range(HEALTH_TRIES))
    with capsys.disabled():
        print(
            f"\n{SUBSCRIBERS} stalled subscribers: server {memory:.0f} MB, then {memory_after:.0f} MB; "
            f"log +{growth / 1e6:.1f} MB for {payload / 1e6:.1f} MB of events; "
            f"health check p50 {answers[HEALTH_TRIES // 2] * 1000:.1f} ms, max {answers[-1] * 1000:.1f} ms"
        )
    assert all(call.is_active() for call in subscriptions)
    assert memory_after < MEMORY_MB
    assert memory_after - memory < GROWTH_MB
    assert growth < 2 * payload
    assert _open_read_transactions(server.home.log) == 0
    assert answers[HEALTH_TRIES // 2] < HEALTH_S
    with server.client() as book:
        assert sum(event.HasField("step_completed") for event in book.read(subjects=["run/"])) == 3 * EVENTS


def _write(server: ServerProcess, folder: Path, part: int) -> int:
    """Events that are durable when it returns; their bytes."""
    producer = Producer(f"writer-{part}", folder / f"{part}.sqlite", server.address)
    producer.start()
    size = 0
    for number in range(1, EVENTS + 1):
        dice = random.Random(number)  # losses that don't compress
        event = step(number, run=f"r{part}", examples=range(EXAMPLES), losses=[dice.random() for _ in range(EXAMPLES)])
        size += event.ByteSize()
        producer.record(event)
    assert producer.close(PATIENCE_S)
    return size


def _health_seconds(server: ServerProcess) -> float:
    with connection.channel(server.address) as channel:
        begin = time.perf_counter()
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        return time.perf_counter() - begin


def _settled_mb(server: ServerProcess) -> float:
    """Its memory once all that can be sent was sent: what subscribers are still being given is no measure of those who have stalled."""
    deadline = time.monotonic() + PATIENCE_S
    before, now, same = 0.0, server.resident_mb(), 0
    while same < SETTLED and time.monotonic() < deadline:
        time.sleep(0.2)
        before, now = now, server.resident_mb()
        same = same + 1 if abs(now - before) < 1.0 else 0
    return now


def _file_bytes(server: ServerProcess) -> int:
    return (server.home.log / "data.mdb").stat().st_blocks * 512


def _open_read_transactions(log: Path) -> int:
    """LMDB's table of readers has a row for each process and thread; one without a transaction has a dash in it."""
    with lmdb.open(str(log), readonly=True, create=False, max_dbs=8) as env:
        rows = [line.split() for line in env.readers().splitlines()[1:]]
    return sum(row[-1] != "-" for row in rows if row and row[0] != str(os.getpid()))
