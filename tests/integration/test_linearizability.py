"""Concurrent appends with an expected position, from several clients, while the server is killed: is there one order that explains every answer?

The clients note when they asked and what they were told; `linearizable` searches an order of all operations in which each takes effect at one moment between question
and answer and every answer is right (Wing & Gong 1993, with the memory of Lowe 2017). The log's state, as far as these operations can tell, is its head.
"""

import queue
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from durability.seeds import seed
from made_events import step
from server_process import ServerProcess

from guessbook.clients import connection
from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import Events
from guessbook.proto.log_pb2_grpc import LogStub

CLIENTS = 5
KILLS = 3
BETWEEN_KILLS_S = 0.6
NEVER = float("inf")


@dataclass(frozen=True)
class Operation:
    """`apply(head)` is the head after it, or None where its answer can't be had from that head."""

    asked: float
    answered: float
    apply: Callable[[int], int | None]
    told: str


def stored(asked: float, answered: float, expected: int | None, first: int, count: int) -> Operation:
    def apply(head: int) -> int | None:
        return head + count if head == first - 1 and expected in (None, head) else None

    return Operation(asked, answered, apply, f"{count} events expected at {expected} stored from {first}")


def refused(asked: float, answered: float, expected: int, actual: int) -> Operation:
    return Operation(
        asked, answered, lambda head: head if head == actual != expected else None, f"{expected} refused at {actual}"
    )


def read(asked: float, answered: float, head: int) -> Operation:
    return Operation(asked, answered, lambda actual: head if actual == head else None, f"head {head}")


def linearizable(operations: Sequence[Operation], head: int = 0) -> bool:
    """Depth first over (operations done, head), each visited once."""
    ordered = sorted(operations, key=lambda operation: operation.asked)
    stack = [(frozenset[int](), 0, head)]  # done behind the prefix, length of the prefix that is done, head
    seen = set(stack)
    while stack:
        done, prefix, at = stack.pop()
        if prefix == len(ordered):
            return True
        for number, operation in _candidates(ordered, done, prefix):
            after = operation.apply(at)
            if after is None:
                continue
            new_done, new_prefix = done | {number}, prefix
            while new_prefix in new_done:
                new_done, new_prefix = new_done - {new_prefix}, new_prefix + 1
            state = (new_done, new_prefix, after)
            if state not in seen:
                seen.add(state)
                stack.append(state)
    return False


def _candidates(ordered: Sequence[Operation], done: frozenset[int], prefix: int) -> list[tuple[int, Operation]]:
    """Those that can be next: asked before any other that is open was answered."""
    found: list[tuple[int, Operation]] = []
    first_answer = NEVER
    for number in range(prefix, len(ordered)):
        if ordered[number].asked > first_answer:
            break
        if number not in done:
            found.append((number, ordered[number]))
            first_answer = min(first_answer, ordered[number].answered)
    return found


class Client(threading.Thread):
    """Asks for the head, appends there or somewhat off, sends again what got no answer, and notes it all."""

    def __init__(self, name: str, address: str, dice: random.Random) -> None:
        super().__init__(name=name, daemon=True)
        self.history: list[Operation] = []
        self.stopping = threading.Event()
        self.failure: grpc.RpcError | None = None
        self._address = address
        self._dice = dice
        self._epoch = 0
        self._sequence = 0
        self._open: tuple[float, log_pb2.Batch] | None = None  # asked, and not answered yet

    def run(self) -> None:
        while not self.stopping.is_set() or self._open:
            try:
                with connection.channel(self._address) as channel:
                    self._converse(LogStub(channel))
            except grpc.RpcError as error:
                conflict = re.search(r"at position (\d+), not at", error.details() or "")
                if conflict and self._open:
                    asked, batch = self._open
                    actual = int(conflict[1])
                    self.history.append(refused(asked, time.monotonic(), batch.expected_position, actual))
                    self._open = None
                    self._sequence -= 1  # it was not used
                elif error.code() != grpc.StatusCode.UNAVAILABLE:
                    self.failure = error
                    return
                else:
                    self.stopping.wait(0.05)

    def _converse(self, log: LogStub) -> None:
        requests: queue.SimpleQueue[log_pb2.AppendRequest | None] = queue.SimpleQueue()
        call: Any = log.Append(iter(requests.get, None), timeout=30)
        try:
            requests.put(log_pb2.AppendRequest(hello=log_pb2.Hello(producer=self.name, epoch=self._epoch)))
            self._epoch = next(call).welcome.epoch
            while self._open or not self.stopping.is_set():
                asked, batch = self._open = self._open or (time.monotonic(), self._next(log))
                requests.put(log_pb2.AppendRequest(batch=batch))
                ack = next(call).ack
                expected = batch.expected_position if batch.HasField("expected_position") else None
                self.history.append(stored(asked, time.monotonic(), expected, ack.first_position, ack.count))
                self._open = None
        except StopIteration:
            return
        finally:
            requests.put(None)
            call.cancel()

    def _next(self, log: LogStub) -> log_pb2.Batch:
        asked = time.monotonic()
        head = log.Head(log_pb2.HeadRequest()).position
        self.history.append(read(asked, time.monotonic(), head))
        self._sequence += 1
        events = [step(self._sequence, run=self.name) for _ in range(self._dice.randint(1, 3))]
        batch = log_pb2.Batch(sequence=self._sequence, events=Events(events=events))
        if self._dice.random() < 0.8:
            batch.expected_position = head + self._dice.choice([0, 0, 0, 1])
        return batch


def test_one_order_explains_every_answer(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(seed(capsys, "linearizability"))
    clients = [Client(f"c{number}", server.address, random.Random(dice.random())) for number in range(CLIENTS)]
    history = _of_the_server(server, 0, 0)
    for client in clients:
        client.start()
    for _ in range(KILLS):
        time.sleep(BETWEEN_KILLS_S)
        asked = time.monotonic()
        server.kill()
        server.start()
        history += _of_the_server(server, asked, len(history))
    time.sleep(BETWEEN_KILLS_S)
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join()
        assert not client.failure, client.failure
        history += client.history
    with server.client() as book:
        asked = time.monotonic()
        history.append(read(asked, time.monotonic(), book.head().position))
    with capsys.disabled():
        conflicts = sum(" refused " in operation.told for operation in history)
        print(f"{len(history)} operations, {conflicts} of them refused, {KILLS} kills")
    assert linearizable(history)
    assert conflicts


def _of_the_server(server: ServerProcess, asked: float, known: int) -> list[Operation]:
    """What the server appends itself when it starts; `known`: how much of it was there before."""
    answered = time.monotonic()
    with server.client() as book:
        own = [event.position for event in book.read() if not event.subject.startswith("run/")]
    return [stored(asked, answered, None, position, 1) for position in own[known:]]


def test_the_checker_tells_right_from_wrong() -> None:
    """Two that asked at the same time may be in either order; an answer must not come from a head that was never there, or was gone."""
    first, second = stored(0, 3, None, 2, 1), stored(1, 2, 0, 1, 1)
    assert linearizable([first, second])
    assert not linearizable([first, second, read(4, 5, 1)])
    assert linearizable([first, second, read(1, 5, 1)])
    assert linearizable([first, second, refused(0, 5, 0, 2)])
    assert not linearizable([first, second, refused(0, 5, 2, 2)])
    assert not linearizable([stored(0, 1, None, 1, 1), stored(2, 3, None, 1, 1)])
    both_won = [stored(0, 3, 0, 1, 1), stored(1, 2, 0, 1, 1)]
    assert not linearizable(both_won)
