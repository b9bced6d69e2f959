"""One gRPC channel to the server, and the translation of its errors. Knows no service."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from guessbook.clients.errors import Fenced, GuessbookError, Invalid, NotFound, Rejected, Unreachable

# Keepalive notices a dead peer within 40 s; the server allows pings that often. Messages: a frame is at most 2 MiB.
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]

_ERRORS: dict[grpc.StatusCode, type[GuessbookError]] = {
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unreachable,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Rejected,
    grpc.StatusCode.PERMISSION_DENIED: Rejected,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Rejected,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.OUT_OF_RANGE: Invalid,
    grpc.StatusCode.ABORTED: Fenced,
}


def translate(error: grpc.RpcError, address: str) -> GuessbookError:
    """A gRPC error as one of ours. The server puts what to do next behind the first line of its message."""
    code = error.code()
    message, _, hint = (error.details() or "").partition("\n")
    kind = _ERRORS.get(code, GuessbookError)
    if kind is Unreachable:
        return Unreachable(
            f"no server answers at {address}",
            "Start one with `guessbook up`, or set GUESSBOOK_ADDRESS to where it is.",
        )
    return kind(message or code.name, hint)


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Inside it, gRPC errors are raised as `GuessbookError`."""
    try:
        yield
    except grpc.RpcError as error:
        raise translate(error, address) from error
