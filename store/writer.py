"""The one thread that writes the log. Requests that wait together are committed together, so an fsync serves them all."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from guessbook.proto.events_pb2 import Event
from guessbook.store.errors import LogError, LogFailed, LogFull
from guessbook.store.log import BATCH_LIMIT, Append, Log, Receipt
from guessbook.store.producers import ProducerState

GROUP_EVENTS = 4096

_log = logging.getLogger(__name__)

_Job = Callable[[], None]


class Writer:
    """Takes appends from any thread and answers each with a future, in the order they came.

    `on_commit` gets each commit's events, in order, on the writer's thread, before their futures are done. `on_failure` is called once when a
    commit failed in a way that must not be tried again; from then on every append gets LogFailed.
    """

    def __init__(
        self, log: Log, on_commit: Callable[[Sequence[Event]], None], on_failure: Callable[[LogFailed], None]
    ) -> None:
        self._storage = log
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._failed: LogFailed | None = None
        self._queue: queue.SimpleQueue[tuple[Append, Future[Receipt]] | _Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, append: Append) -> "Future[Receipt]":
        """Done when the events are durable; fails with the LogError that says why not."""
        future: Future[Receipt] = Future()
        self._queue.put((append, future))
        return future

    def join(self, producer: str, epoch: int) -> "Future[ProducerState]":
        """Takes a producer in; see Log.join."""
        future: Future[ProducerState] = Future()

        def run() -> None:
            try:
                if self._failed:
                    raise self._failed
                future.set_result(self._storage.join(producer, epoch))
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
                future.set_exception(error)

        self._queue.put(run)
        return future

    def close(self) -> None:
        """Commits what waits, then ends."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            group: list[tuple[Append, Future[Receipt]]] = []
            size = 0
            # Whatever waits by now goes into this commit: the fsync before has formed the group.
            while isinstance(item, tuple):
                group.append(item)
                size += sum(event.ByteSize() for event in item[0].events)
                item = None
                if size >= BATCH_LIMIT or sum(len(append.events) for append, _ in group) >= GROUP_EVENTS:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    self._queue.put(None)  # close() waits behind this commit
            if group:
                self._commit(group)
            if callable(item):
                item()

    def _commit(self, group: Sequence[tuple[Append, "Future[Receipt]"]]) -> None:
        try:
            if self._failed:
                raise self._failed
            answers, events = self._storage.commit([append for append, _ in group], time.time_ns() // 1000)
        except LogFull as error:
            _answer(group, [error] * len(group))
        except Exception as error:  # noqa: BLE001 - nobody else could tell those who wait
            failed = error if isinstance(error, LogFailed) else LogFailed(f"a commit failed: {error!r}")
            if not self._failed:
                self._failed = failed
                _log.critical("%s. The server stops; nothing that was acknowledged is lost.", failed, exc_info=error)
                self._on_failure(failed)
            _answer(group, [failed] * len(group))
        else:
            if events:
                self._on_commit(events)
            _answer(group, answers)


def _answer(group: Sequence[tuple[Append, "Future[Receipt]"]], answers: Sequence[Receipt | LogError]) -> None:
    for (_, future), answer in zip(group, answers, strict=True):
        if isinstance(answer, LogError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
