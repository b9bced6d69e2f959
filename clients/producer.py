"""Streams events to the server without ever making the caller wait. Knows the spool and the Append stream, not what events mean.

    record() ─memory─▶ spool thread ─SQLite, fsync─▶ stream thread ─Append─▶ server ─Ack─▶ spool drops the batch

If the server goes, recording goes on and the spool grows; when it is back the spool drains in order. The server stores the last sequence number
together with the events, so each batch is stored once.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc

from guessbook.clients.connection import CHANNEL_OPTIONS, translate
from guessbook.clients.errors import GuessbookError, Invalid, Unreachable
from guessbook.proto import events_pb2, log_pb2
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store.spool import Spool

EVENT_LIMIT = 1024 * 1024  # bytes of one event
BATCH_EVENTS = 256
BATCH_BYTES = 1024 * 1024
LINGER_S = 0.02  # events that come this close together share one fsync
IN_FLIGHT = 5  # batches sent and not acknowledged
BACKOFF_S = (0.2, 5.0)
# Another attempt can't help: the server understood, and will say no again.
_FINAL = {grpc.StatusCode.ABORTED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED}

_log = logging.getLogger(__name__)


class Producer:
    """One stream of events into the log, exactly once each, in the order they were recorded.

    `name` is the producer's identity for ever; a newer process with the same name fences an older one. `spool` is a file. With `trainer` the
    server watches the stream and calls the trainer's job interrupted if it stays away.
    """

    def __init__(
        self, name: str, spool: Path, address: str, trainer: events_pb2.TrainerConnected | None = None
    ) -> None:
        self.name = name
        self.address = address
        self.failure: GuessbookError | None = None  # set once, when no attempt can help any more
        self.epoch = 0
        self._trainer = trainer
        self._spool = Spool(spool)
        self._queue: queue.SimpleQueue[events_pb2.Event | None] = queue.SimpleQueue()
        self._changed = threading.Condition()  # guards what follows
        self._unspooled = 0
        self._unacknowledged = len(self._spool)
        self._acknowledged = 0  # the highest sequence the server has
        self._closing = False
        self._welcome = threading.Event()
        self._cancel: Callable[[], object] = lambda: None  # ends the stream that is open
        self._spooler = threading.Thread(target=self._spool_events, name="producer-spool", daemon=True)
        self._streamer = threading.Thread(target=self._stream_batches, name="producer-stream", daemon=True)

    def start(self) -> None:
        self._spooler.start()
        self._streamer.start()

    def wait_welcome(self, timeout: float) -> int:
        """Waits until the server has taken this producer in and returns its epoch. Raises Unreachable or the failure."""
        self._welcome.wait(timeout)
        if self.failure:
            raise self.failure
        if not self.epoch:
            raise Unreachable(f"no server answers at {self.address}", "Start one with `guessbook up`.")
        return self.epoch

    def record(self, event: events_pb2.Event) -> None:
        """Takes an event over; it must not be changed any more. Costs microseconds. Raises Invalid above 1 MiB."""
        if event.ByteSize() > EVENT_LIMIT:
            raise Invalid(f"an event of {event.ByteSize():,} bytes is over the limit of {EVENT_LIMIT:,}", "Split it.")
        event.occurred_at_us = time.time_ns() // 1000
        with self._changed:
            self._unspooled += 1
        self._queue.put(event)

    @property
    def pending(self) -> int:
        """How many events and batches wait for the server; 0 when all that was recorded is durable there."""
        with self._changed:
            return self._unspooled + self._unacknowledged

    def flush(self, timeout: float) -> bool:
        """Waits until all that was recorded is durable on the server. False: not within `timeout` seconds."""
        with self._changed:
            return (
                self._changed.wait_for(lambda: not (self._unspooled + self._unacknowledged) or self.failure, timeout)
                is True
            )

    def close(self, timeout: float = 5.0) -> bool:
        """Flushes and stops. What the server has not acknowledged by then stays in the spool, for the next process."""
        clean = self.flush(timeout)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            cancel = self._cancel
        self._queue.put(None)
        cancel()
        for thread in (self._spooler, self._streamer):
            if thread.ident:
                thread.join()
        self._spool.close()
        return clean

    # ---- the spool thread ----

    def _spool_events(self) -> None:
        while (event := self._queue.get()) is not None:
            batch = log_pb2.Batch(events=[event])
            size = event.ByteSize()
            deadline = time.monotonic() + LINGER_S
            last = False
            while len(batch.events) < BATCH_EVENTS and size < BATCH_BYTES:
                try:
                    event = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    break
                if event is None:
                    last = True
                    break
                batch.events.append(event)
                size += event.ByteSize()
            self._spool.append(batch.SerializeToString())
            with self._changed:
                self._unspooled -= len(batch.events)
                self._unacknowledged += 1
                self._changed.notify_all()
            if last:
                return

    # ---- the stream thread ----

    def _stream_batches(self) -> None:
        pause = BACKOFF_S[0]
        while not self._stopped():
            welcomed = self._acknowledged
            try:
                with grpc.insecure_channel(self.address, options=CHANNEL_OPTIONS) as channel:
                    self._stream_once(LogStub(channel))
            except grpc.RpcError as error:
                if self._stopped():
                    return
                if error.code() in _FINAL:
                    self._fail(translate(error, self.address))
                    return
                _log.info("the stream to %s broke: %s", self.address, translate(error, self.address))
            pause = BACKOFF_S[0] if self._acknowledged > welcomed else min(pause * 2, BACKOFF_S[1])
            with self._changed:
                self._changed.wait_for(lambda: self._closing, pause * random.uniform(0.5, 1.0))

    def _stream_once(self, log: LogStub) -> None:
        window = threading.Semaphore(IN_FLIGHT)
        welcome = threading.Event()
        ended = threading.Event()
        call: Any = log.Append(self._requests(window, welcome, ended))
        with self._changed:
            self._cancel = call.cancel
            if self._closing:
                self._cancel()
        try:
            for answer in call:
                if answer.HasField("welcome"):
                    self._welcomed(answer.welcome)
                    welcome.set()
                else:
                    self._acknowledge(answer.ack.sequence)
                    window.release()
        finally:
            ended.set()
            welcome.set()
            window.release()
            with self._changed:
                self._changed.notify_all()

    def _requests(
        self, window: threading.Semaphore, welcome: threading.Event, ended: threading.Event
    ) -> Iterator[log_pb2.AppendRequest]:
        yield log_pb2.AppendRequest(hello=log_pb2.Hello(producer=self.name, epoch=self.epoch, trainer=self._trainer))
        welcome.wait()
        sent = self._acknowledged
        while not ended.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._closing or ended.is_set() or self._unacknowledged)
            if self._stopped() or ended.is_set():
                return
            row = self._spool.next_after(sent)
            if row is None:
                with self._changed:
                    # A batch may have come in between; the timeout only covers a wake-up that was missed.
                    self._changed.wait(0.2)
                continue
            window.acquire()
            sent, payload = row
            batch = log_pb2.Batch.FromString(payload)
            batch.sequence = sent
            yield log_pb2.AppendRequest(batch=batch)

    def _welcomed(self, welcome: log_pb2.Welcome) -> None:
        self.epoch = welcome.epoch
        self._spool.join(welcome.last_sequence)
        self._acknowledge(welcome.last_sequence)
        self._welcome.set()

    def _acknowledge(self, sequence: int) -> None:
        self._spool.acknowledge(sequence)
        with self._changed:
            self._acknowledged = max(self._acknowledged, sequence)
            self._unacknowledged = len(self._spool)
            self._changed.notify_all()

    def _stopped(self) -> bool:
        with self._changed:
            return self._closing or self.failure is not None

    def _fail(self, failure: GuessbookError) -> None:
        _log.error("%s. %s What was not sent is kept in the spool.", failure, failure.hint)
        with self._changed:
            self.failure = failure
            self._changed.notify_all()
        self._welcome.set()
