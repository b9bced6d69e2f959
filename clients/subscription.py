"""A subscription to the log that outlives its server: it comes back, and goes on behind the last event it gave. Knows no event."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

from guessbook.clients.backoff import Backoff
from guessbook.clients.calls import DEADLINE_S
from guessbook.clients.connection import translate
from guessbook.clients.errors import GuessbookError, Rejected, Unreachable
from guessbook.clients.reading import Answer, answer_of
from guessbook.proto.log_pb2 import HeadRequest, HeadResponse, ReadRequest, ReadResponse
from guessbook.proto.log_pb2_grpc import LogStub

if TYPE_CHECKING:
    from guessbook.proto.log_pb2_grpc import LogAsyncStub

_log = logging.getLogger(__name__)


class Cursor:
    """Where a subscription is, and what it makes of a break; without any connection, so that both kinds share it."""

    def __init__(
        self, from_position: int, subjects: Sequence[str], on_lost: Callable[[GuessbookError], None] | None
    ) -> None:
        self._next = max(from_position, 1)
        self._subjects = subjects
        self._on_lost = on_lost
        self._backoff = Backoff()
        self._log_id = ""
        self._head = 0  # the highest that a server told: what it told was durable
        self._lost = False

    def request(self) -> ReadRequest:
        return ReadRequest(from_position=self._next, subjects=self._subjects)

    def connected(self, head: HeadResponse) -> Answer | None:
        """After a break, the heartbeat to give first. Raises Rejected where the log isn't the one before."""
        if self._log_id and (head.log_id != self._log_id or head.position < self._head):
            raise Rejected(
                f"the server has another log now, or an older state of it: it ends at {head.position}, and was at {self._head}",
                "Nothing of it was given out. Subscribe anew, from the start, if that is the log you want.",
            )
        again = bool(self._log_id)
        self._log_id, self._head = head.log_id, head.position
        return Answer([], head.position, self._next) if again else None

    def take(self, response: ReadResponse) -> Answer:
        """What the server sent, as it is given on; a break after this goes on behind it."""
        self._backoff.reset()
        self._lost = False
        self._head = max(self._head, response.head)
        self._next = max(self._next, response.next)
        return answer_of(response)

    def lost(self, error: GuessbookError) -> float:
        """Seconds to wait before the next attempt. Raises what another attempt can't help."""
        if not isinstance(error, Unreachable):
            raise error
        if self._on_lost:
            self._on_lost(error)
        elif not self._lost:
            _log.warning("%s; the subscription waits for it and goes on at position %d", error, self._next)
        self._lost = True
        return self._backoff.next()


class Subscription(Iterator[Answer]):
    """What `Guessbook.subscribe` gives. One thread iterates; `close()` may come from any other and ends the iteration at once.

    `dial` finds the server where it is now. The channel that it gives may be closed once `close()` has returned, and not before: grpc ends the whole process
    when a call begins on a channel that is being closed.
    """

    def __init__(self, dial: Callable[[], tuple[LogStub, str]], cursor: Cursor) -> None:
        self._dial = dial
        self._beginning = threading.Lock()
        self._address = ""
        self._cursor = cursor
        self._closed = threading.Event()
        self._waiting_for: Any = None  # the call that is under way
        self._answers: Any = None

    def __next__(self) -> Answer:
        while not self._closed.is_set():
            try:
                return self._receive()
            except grpc.FutureCancelledError:
                continue
            except ValueError:  # how grpc refuses a call on a closed channel
                if not self._closed.is_set():
                    raise
                continue
            except StopIteration:
                error: GuessbookError = Unreachable(f"the server at {self._address} ended the subscription")
            except grpc.RpcError as broken:
                error = translate(broken, self._address)
            self._answers = None
            if not self._closed.is_set():
                self._closed.wait(self._cursor.lost(error))
        raise StopIteration

    def _receive(self) -> Answer:
        if self._answers is None:
            head = self._begin(lambda log: log.Head.future(HeadRequest(), timeout=DEADLINE_S))
            again = self._cursor.connected(head.result())
            self._answers = self._begin(lambda log: log.Subscribe(self._cursor.request()))
            if again:
                return again
        return self._cursor.take(next(self._answers))

    def _begin(self, call: Callable[[LogStub], Any]) -> Any:
        with self._beginning:
            if self._closed.is_set():
                raise StopIteration
            log, self._address = self._dial()
            self._waiting_for = call(log)
        return self._waiting_for

    def close(self) -> None:
        """Ends the iteration. Closing twice is harmless."""
        with self._beginning:
            self._closed.set()
        if call := self._waiting_for:
            call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncSubscription(AsyncIterator[Answer]):
    """What `AsyncGuessbook.subscribe` gives. One task iterates; `close()` may come from any other on the loop and ends the iteration at once.

    `dial` finds the server where it is now.
    """

    def __init__(self, dial: "Callable[[], Awaitable[tuple[LogAsyncStub, str]]]", cursor: Cursor) -> None:
        self._dial = dial
        self._address = ""
        self._cursor = cursor
        self._closed = asyncio.Event()
        self._waiting_for: Any = None  # the call that is under way
        self._answers: Any = None

    async def __anext__(self) -> Answer:
        while not self._closed.is_set():
            try:
                return await self._receive()
            except asyncio.CancelledError:
                self._answers = None  # grpc has ended the call
                task = asyncio.current_task()
                if not self._closed.is_set() or (task and task.cancelling()):
                    raise
                continue
            except _Ended:
                error: GuessbookError = Unreachable(f"the server at {self._address} ended the subscription")
            except grpc.RpcError as broken:
                error = translate(broken, self._address)
            self._answers = None
            if not self._closed.is_set():
                await self._pause(self._cursor.lost(error))
        raise StopAsyncIteration

    async def _receive(self) -> Answer:
        if self._answers is None:
            log, self._address = await self._dial()
            again = self._cursor.connected(await self._begun(log.Head(HeadRequest(), timeout=DEADLINE_S)))
            self._answers = self._begun(log.Subscribe(self._cursor.request()))
            if again:
                return again
        response = await self._answers.read()
        if not isinstance(response, ReadResponse):  # grpc.aio.EOF
            raise _Ended
        return self._cursor.take(response)

    def _begun(self, call: Any) -> Any:
        self._waiting_for = call
        if self._closed.is_set():
            call.cancel()
        return call

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """Ends the iteration. Closing twice is harmless."""
        self._closed.set()
        if call := self._waiting_for:
            call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Ended(Exception):
    """The server ended the stream, in peace."""
