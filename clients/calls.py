"""What each call of a channel carries: the caller's token, and a deadline. Knows no service and no address."""

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

DEADLINE_S = 30.0  # of a call with one answer that names none; a stream has none, keepalive watches it


class _Details(NamedTuple):
    """A call as an interceptor sends it on; grpc has only the interface of it."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class Calls(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]
):
    """Adds token and deadline to the calls of a channel."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def _with(self, details: Any, deadline: float | None) -> Any:
        timeout = details.timeout if details.timeout is not None else deadline
        metadata = [*(details.metadata or ()), *_authorization(self._token)]
        return _Details(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready, details.compression
        )

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with(client_call_details, DEADLINE_S), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with(client_call_details, None), request)

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return continuation(self._with(client_call_details, None), request_iterator)

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return continuation(self._with(client_call_details, None), request_iterator)


class _Aio:
    """Does the same under asyncio, where grpc wants one class for each kind of call."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def _with(self, details: Any, deadline: float | None) -> Any:
        timeout = details.timeout if details.timeout is not None else deadline
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *_authorization(self._token))
        return grpc.aio.ClientCallDetails(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready
        )


class _AioUnary(_Aio, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._with(client_call_details, DEADLINE_S), request)


class _AioAnswers(_Aio, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._with(client_call_details, None), request)


class _AioRequests(_Aio, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(self._with(client_call_details, None), request_iterator)


class _AioStream(_Aio, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(self._with(client_call_details, None), request_iterator)


def _authorization(token: Callable[[], str]) -> list[tuple[str, str]]:
    found = token()
    return [("authorization", f"Bearer {found}")] if found else []


def aio_calls(token: Callable[[], str]) -> list[Any]:
    return [_AioUnary(token), _AioAnswers(token), _AioRequests(token), _AioStream(token)]
