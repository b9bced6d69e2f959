"""A program's own connection to the book: a server, questions to it, and a producer. Knows how they are made and ended, not what is recorded."""

import os
import socket
from types import TracebackType
from typing import Self

from guessbook.clients.client import Guessbook
from guessbook.clients.embedded import EmbeddedServer
from guessbook.clients.errors import Invalid
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import Event, TrainerConnected
from guessbook.store.home import Home
from guessbook.store.spool import SpoolInUse
from guessbook.trainer.device import device_name

WELCOME_S = 30.0
FLUSH_S = 30.0  # for what is still on its way to the server
MOST = 64  # programs on one machine and data folder at a time


class Link:
    """To the server of a data folder; with none there, one is started and ends after its last user. A context.

    The producer's name is the machine's, and a number where several programs run at a time. So what one couldn't send any more is sent by the next.
    Raises GuessbookError.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._server = EmbeddedServer(home)
        try:
            self.address = self._server.address
            self.book = Guessbook(self.address, self.token)
            theirs = self.book.status().home
            if not home.is_at(theirs):
                raise Invalid(
                    f"the server at {self.address} has another data folder: {theirs}, not {home.root}",
                    "Say which you mean: GuessbookCallback(home=...), $GUESSBOOK_HOME or $GUESSBOOK_ADDRESS.",
                )
            self.producer = self._producer()
        except BaseException:
            self._server.close()
            raise
        try:
            self.producer.start()
            self.epoch = self.producer.wait_welcome(WELCOME_S)
            self.producer.flush(FLUSH_S)  # what is in the spool may tell of an older run of this producer's
        except BaseException:
            self.close()
            raise

    def token(self) -> str:
        return self.home.token("trainer")

    def record(self, event: Event) -> None:
        """Raises what keeps the producer from recording any more."""
        if self.producer.failure:
            raise self.producer.failure
        self.producer.record(event)

    def close(self) -> bool:
        """False: the server has not taken everything; the rest is kept in the spool, and goes out with the next program."""
        clean = self.producer.close(FLUSH_S if self.producer.epoch else 0.0)
        self.book.close()
        self._server.close()
        return clean

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _producer(self) -> Producer:
        here = TrainerConnected(device=device_name(), host=socket.gethostname(), pid=os.getpid())
        base = f"{socket.gethostname()}-callback"
        for number in range(1, MOST + 1):
            name = base if number == 1 else f"{base}-{number}"
            try:
                return Producer(name, self.home.spool / f"{name}.sqlite", self.address, here, self.token)
            except SpoolInUse:
                continue
        raise Invalid(
            f"{MOST} programs of this machine record into {self.home.root} already", "Wait until some are done."
        )
