"""Follows the log in a thread of its own, for ever. Knows how to come back after a lost server, not what the events mean."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import Event

BACKOFF_S = (0.2, 5.0)

_log = logging.getLogger(__name__)


class Subscription:
    """Calls `apply` with each event of the subjects, from a position on, in order, once. A context manager.

    `apply` runs in the subscription's thread. When the server goes, it is tried again with growing, jittered pauses.
    """

    def __init__(
        self, address: str, subjects: Sequence[str], from_position: int, apply: Callable[[Event], None]
    ) -> None:
        self._address = address
        self._subjects = subjects
        self._next = from_position
        self._apply = apply
        self._book: Guessbook | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="subscription", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if book := self._book:
            book.close()
        self._thread.join()

    def _follow(self) -> None:
        pause = BACKOFF_S[0]
        while not self._closing.is_set():
            position = self._next
            try:
                with Guessbook(self._address) as self._book:
                    if not self._closing.is_set():
                        self._receive(self._book)
            except (GuessbookError, ValueError) as error:
                # gRPC refuses a call on a channel that was just closed with a ValueError.
                if isinstance(error, ValueError) and not self._closing.is_set():
                    raise
                _log.debug("the subscription to %s broke: %s", self._address, error)
            pause = BACKOFF_S[0] if self._next > position else min(pause * 2, BACKOFF_S[1])
            self._closing.wait(pause * random.uniform(0.5, 1.0))

    def _receive(self, book: Guessbook) -> None:
        for answer in book.subscribe(self._next, self._subjects):
            for event in answer.events:
                self._apply(event)
            self._next = max(self._next, answer.next)
            if self._closing.is_set():
                return
