"""The one table from errors to gRPC status, and the interceptor that applies it. A message's first line says what happened, the second what to do."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from guessbook.projections.examples import UnknownSort
from guessbook.projections.fold import UnknownEvent
from guessbook.projections.names import Unknown
from guessbook.server import logs
from guessbook.server.context import Context, known_caller
from guessbook.server.decide import rejection
from guessbook.server.streams import taken_apart
from guessbook.store import artifacts, config, errors, frame

_log = logging.getLogger(__name__)

_DAMAGE = (
    "Nothing damaged is served. Run `guessbook verify` to see how far the log is good, and restore a backup beside it."
)
_ROOM = "Nothing was written, and what was written before is safe. Make room on the disk, then try again."

# error -> (status, what to do; "" where the error itself says it)
TABLE: dict[type[Exception], tuple[grpc.StatusCode, str]] = {
    rejection.Invalid: (grpc.StatusCode.INVALID_ARGUMENT, ""),
    rejection.Missing: (grpc.StatusCode.NOT_FOUND, ""),
    rejection.Refused: (grpc.StatusCode.FAILED_PRECONDITION, ""),
    rejection.Unauthenticated: (grpc.StatusCode.UNAUTHENTICATED, ""),
    rejection.Forbidden: (grpc.StatusCode.PERMISSION_DENIED, ""),
    rejection.Displaced: (grpc.StatusCode.FAILED_PRECONDITION, ""),  # before the kind that it is of
    rejection.Superseded: (grpc.StatusCode.ABORTED, ""),
    rejection.Stopping: (grpc.StatusCode.UNAVAILABLE, ""),
    errors.WrongPosition: (grpc.StatusCode.FAILED_PRECONDITION, "Read what was added since and decide again."),
    errors.FencedEpoch: (grpc.StatusCode.ABORTED, "Stop this process; the newer one goes on."),
    errors.OutOfOrder: (
        grpc.StatusCode.OUT_OF_RANGE,
        "Connect again and go on behind the sequence that Welcome names.",
    ),
    errors.DifferentContent: (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Two processes seem to use one spool's numbers; give each producer a name of its own.",
    ),
    errors.TooLarge: (grpc.StatusCode.INVALID_ARGUMENT, "Split it."),
    errors.Malformed: (grpc.StatusCode.INVALID_ARGUMENT, "Leave to the log what is the log's to give."),
    errors.LogFull: (grpc.StatusCode.RESOURCE_EXHAUSTED, _ROOM),
    errors.LogFailed: (grpc.StatusCode.UNAVAILABLE, "The server stops; start it again when the disk is well."),
    errors.NotArchived: (grpc.StatusCode.FAILED_PRECONDITION, "Nothing was changed; the log is as it was."),
    errors.HistoryAbsent: (
        grpc.StatusCode.FAILED_PRECONDITION,
        "Nothing is lost as long as that file is kept somewhere.",
    ),
    errors.Contradicted: (grpc.StatusCode.DATA_LOSS, "Keep the signed checkpoint, and run `guessbook verify`."),
    frame.DamagedFrame: (grpc.StatusCode.DATA_LOSS, _DAMAGE),
    config.BadConfig: (grpc.StatusCode.FAILED_PRECONDITION, "Correct config.yaml in the data folder."),
    artifacts.MissingArtifact: (grpc.StatusCode.NOT_FOUND, "Upload it first."),
    artifacts.DamagedArtifact: (
        grpc.StatusCode.DATA_LOSS,
        "Upload it again; the damaged file is kept for you to look at.",
    ),
    DecodeError: (grpc.StatusCode.INVALID_ARGUMENT, "The schema is in proto/, and reflection tells it."),
    # The health service leaves a method out.
    NotImplementedError: (grpc.StatusCode.UNIMPLEMENTED, "Use another method; reflection lists them."),
    UnknownSort: (grpc.StatusCode.INVALID_ARGUMENT, ""),
    Unknown: (grpc.StatusCode.NOT_FOUND, ""),
    UnknownEvent: (grpc.StatusCode.UNIMPLEMENTED, ""),
}

_Handler = Callable[[Any, Context], Any]


async def refuse(context: Context, method: str, error: Exception) -> None:
    """Ends the call with the error's status. An error that is in no table is logged whole and told in general."""
    for kind, (status, hint) in TABLE.items():
        if isinstance(error, kind):
            logs.told()
            _log.info("[%s] %s: %s", method, status.name, error)
            await context.abort(status, f"{error}\n{getattr(error, 'hint', '') or hint}")
    logs.told()
    _log.error("[%s] failed", method, exc_info=error)
    await context.abort(
        grpc.StatusCode.INTERNAL,
        "the server failed at this call\nIts log says why. Nothing that was acknowledged is lost.",
    )


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Lets servicer methods simply raise. To stand outside the AuthInterceptor, whose streams write their answers themselves."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method.rpartition("/")[2]
        build, behaviour = taken_apart(handler)
        guarded = _guard_stream(behaviour, method) if handler.response_streaming else _guard_unary(behaviour, method)
        return build(guarded, handler.request_deserializer, handler.response_serializer)


def _guard_unary(behaviour: _Handler, method: str) -> _Handler:
    async def guarded(request: Any, context: Context) -> Any:
        with logs.call(method, lambda: known_caller(context)):
            try:
                return await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the table decides what the caller learns of it
                await refuse(context, method, error)

    return guarded


def _guard_stream(behaviour: _Handler, method: str) -> _Handler:
    async def guarded(request: Any, context: Context) -> None:
        with logs.call(method, lambda: known_caller(context)):
            try:
                await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the table decides what the caller learns of it
                await refuse(context, method, error)

    return guarded
