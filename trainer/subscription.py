"""Follows the log in a thread of its own, for ever. Knows the client's subscription, not what the events mean."""

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from guessbook.clients.client import Guessbook
from guessbook.clients.connection import Token
from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import Event

RETRY_S = 5.0

_log = logging.getLogger(__name__)


class Subscription:
    """Calls `apply` with each event of the subjects, from a position on, in order, once. A context manager.

    `apply` runs in the subscription's thread.
    """

    def __init__(
        self,
        address: str,
        subjects: Sequence[str],
        from_position: int,
        apply: Callable[[Event], None],
        token: Token | None = None,
    ) -> None:
        self._book = Guessbook(address, token)
        self._subjects = subjects
        self._next = from_position
        self._apply = apply
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="subscription", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._book.close()
        self._thread.join()

    def _follow(self) -> None:
        while not self._closing.is_set():
            try:
                self._receive()
            except GuessbookError as error:
                # No token, or another log. Training goes on, and somebody may put it right.
                _log.error("%s. %s Until then requests do not reach this trainer.", error, error.hint)
                self._closing.wait(RETRY_S)

    def _receive(self) -> None:
        for answer in self._book.subscribe(self._next, self._subjects, on_lost=_note):
            for event in answer.events:
                self._apply(event)
            self._next = max(self._next, answer.next)


def _note(error: GuessbookError) -> None:
    _log.debug("the subscription broke: %s", error)
