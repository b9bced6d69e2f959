"""The one thread that writes the log. Requests that wait together are committed together, so an fsync serves them all."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from guessbook.proto.events_pb2 import Event
from guessbook.store.errors import LogError, LogFailed, LogFull
from guessbook.store.log import BATCH_LIMIT, Append, Log, Receipt
from guessbook.store.producers import ProducerState

GROUP_EVENTS = 4096

_log = logging.getLogger(__name__)

_Waiting = tuple[Append, "Future[Receipt]"]
_Job = Callable[[], None]
T = TypeVar("T")


class Writer:
    """Takes appends from any thread and answers each with a future, in the order they came.

    `on_commit` gets each commit's events, in order, on the writer's thread, before their futures are done. `on_failure` is called once when a
    commit failed in a way that must not be tried again; from then on every append gets LogFailed. `observe` gets each commit's seconds and events.
    """

    def __init__(
        self,
        log: Log,
        on_commit: Callable[[Sequence[Event]], None],
        on_failure: Callable[[LogFailed], None],
        observe: Callable[[float, int], None] = lambda seconds, events: None,
    ) -> None:
        self._storage = log
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._observe = observe
        self._failed: LogFailed | None = None
        self._queue: queue.SimpleQueue[_Waiting | _Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, append: Append) -> "Future[Receipt]":
        """Done when the events are durable; fails with the LogError that says why not."""
        future: Future[Receipt] = Future()
        future.set_running_or_notify_cancel()  # a commit can't be taken back, so waiting for one can't be cancelled
        self._queue.put((append, future))
        return future

    def join(self, producer: str, epoch: int) -> "Future[ProducerState]":
        """Takes a producer in; see Log.join."""
        return self._alone(lambda: self._storage.join(producer, epoch))

    def drop_archived(self) -> "Future[int]":
        """Takes some frames out of the table that were archived; see Log.drop_archived."""
        return self._alone(self._storage.drop_archived)

    def _alone(self, write: Callable[[], T]) -> "Future[T]":
        """Something else to write than events, in a transaction of its own."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                if self._failed:
                    raise self._failed
                future.set_result(write())
            except LogError as error:
                if isinstance(error, LogFailed):
                    self._fail(error)
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - nobody else could tell whoever waits
                future.set_exception(self._fail(error))

        self._queue.put(run)
        return future

    @property
    def waiting(self) -> int:
        """How many requests wait for the writer."""
        return self._queue.qsize()

    def close(self) -> None:
        """Commits what waits, then ends."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        item = self._queue.get()
        while item is not None:
            if callable(item):
                item()
                item = self._queue.get()
            else:
                item = self._commit_group(item)

    def _commit_group(self, first: "_Waiting") -> "_Waiting | _Job | None":
        """Commits whatever waits by now, as the fsync before has formed the group; returns the first that isn't part of it."""
        group, size, events = [first], len(first[0].raw), len(first[0].events)
        item: _Waiting | _Job | None = None
        try:
            while isinstance(item := self._queue.get_nowait(), tuple):
                size += len(item[0].raw)
                events += len(item[0].events)
                if size > BATCH_LIMIT or events > GROUP_EVENTS:
                    break
                group.append(item)
        except queue.Empty:
            self._commit(group)
            return self._queue.get()
        self._commit(group)
        return item

    def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            if self._failed:
                raise self._failed
            began = time.perf_counter()
            answers, events = self._storage.commit([append for append, _ in group], time.time_ns() // 1000)
            self._observe(time.perf_counter() - began, len(events))
        except LogFull as error:
            _answer(group, [error] * len(group))
        except Exception as error:  # noqa: BLE001 - nobody else could tell those who wait
            failed = self._fail(error)
            _answer(group, [failed] * len(group))
        else:
            if events:
                self._on_commit(events)
            _answer(group, answers)

    def _fail(self, error: Exception) -> LogFailed:
        """From now on nothing is written: what the disk holds is unknown, and an fsync that failed must not be tried again."""
        failed = error if isinstance(error, LogFailed) else LogFailed(f"a commit failed: {error!r}")
        if not self._failed:
            self._failed = failed
            _log.critical("%s. The server stops; nothing that was acknowledged is lost.", failed, exc_info=error)
            self._on_failure(failed)
        return failed


def _answer(group: Sequence[_Waiting], answers: Sequence[Receipt | LogError]) -> None:
    for (_, future), answer in zip(group, answers, strict=True):
        if isinstance(answer, LogError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
