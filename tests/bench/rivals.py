"""The same events into umadb, an event store in Rust with gRPC, and into bare LMDB, which is the limit."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import lmdb
import umadb
from bench.load import batches

from guessbook.proto.events_pb2 import Events


@contextmanager
def umadb_server(folder: Path) -> Iterator[str]:
    """A umadb server with its defaults (fsync before the answer), on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    program = str(Path(sys.executable).parent / "umadb")
    with (folder / "umadb.log").open("wb") as output:
        server = subprocess.Popen(
            [program, "--listen", address, "--db-path", str(folder / "uma.db")], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                umadb.Client(f"http://{address}").head()
                break
            except (umadb.TransportError, OSError):
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.05)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _uma_events(payloads: Sequence[bytes]) -> list[list[umadb.Event]]:
    """Each event's own bytes, with its subject as a tag, as our log indexes it."""
    return [
        [
            umadb.Event("StepCompleted", event.SerializeToString(), tags=[event.subject])
            for event in Events.FromString(payload).events
        ]
        for payload in payloads
    ]


def umadb_rate(url: str, size: int, producers: int, events: int) -> float:
    """Durable events a second: each producer's client waits for an answer before its next append, as umadb's API has it."""
    work = [_uma_events(batches(f"uma-{number}", events, size, seed=number)) for number in range(producers)]
    clients = [umadb.Client(url) for _ in range(producers)]

    def produce(client: umadb.Client, appends: list[list[umadb.Event]]) -> None:
        for append in appends:
            client.append(append)

    begin = time.perf_counter()
    with ThreadPoolExecutor(producers) as pool:
        list(pool.map(produce, clients, work))
    return producers * events / (time.perf_counter() - begin)


def lmdb_rate(folder: Path, size: int, events: int) -> float:
    """Durable events a second of nothing but LMDB: one put and one synchronous commit a batch, in this process."""
    payloads = batches("raw", events, size, seed=0)
    path = folder / f"raw-{size}-{os.getpid()}-{time.monotonic_ns()}"
    with lmdb.open(str(path), map_size=8 * 1024**3) as env:
        begin = time.perf_counter()
        for number, payload in enumerate(payloads):
            with env.begin(write=True) as transaction:
                transaction.put(number.to_bytes(8, "big"), payload, append=True)
        return events / (time.perf_counter() - begin)
