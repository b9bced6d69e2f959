"""The smallest producer that keeps the protocol: sends the batches of a ledger until each is acknowledged, and writes down where it was told they are.

After a broken stream it goes on behind the last acknowledgement that it saw, not behind what the server says it has: so whatever was stored without
an answer is sent again, and must get its first answer.
"""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import grpc
from durability.ledger import Ledger, batch

from guessbook.clients import connection
from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import Events
from guessbook.proto.log_pb2_grpc import LogStub

WINDOW = 4
PAUSE_S = 0.02
STREAM_S = 60.0
WITHOUT_END = 1 << 40


class Sender(threading.Thread):
    """Sends batches 1, 2, … up to `last` to `address`, until `stop`."""

    def __init__(
        self, name: str, address: str, ledger: Ledger, *, last: int = WITHOUT_END, window: int = WINDOW
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._address = address
        self._ledger = ledger
        self._last = last
        self._window = window
        self._stopping = threading.Event()
        self._epoch = 0
        self.acknowledged = 0
        self.refusals: list[tuple[grpc.StatusCode, str]] = []
        self.refused = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.is_set() and self.acknowledged < self._last:
            try:
                with connection.channel(self._address) as channel:
                    self._stream(channel)
            except grpc.RpcError as error:
                self.refusals.append((error.code(), error.details() or ""))
                self.refused.set()
                self._stopping.wait(PAUSE_S)

    def _stream(self, channel: grpc.Channel) -> None:
        requests: queue.SimpleQueue[log_pb2.AppendRequest | None] = queue.SimpleQueue()
        call: Any = LogStub(channel).Append(_until_none(requests), timeout=STREAM_S)
        try:
            requests.put(log_pb2.AppendRequest(hello=log_pb2.Hello(producer=self.name, epoch=self._epoch)))
            self._epoch = next(call).welcome.epoch
            sent = self.acknowledged
            while not self._stopping.is_set() and self.acknowledged < self._last:
                while sent < min(self.acknowledged + self._window, self._last):
                    sent += 1
                    events = Events(events=batch(self.name, sent))
                    requests.put(log_pb2.AppendRequest(batch=log_pb2.Batch(sequence=sent, events=events)))
                ack = next(call).ack
                self._ledger.acknowledge(self.name, ack.sequence, ack.first_position)
                self.acknowledged = ack.sequence
        except StopIteration:
            return
        finally:
            requests.put(None)
            call.cancel()


def _until_none(requests: "queue.SimpleQueue[log_pb2.AppendRequest | None]") -> Iterator[log_pb2.AppendRequest]:
    while (request := requests.get()) is not None:
        yield request
