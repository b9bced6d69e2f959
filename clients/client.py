"""The Python client that waits for its answers. Knows the wire, not the CLI or the dashboard."""

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from guessbook.clients.connection import Address, Token, channel, translated
from guessbook.clients.errors import GuessbookError
from guessbook.clients.files import Content, check_stored, pieces, sha256_of
from guessbook.clients.methods import SUBMIT_DEADLINE_S, Call
from guessbook.clients.safety_methods import SafetyMethods
from guessbook.clients.subscription import Cursor, Subscription
from guessbook.proto import artifacts_pb2, events_pb2, history_pb2, log_pb2
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store.recorded import events_in

R = TypeVar("R")


class Guessbook(SafetyMethods):
    """A connection to a Guessbook server.

        with Guessbook() as book:
            job = book.submit(Path("facts.jsonl")).job
            for example in book.examples("latest").examples:
                print(example.prompt, example.latest.guess)

    `at` is a point in the past for every question: `At(position=…)`, `At(time_us=…)` or `At(run_step=RunStep(…))`.
    Without it the answer is as of now. Every method raises a `GuessbookError` that says what to do next.

    `address` is `host:port`, or a function that says where the server is now; without one it is `$GUESSBOOK_ADDRESS`, else what the data folder says.
    `token` says who asks; without one it is `$GUESSBOOK_TOKEN`, else the admin's of the data folder. `$GUESSBOOK_TLS_CA` turns TLS on.

    Threads may share one. `AsyncGuessbook` has the same methods for asyncio.
    """

    def __init__(self, address: Address | None = None, token: Token | None = None) -> None:
        super().__init__(address, token)
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._closing = threading.Lock()
        self._closed = False
        self._use(channel(self.address, token))

    def close(self) -> None:
        """Ends its subscriptions and hangs up."""
        with self._closing:
            self._closed = True
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def redial(self) -> None:
        """Follows the server to where it is now; the same address keeps its channel."""
        address = self._found_address()
        if address != self.address:
            self.address = address
            # The old one is not closed under another thread that may be using it; it goes with its last user.
            self._use(channel(address, self._token))

    def _dialled(self) -> tuple[LogStub, str]:
        self.redial()
        return self._log, self.address

    def _ask(self, call: Call[R]) -> R:
        """Makes a call of `Methods`."""
        if call.dataset is not None:
            call.request.dataset = self.upload(call.dataset)
        if call.held_out is not None:
            call.request.config.held_out = self.upload(call.held_out)
        with translated(self.address):
            return call.method(call.request, timeout=call.deadline_s)

    # ---- questions with many answers ----

    def observations(
        self,
        run: str = "latest",
        at: history_pb2.At | None = None,
        *,
        steps: Sequence[int] = (),
        states: Sequence[history_pb2.ExampleState.ValueType] = (),
        search: str = "",
        category: str = "",
        only_held_out: bool = False,
        indices: Sequence[int] = (),
        box: history_pb2.MapBox | None = None,
        since_step: int | None = None,
        changes: Sequence[history_pb2.Change.ValueType] = (),
    ) -> Iterator[history_pb2.Observations]:
        """Every observation of the examples under a filter, as for `examples`: snapshot by snapshot, at most 1,000 in one answer.

        `steps`: only these snapshots. What is read is as of the moment it was asked, however long reading takes.
        """
        chosen = history_pb2.ListExamplesRequest(
            run=run,
            at=at,
            states=states,
            search=search,
            category=category,
            only_held_out=only_held_out,
            indices=indices,
            box=box,
            since_step=since_step,
            changes=changes,
        )
        request = history_pb2.ReadObservationsRequest(filter=chosen, steps=steps)
        with translated(self.address):
            yield from self._history.ReadObservations(request)

    # ---- the log ----

    def read(self, from_position: int = 1, subjects: Sequence[str] = (), limit: int = 0) -> Iterator[events_pb2.Event]:
        """The events from a position to the head as it is now. A subject that ends with "/" takes all that begin so."""
        request = log_pb2.ReadRequest(from_position=from_position, subjects=subjects)
        with translated(self.address):
            events = (event for answer in self._log.Read(request) for event in events_in(answer.frames))
            yield from islice(events, limit or None)

    def subscribe(
        self,
        from_position: int = 1,
        subjects: Sequence[str] = (),
        *,
        on_lost: Callable[[GuessbookError], None] | None = None,
    ) -> Subscription:
        """All events from a position on, endless: each once, in order, over restarts of the server. Ends when it or this client is closed.

        Yields answers: with events, or without any as a heartbeat (every few seconds in which nothing came, and the first thing after a break), which tells
        how far the log is. When the server is lost it is tried again for ever, with growing, jittered pauses, behind the last event that was yielded.
        `on_lost` is told of each attempt that failed; what it raises ends the subscription. Without it, each break is logged once as a warning. What another
        attempt can't help is raised: no valid token, or another log at the same address.
        """
        subscription = Subscription(self._dialled, Cursor(from_position, subjects, on_lost))
        with self._closing:
            self._subscriptions.add(subscription)
            closed = self._closed
        if closed:
            subscription.close()
        return subscription

    def verify(self) -> Iterator[log_pb2.VerifyResponse]:
        """Has the server walk the whole log: how far it is, now and then, and at last the verdict."""
        with translated(self.address):
            yield from self._log.Verify(log_pb2.VerifyRequest())

    # ---- files ----

    def upload(self, content: Content) -> str:
        """Stores a file, or bytes, by the content and returns its SHA-256 (hex). What is there already isn't sent again."""
        sha256 = sha256_of(content)
        with translated(self.address):
            if not self._artifacts.Stat(artifacts_pb2.StatRequest(sha256=sha256)).exists:
                check_stored(content, sha256, self._artifacts.Upload(pieces(content), timeout=SUBMIT_DEADLINE_S))
        return sha256

    def download(self, sha256: str) -> Iterator[bytes]:
        """A stored file's bytes, in pieces, verified by the server as it reads them."""
        with translated(self.address):
            for piece in self._artifacts.Download(artifacts_pb2.StatRequest(sha256=sha256)):
                yield piece.data
