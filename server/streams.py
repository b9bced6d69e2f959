"""The streams that are open, and how they are ended from this side: when the server stops, or their token is revoked."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from guessbook.server.context import Context
from guessbook.server.decide.rejection import Rejection, Stopping


class Streams:
    """A stream may wait for hours, for news or for its client; whoever waits is woken and leaves with a reason."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[Any], str] = {}
        self._reasons: dict[asyncio.Task[Any], Rejection] = {}
        self._stopping = False

    async def carry(self, token: str, stream: Callable[[], Awaitable[None]]) -> None:
        """Runs a stream to its end, or until it is ended from here: then it raises the reason."""
        if self._stopping:
            raise _stopping()
        task = asyncio.current_task()
        assert task
        self._open[task] = token
        try:
            await stream()
        except asyncio.CancelledError:
            if task not in self._reasons:  # its client went
                raise
            task.uncancel()
            raise self._reasons[task] from None
        finally:
            del self._open[task]
            self._reasons.pop(task, None)

    def end_of(self, token: str, reason: Callable[[], Rejection]) -> None:
        """Ends those that were opened with a token."""
        for task in [task for task, name in self._open.items() if name == token]:
            self._end(task, reason())

    def stop(self) -> None:
        """Ends all, and lets none begin any more."""
        self._stopping = True
        for task in list(self._open):
            self._end(task, _stopping())

    def _end(self, task: "asyncio.Task[Any]", reason: Rejection) -> None:
        self._reasons.setdefault(task, reason)
        task.cancel()


async def play(behaviour: Callable[[Any, Context], Any], request: Any, context: Context) -> None:
    """Runs a servicer's streaming method, whether it yields its answers or writes them itself."""
    answers = behaviour(request, context)
    if inspect.isawaitable(answers):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            await context.write(answer)


def _stopping() -> Stopping:
    return Stopping("the server stops", "Nothing that was acknowledged is lost. Try again when it is back.")


def taken_apart(handler: Any) -> tuple[Callable[..., Any], Callable[[Any, Context], Any]]:
    """What builds a handler of this one's kind, and what it does: for interceptors, which put something round it."""
    kinds = {
        (False, False): (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
        (False, True): (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
        (True, False): (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
        (True, True): (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
    }
    return kinds[handler.request_streaming, handler.response_streaming]
