"""The Log service: translates between the wire and the log."""

import asyncio
from collections.abc import AsyncIterator

from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import TrainerConnected
from guessbook.proto.log_pb2_grpc import LogServicer
from guessbook.server.attendance import Attendance
from guessbook.server.context import Context, actor_of
from guessbook.server.decide import trainers
from guessbook.server.decide.rejection import Invalid
from guessbook.server.live_book import LiveBook
from guessbook.server.verification import verify_log
from guessbook.store.log import Append, Receipt
from guessbook.store.producers import NAME_LIMIT

HEARTBEAT_S = 5.0
WAITING_BATCHES = 64  # of one stream, read and not yet committed

Acks = asyncio.Queue[tuple[int, "asyncio.Future[Receipt]"] | None]


class LogService(LogServicer):
    def __init__(self, live: LiveBook, attendance: Attendance) -> None:
        self._live = live
        self._attendance = attendance

    async def Append(
        self, request_iterator: AsyncIterator[log_pb2.AppendRequest], context: Context
    ) -> AsyncIterator[log_pb2.AppendResponse]:
        hello = await _hello(request_iterator)
        state = await self._live.join(hello.producer, hello.epoch)
        is_trainer = hello.HasField("trainer")
        if is_trainer:
            info = TrainerConnected()
            info.CopyFrom(hello.trainer)
            info.epoch = state.epoch
            await self._attendance.arrived(hello.producer, info)
        acks: Acks = asyncio.Queue(WAITING_BATCHES)
        reader = asyncio.create_task(self._read(request_iterator, hello.producer, state.epoch, actor_of(context), acks))
        try:
            welcome = log_pb2.Welcome(
                epoch=state.epoch, last_sequence=state.last_sequence, head=self._live.book.position
            )
            yield log_pb2.AppendResponse(welcome=welcome)
            while (item := await acks.get()) is not None:
                sequence, committed = item
                receipt = await committed
                yield log_pb2.AppendResponse(
                    ack=log_pb2.Ack(
                        sequence=sequence,
                        first_position=receipt.first_position,
                        count=receipt.count,
                        duplicate=receipt.duplicate,
                    )
                )
            await reader
        finally:
            reader.cancel()
            if is_trainer:
                self._attendance.left(hello.producer, state.epoch)

    async def _read(
        self,
        requests: AsyncIterator[log_pb2.AppendRequest],
        producer: str,
        epoch: int,
        actor: str,
        acks: Acks,
    ) -> None:
        """Hands batches to the writer as they come, so that those that wait share a commit."""
        try:
            async for request in requests:
                batch = request.batch
                if not request.HasField("batch") or not batch.sequence:
                    raise Invalid("after Hello come batches with sequence numbers from 1 on")
                events = list(batch.events)
                trainers.admit(self._live.book, producer, epoch, events)
                expected = batch.expected_position if batch.HasField("expected_position") else None
                append = Append(events, actor, expected, producer, epoch, batch.sequence)
                await acks.put((batch.sequence, self._live.append_later(append)))
        finally:
            task = asyncio.current_task()
            if not (task and task.cancelling()):  # else nobody takes it any more
                await acks.put(None)

    async def Read(self, request: log_pb2.ReadRequest, context: Context) -> AsyncIterator[log_pb2.ReadResponse]:
        head = self._live.book.position
        after, left = max(request.from_position, 1), request.limit
        while after <= head:
            events, after = await asyncio.to_thread(self._live.log.read, after, request.subjects, left)
            events = [event for event in events if event.position <= head]
            if events:
                yield log_pb2.ReadResponse(events=events, head=head, next=after)
            if request.limit:
                left -= len(events)
                if left <= 0:
                    return

    async def Subscribe(self, request: log_pb2.ReadRequest, context: Context) -> AsyncIterator[log_pb2.ReadResponse]:
        """No queue per subscriber: a cursor, and a read when the last answer was taken. No read transaction is held while waiting."""
        after = max(request.from_position, 1)
        while True:
            events, after = await asyncio.to_thread(self._live.log.read, after, request.subjects)
            await self._live.reached(after - 1)  # whoever learns of an event finds it in every answer
            if events:
                yield log_pb2.ReadResponse(events=events, head=self._live.book.position, next=after)
            elif after > self._live.book.position and not await self._live.moved(HEARTBEAT_S):
                yield log_pb2.ReadResponse(head=self._live.book.position, next=after)

    async def Head(self, request: log_pb2.HeadRequest, context: Context) -> log_pb2.HeadResponse:
        head = self._live.log.head
        return log_pb2.HeadResponse(position=head.position, chain_hash=head.chain_hash, log_id=self._live.log.log_id)

    async def Verify(self, request: log_pb2.VerifyRequest, context: Context) -> AsyncIterator[log_pb2.VerifyResponse]:
        async for progress in verify_log(self._live.log.folder, self._live.log.head.position):
            yield progress


async def _hello(requests: AsyncIterator[log_pb2.AppendRequest]) -> log_pb2.Hello:
    async for request in requests:
        if request.HasField("hello") and 0 < len(request.hello.producer.encode()) <= NAME_LIMIT:
            return request.hello
        break
    raise Invalid(f"the first message must be a Hello with a producer's name of at most {NAME_LIMIT} bytes")
