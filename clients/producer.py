"""Streams events to the server without ever making the caller wait. Knows the spool and the Append stream, not what events mean.

    record() ─memory─▶ spool thread ─SQLite, fsync─▶ stream thread ─Append─▶ server ─Ack─▶ spool drops the batch

If the server goes, recording goes on and the spool grows up to its bound; when it is back the spool drains in order. The server stores the last
sequence number together with the events, so each batch is stored once. What doesn't fit is refused, never dropped.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import grpc

from guessbook.clients.backoff import Backoff
from guessbook.clients.connection import Token, channel, translate
from guessbook.clients.errors import Displaced, Fenced, GuessbookError, Invalid, SpoolFull, Unreachable
from guessbook.proto import events_pb2, log_pb2, raw_pb2
from guessbook.store.spool import NoRoom, Spool

EVENT_LIMIT = 1024 * 1024  # bytes of one event
BATCH_EVENTS = 256
BATCH_BYTES = 1024 * 1024
LINGER_S = 0.02  # events that come this close together share one fsync
IN_FLIGHT = 5  # batches sent and not acknowledged
SPOOL_BYTES = 1024**3  # of events that wait for the server
MEMORY_BYTES = 64 * 1024**2  # of those that wait for the disk
NO_ROOM_RETRY_S = 1.0  # a full disk may have room again
# Another attempt can't help: the server understood, and will say no again.
_FINAL = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}

_log = logging.getLogger(__name__)

WhenFull: TypeAlias = Literal["raise", "block"]


class Producer:
    """One stream of events into the log, exactly once each, in the order they were recorded.

    `name` is the producer's identity for ever; a newer process with the same name fences an older one. `spool` is a file. With `trainer` the
    server watches the stream and calls the trainer's job interrupted if it stays away.

    When `spool_bytes` of events wait for the server, or 64 MiB for the disk, `record` raises SpoolFull, or with `when_full="block"` waits for room.
    A context: entering starts it, leaving closes it.
    """

    def __init__(
        self,
        name: str,
        spool: Path,
        address: str,
        trainer: events_pb2.TrainerConnected | None = None,
        token: Token | None = None,
        *,
        spool_bytes: int = SPOOL_BYTES,
        when_full: WhenFull = "raise",
    ) -> None:
        self.name = name
        self.address = address
        self._token = token
        self.failure: GuessbookError | None = None  # set once, when no attempt can help any more
        self.epoch = 0
        self._trainer = trainer
        self._spool = Spool(spool)
        self._queue: queue.SimpleQueue[events_pb2.Event | None] = queue.SimpleQueue()
        self._changed = threading.Condition()  # guards what follows
        self._spool_bytes = spool_bytes
        self._when_full = when_full
        self._unspooled = 0
        self._unspooled_bytes = 0
        self._unacknowledged = len(self._spool)
        self._acknowledged = 0  # the highest sequence the server has
        self._closing = False
        self._aside: Path | None = None  # where the spool goes, since nobody may send it any more
        self._welcome = threading.Event()
        self._cancel: Callable[[], object] = lambda: None  # ends the stream that is open
        self._spooler = threading.Thread(target=self._spool_events, name="producer-spool", daemon=True)
        self._streamer = threading.Thread(target=self._stream_batches, name="producer-stream", daemon=True)

    def start(self) -> None:
        """Begins to spool and to send. A second time it does nothing."""
        if not self._spooler.ident:
            self._spooler.start()
            self._streamer.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_welcome(self, timeout: float) -> int:
        """Waits until the server has taken this producer in and returns its epoch. Raises Unreachable or the failure."""
        self._welcome.wait(timeout)
        if self.failure:
            raise self.failure
        if not self.epoch:
            raise Unreachable(f"no server answers at {self.address}", "Start one with `guessbook up`.")
        return self.epoch

    def record(self, event: events_pb2.Event) -> None:
        """Takes an event over; it must not be changed any more. From any thread, and in microseconds while there is room.

        Raises Invalid above 1 MiB. Where there is no room, raises SpoolFull and has not taken the event; or blocks until there is room or the
        producer's failure, which it raises then.
        """
        event.occurred_at_us = time.time_ns() // 1000
        size = event.ByteSize()
        if size > EVENT_LIMIT:
            raise Invalid(f"an event of {size:,} bytes is over the limit of {EVENT_LIMIT:,}", "Split it.")
        with self._changed:
            if not self._has_room(size):
                self._make_room(size)
            self._unspooled += 1
            self._unspooled_bytes += size
            self._queue.put(event)  # inside, so that the order is that of the room

    def _has_room(self, size: int) -> bool:
        waiting = self._unspooled_bytes + size
        return waiting <= MEMORY_BYTES and waiting + self._spool.size_bytes <= self._spool_bytes

    def _make_room(self, size: int) -> None:
        if self._when_full == "block":
            self._changed.wait_for(lambda: self._has_room(size) or self.failure or self._closing)
            if self._has_room(size):
                return
            if self.failure:
                raise self.failure
        raise SpoolFull(
            f"{self._spool.size_bytes + self._unspooled_bytes:,} bytes of events wait for the server at {self.address} already; "
            "the spool takes no more",
            "What was recorded is kept. Start the server, or make room on its disk, and the spool drains by itself.",
        )

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
        aside, self._aside = self._aside, None  # once: its place may be another's spool by then
        if aside:
            self._spool.set_aside(aside)
        else:
            self._spool.close()
        return clean

    # ---- the spool thread ----

    def _spool_events(self) -> None:
        while (event := self._queue.get()) is not None:
            batch = events_pb2.Events(events=[event])
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
            if not self._store(batch.SerializeToString()):
                return
            with self._changed:
                self._unspooled -= len(batch.events)
                self._unspooled_bytes -= size
                self._unacknowledged += 1
                self._changed.notify_all()
            if last:
                return

    def _store(self, payload: bytes) -> bool:
        """Tries until the disk takes it: what was recorded meanwhile waits in memory. False: closed before that."""
        said = False
        while True:
            try:
                self._spool.append(payload)
            except NoRoom as error:
                if not said:
                    _log.error("the spool can't be written: %s. It is tried again; make room on its disk.", error)
                said = True
            else:
                return True
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, NO_ROOM_RETRY_S):
                    _log.error("%d events could not be written to the spool and are lost", self._unspooled)
                    return False

    # ---- the stream thread ----

    def _stream_batches(self) -> None:
        backoff = Backoff()
        while not self._stopped():
            welcomed = self._acknowledged
            try:
                with channel(self.address, self._token) as connection:
                    self._stream_once(connection)
            except grpc.RpcError as error:
                if self._stopped():
                    return
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    self._displaced(translate(error, self.address))
                    return
                if error.code() in _FINAL:
                    self._fail(translate(error, self.address))
                    return
                _log.info("the stream to %s broke: %s", self.address, translate(error, self.address))
            if self._acknowledged > welcomed:
                backoff.reset()
            with self._changed:
                self._changed.wait_for(lambda: self._closing, backoff.next())

    def _stream_once(self, connection: grpc.Channel) -> None:
        # The spool's bytes go out as they are: raw.proto has the same messages as log.proto on the wire.
        append = connection.stream_stream(
            "/guessbook.v1.Log/Append",
            request_serializer=raw_pb2.AppendRequest.SerializeToString,
            response_deserializer=log_pb2.AppendResponse.FromString,
        )
        window = threading.Semaphore(IN_FLIGHT)
        welcome = threading.Event()
        ended = threading.Event()
        call: Any = append(self._requests(window, welcome, ended))
        with self._changed:
            self._cancel = call.cancel
            if self._closing:
                self._cancel()
        try:
            for answer in call:
                if answer.HasField("welcome"):
                    if self._spool.log_id not in ("", answer.welcome.log_id):
                        self._outdated(answer.welcome.log_id)
                        return
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
    ) -> Iterator[raw_pb2.AppendRequest]:
        hello = log_pb2.Hello(producer=self.name, epoch=self.epoch, trainer=self._trainer, log_id=self._spool.log_id)
        yield raw_pb2.AppendRequest(hello=hello)
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
            yield raw_pb2.AppendRequest(batch=raw_pb2.Batch(sequence=sent, events=payload))

    def _welcomed(self, welcome: log_pb2.Welcome) -> None:
        self.epoch = welcome.epoch
        self._spool.join(welcome.last_sequence, welcome.log_id)
        self._acknowledge(welcome.last_sequence)
        self._welcome.set()

    def _outdated(self, log_id: str) -> None:
        """The server has another log than the one that the spool's numbers belong to: sent into it, events could be lost or stored twice."""
        with self._changed:
            self._aside = self._spool.aside
        self._fail(
            Fenced(
                f"the server at {self.address} has the log {log_id} now, restored from a backup or another one; "
                f"{self.name} wrote to the log {self._spool.log_id}, and nothing more of that is sent",
                f"Start it again: it begins anew. What the server had not taken is kept in {self._spool.aside} for you to look at.",
            )
        )

    def _displaced(self, refusal: GuessbookError) -> None:
        """The server refused a batch, since the job that it tells of is another trainer's by now. So will it refuse those behind it."""
        when = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
        with self._changed:
            self._aside = self._spool.aside_of(self.epoch, when)
        self._fail(
            Displaced(
                f"{refusal}; {self.name} could not be reached for too long",
                f"Nothing of the job is lost or double. What the server refused is kept in {self._aside} for you to look at.",
            )
        )

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
        _log.error("%s. %s%s", failure, failure.hint, "" if self._aside else " What was not sent is kept in the spool.")
        with self._changed:
            self.failure = failure
            self._changed.notify_all()
        self._welcome.set()
