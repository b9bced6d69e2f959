"""The Log service: translates between the wire and the log."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from guessbook.proto import log_pb2, raw_pb2
from guessbook.proto.events_pb2 import Event, Events, TrainerConnected
from guessbook.proto.log_pb2_grpc import LogServicer
from guessbook.server import logs
from guessbook.server.attendance import Attendance
from guessbook.server.context import Context, actor_of
from guessbook.server.decide import trainers
from guessbook.server.decide.rejection import Invalid, Superseded
from guessbook.server.live_book import LiveBook
from guessbook.server.notary import Notary
from guessbook.server.verification import verify_log
from guessbook.store.log import Append, Receipt
from guessbook.store.producers import NAME_LIMIT, ProducerState

HEARTBEAT_S = 5.0
WAITING_BATCHES = 64  # of one stream, read and not yet committed

Acks = asyncio.Queue[tuple[int, "asyncio.Future[Receipt]"] | None]


class LogService(LogServicer):
    def __init__(self, live: LiveBook, attendance: Attendance, notary: Notary) -> None:
        self._live = live
        self._attendance = attendance
        self._notary = notary

    async def Append(  # type: ignore[override]  # the messages of raw.proto
        self, request_iterator: AsyncIterator[raw_pb2.AppendRequest], context: Context
    ) -> AsyncIterator[log_pb2.AppendResponse]:
        hello = await _hello(request_iterator)
        if hello.log_id not in ("", self._live.log.log_id):
            yield log_pb2.AppendResponse(welcome=log_pb2.Welcome(log_id=self._live.log.log_id))  # so that it knows why
            raise Superseded(
                f"producer {hello.producer} wrote to the log {hello.log_id}; this is {self._live.log.log_id}, restored from a backup or another one",
                "Begin anew, with an empty spool and without a log id. What this log lacks of it has to be done again.",
            )
        state = await self._live.join(hello.producer, hello.epoch)
        is_trainer = hello.HasField("trainer")
        acks: Acks = asyncio.Queue(WAITING_BATCHES)
        reader = asyncio.create_task(self._read(request_iterator, hello.producer, state, actor_of(context), acks))
        try:
            if is_trainer:
                await self._attendance.arrived(hello.producer, _trainer(hello, state.epoch))
            welcome = log_pb2.Welcome(
                epoch=state.epoch,
                last_sequence=state.last_sequence,
                head=self._live.fold.committed,
                log_id=self._live.log.log_id,
            )
            yield log_pb2.AppendResponse(welcome=welcome)
            while (item := await acks.get()) is not None:
                sequence, committed = item
                receipt = await committed
                logs.changed(receipt.first_position + receipt.count - 1)
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
        requests: AsyncIterator[raw_pb2.AppendRequest],
        producer: str,
        state: ProducerState,
        actor: str,
        acks: Acks,
    ) -> None:
        """Hands batches to the writer as they come, so that those that wait share a commit."""
        try:
            async for request in requests:
                batch = request.batch
                if not request.HasField("batch") or not batch.sequence:
                    raise Invalid("after Hello come batches with sequence numbers from 1 on")
                events = _parsed(batch.events)
                expected = batch.expected_position if batch.HasField("expected_position") else None
                append = Append(events, actor, expected, None, producer, state.epoch, batch.sequence, batch.events)
                if (
                    batch.sequence > state.last_sequence
                ):  # else it is stored, and only its ack was lost: whoever has the job now
                    trainers.admit(self._live.book, producer, state.epoch, events, append.subjects)
                await acks.put((batch.sequence, await self._live.append_soon(append)))
        finally:
            task = asyncio.current_task()
            if not (task and task.cancelling()):  # else nobody takes it any more
                await acks.put(None)

    async def Read(  # type: ignore[override]
        self, request: log_pb2.ReadRequest, context: Context
    ) -> AsyncIterator[raw_pb2.ReadResponse]:
        head = self._live.log.head.position
        after = max(request.from_position, 1)
        while after <= head:
            frames, after = await asyncio.to_thread(self._live.log.read_raw, after, request.subjects, head)
            if frames:
                yield raw_pb2.ReadResponse(frames=frames, head=head, next=after)

    async def Subscribe(  # type: ignore[override]
        self, request: log_pb2.ReadRequest, context: Context
    ) -> AsyncIterator[raw_pb2.ReadResponse]:
        """No queue per subscriber: a cursor, and a read when the last answer was taken. No read transaction is held while waiting."""
        after, loop = max(request.from_position, 1), asyncio.get_running_loop()
        told, subscriber = loop.time(), self._live.metrics.subscriber(after)
        while True:
            subscriber.next = after
            frames, after = await asyncio.to_thread(self._live.log.read_raw, after, request.subjects)
            await self._live.fold.reached(after - 1)  # whoever learns of an event finds it in every answer
            if after > self._live.book.position and not frames:
                await self._live.fold.moved(max(0.0, told + HEARTBEAT_S - loop.time()))
            if frames or loop.time() >= told + HEARTBEAT_S:
                yield raw_pb2.ReadResponse(frames=frames, head=self._live.book.position, next=after)
                told = loop.time()

    async def Head(self, request: log_pb2.HeadRequest, context: Context) -> log_pb2.HeadResponse:
        head = self._live.log.head
        return log_pb2.HeadResponse(position=head.position, chain_hash=head.chain_hash, log_id=self._live.log.log_id)

    async def Verify(self, request: log_pb2.VerifyRequest, context: Context) -> AsyncIterator[log_pb2.VerifyResponse]:
        async for progress in verify_log(self._live.log.folder, self._live.log.head.position):
            yield progress

    async def Prove(self, request: log_pb2.ProveRequest, context: Context) -> log_pb2.ProveResponse:
        return await self._notary.prove(request)


async def _hello(requests: AsyncIterator[raw_pb2.AppendRequest]) -> log_pb2.Hello:
    async for request in requests:
        name = request.hello.producer
        if 0 < len(name.encode()) <= NAME_LIMIT and "\0" not in name:
            return request.hello
        break
    raise Invalid(
        f"the first message must be a Hello with a producer's name of at most {NAME_LIMIT} bytes, none of them NUL"
    )


def _trainer(hello: log_pb2.Hello, epoch: int) -> TrainerConnected:
    info = TrainerConnected()
    info.CopyFrom(hello.trainer)
    info.epoch = epoch
    return info


def _parsed(raw: bytes) -> list[Event]:
    try:
        return list(Events.FromString(raw).events)
    except DecodeError as error:
        raise Invalid(f"a batch's events can't be read: {error}") from error


# On the wire these are the messages of log.proto; here their events stay bytes.
_RAW = {
    "guessbook.v1.AppendRequest": raw_pb2.AppendRequest,
    "guessbook.v1.ReadResponse": raw_pb2.ReadResponse,
}
_HANDLERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def add_log_service(service: LogService, server: grpc.aio.Server) -> None:
    """Like the generated `add_LogServicer_to_server`, with the messages of raw.proto where log.proto has events."""
    descriptor = log_pb2.DESCRIPTOR.services_by_name["Log"]
    handlers = {}
    for method in descriptor.methods:
        build = _HANDLERS[method.client_streaming, method.server_streaming]
        request, response = _message(method.input_type), _message(method.output_type)
        handlers[method.name] = build(
            getattr(service, method.name),
            request_deserializer=request.FromString,
            response_serializer=response.SerializeToString,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(descriptor.full_name, handlers),))


def _message(descriptor: Descriptor) -> type[Message]:
    return _RAW.get(descriptor.full_name) or GetMessageClass(descriptor)
