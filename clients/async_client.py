"""The Python client for asyncio: what client.py has, to be awaited. Knows the wire, not the CLI or the dashboard."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from guessbook.clients.connection import Address, Token, aio_channel, translated
from guessbook.clients.errors import GuessbookError
from guessbook.clients.files import Content, check_stored, pieces, sha256_of
from guessbook.clients.methods import SUBMIT_DEADLINE_S, Call
from guessbook.clients.safety_methods import SafetyMethods
from guessbook.clients.subscription import AsyncSubscription, Cursor
from guessbook.proto import artifacts_pb2, events_pb2, history_pb2, log_pb2
from guessbook.store.recorded import events_in

if TYPE_CHECKING:
    from guessbook.proto.artifacts_pb2_grpc import ArtifactsAsyncStub
    from guessbook.proto.history_pb2_grpc import HistoryAsyncStub
    from guessbook.proto.log_pb2_grpc import LogAsyncStub

CLOSE_GRACE_S = 1.0  # for the answers that are under way

R = TypeVar("R")


class AsyncGuessbook(SafetyMethods):
    """A connection to a Guessbook server, for asyncio; to be made and used inside one running event loop.

        async with AsyncGuessbook() as book:
            job = (await book.submit(Path("facts.jsonl"))).job
            async for answer in book.subscribe(job.queued_position):
                ...

    Methods, arguments, errors and the meaning of `at`, `address` and `token` are those of `Guessbook`.
    """

    _log: "LogAsyncStub"
    _artifacts: "ArtifactsAsyncStub"
    _history: "HistoryAsyncStub"

    def __init__(self, address: Address | None = None, token: Token | None = None) -> None:
        super().__init__(address, token)
        self._subscriptions: weakref.WeakSet[AsyncSubscription] = weakref.WeakSet()
        self._use(aio_channel(self.address, token))

    async def close(self) -> None:
        """Ends its subscriptions and hangs up."""
        for subscription in list(self._subscriptions):
            subscription.close()
        await self.channel.close(CLOSE_GRACE_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def redial(self) -> None:
        """Follows the server to where it is now; the same address keeps its channel."""
        address = self._found_address()
        if address != self.address:
            before, self.address = self.channel, address
            self._use(aio_channel(address, self._token))
            await before.close(CLOSE_GRACE_S)

    async def _dialled(self) -> "tuple[LogAsyncStub, str]":
        await self.redial()
        return self._log, self.address

    async def _ask(self, call: Call[R]) -> R:
        """Makes a call of `Methods`."""
        if call.dataset is not None:
            call.request.dataset = await self.upload(call.dataset)
        if call.held_out is not None:
            call.request.config.held_out = await self.upload(call.held_out)
        method: Any = call.method  # on this channel it gives something to await
        with translated(self.address):
            answer: R = await method(call.request, timeout=call.deadline_s)
        return answer

    # ---- questions with many answers ----

    async def observations(
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
    ) -> AsyncIterator[history_pb2.Observations]:
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
            async for part in self._history.ReadObservations(request):
                yield part

    # ---- the log ----

    async def read(
        self, from_position: int = 1, subjects: Sequence[str] = (), limit: int = 0
    ) -> AsyncIterator[events_pb2.Event]:
        """The events from a position to the head as it is now. A subject that ends with "/" takes all that begin so."""
        request = log_pb2.ReadRequest(from_position=from_position, subjects=subjects)
        left = limit
        with translated(self.address):
            async for answer in self._log.Read(request):
                for event in events_in(answer.frames):
                    yield event
                    left -= 1
                    if left == 0:
                        return

    def subscribe(
        self,
        from_position: int = 1,
        subjects: Sequence[str] = (),
        *,
        on_lost: Callable[[GuessbookError], None] | None = None,
    ) -> AsyncSubscription:
        """See `Guessbook.subscribe`."""
        subscription = AsyncSubscription(self._dialled, Cursor(from_position, subjects, on_lost))
        self._subscriptions.add(subscription)
        return subscription

    async def verify(self) -> AsyncIterator[log_pb2.VerifyResponse]:
        """Has the server walk the whole log: how far it is, now and then, and at last the verdict."""
        with translated(self.address):
            async for progress in self._log.Verify(log_pb2.VerifyRequest()):
                yield progress

    # ---- files ----

    async def upload(self, content: Content) -> str:
        """Stores a file, or bytes, by the content and returns its SHA-256 (hex). What is there already isn't sent again."""
        sha256 = await asyncio.to_thread(sha256_of, content)
        with translated(self.address):
            if not (await self._artifacts.Stat(artifacts_pb2.StatRequest(sha256=sha256))).exists:
                check_stored(content, sha256, await self._artifacts.Upload(pieces(content), timeout=SUBMIT_DEADLINE_S))
        return sha256

    async def download(self, sha256: str) -> AsyncIterator[bytes]:
        """A stored file's bytes, in pieces, verified by the server as it reads them."""
        with translated(self.address):
            async for piece in self._artifacts.Download(artifacts_pb2.StatRequest(sha256=sha256)):
                yield piece.data
