"""A gRPC channel to the server, and the translation of its errors. Knows no service."""

import ipaddress
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import grpc

from guessbook.clients.calls import Calls, aio_calls
from guessbook.clients.errors import (
    Fenced,
    Forbidden,
    GuessbookError,
    Invalid,
    NotFound,
    Rejected,
    Unauthenticated,
    Unreachable,
)
from guessbook.store.home import Home

# A token, or how to find it: that is asked before each call, since a server makes its tokens when it is first started.
Token: TypeAlias = str | Callable[[], str]
# `host:port`, or how to find it: that is asked again when the server was lost, which may come back somewhere else.
Address: TypeAlias = str | Callable[[], str]

# Keepalive notices a dead peer within 40 s; the server allows pings that often. Messages: a frame is at most 2 MiB.
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # gRPC 1.85 goes by this one; by default it is a minute
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),  # what the server takes
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]

_ERRORS: dict[grpc.StatusCode, type[GuessbookError]] = {
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unreachable,
    grpc.StatusCode.CANCELLED: Unreachable,  # by the server's stop, or because this side hung up
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Rejected,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Rejected,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.OUT_OF_RANGE: Invalid,
    grpc.StatusCode.ABORTED: Fenced,
}

# How gRPC's own messages begin where there was no connection: then the server knows nothing of the call.
_NEVER_SENT = ("failed to connect", "connections to all backends failing", "DNS resolution failed", "name resolution")


def channel(address: str, token: Token | None = None) -> grpc.Channel:
    """A channel whose calls carry the token; without one, that of the data folder. With TLS if $GUESSBOOK_TLS_CA is set.

    Raises Invalid where the token would travel in the clear.
    """
    credentials = _credentials(address)
    if credentials:
        made = grpc.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
    else:
        made = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
    return grpc.intercept_channel(made, Calls(_found(token)))


def aio_channel(address: str, token: Token | None = None) -> grpc.aio.Channel:
    """The same for asyncio. To be made inside a running event loop."""
    credentials, interceptors = _credentials(address), aio_calls(_found(token))
    if credentials:
        return grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS, interceptors=interceptors)
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS, interceptors=interceptors)


def _found(token: Token | None) -> Callable[[], str]:
    if token is None:
        return Home.default().token
    return token if callable(token) else lambda: token


def _credentials(address: str) -> grpc.ChannelCredentials | None:
    """TLS as the environment says; None where nothing leaves this machine."""
    authority = os.environ.get("GUESSBOOK_TLS_CA")
    if authority:
        certificate, key = os.environ.get("GUESSBOOK_TLS_CERT"), os.environ.get("GUESSBOOK_TLS_KEY")
        return grpc.ssl_channel_credentials(
            Path(authority).read_bytes(),
            Path(key).read_bytes() if key else None,
            Path(certificate).read_bytes() if certificate else None,
        )
    if not _is_local(address):
        raise Invalid(
            f"{address} is another machine, and without TLS the token would travel for everybody to read",
            "Set GUESSBOOK_TLS_CA to the file of the authority that signed the server's certificate.",
        )
    return None


def _is_local(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def translate(error: grpc.RpcError, address: str) -> GuessbookError:
    """A gRPC error as one of ours. The server puts what to do next behind the first line of its message."""
    code, details = error.code(), error.details() or ""
    message, _, hint = details.partition("\n")
    kind = _ERRORS.get(code, GuessbookError)
    if kind is not Unreachable:
        return kind(message or code.name, hint)
    if code is grpc.StatusCode.UNAVAILABLE and details.startswith(_NEVER_SENT):
        return Unreachable(
            f"no server answers at {address}",
            "Start one with `guessbook up`, or set GUESSBOOK_ADDRESS to where it is, and GUESSBOOK_TLS_CA if it has TLS.",
        )
    late = code is grpc.StatusCode.DEADLINE_EXCEEDED
    return Unreachable(
        f"the server at {address} {'did not answer in time' if late else 'was lost before it answered'}",
        "What was asked may have been done all the same: look with `guessbook queue` before you ask again.",
    )


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Inside it, gRPC errors are raised as `GuessbookError`."""
    try:
        yield
    except grpc.RpcError as error:
        raise translate(error, address) from error
