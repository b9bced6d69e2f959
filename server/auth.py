"""Lets a call through to its servicer if its token may make it. Knows no servicer and no command.

The token says what a caller may do, and who it is; where the server asks for client certificates, the certificate says who it is.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from guessbook.server.context import Context, certified_name, token_name
from guessbook.server.decide.rejection import Forbidden, Unauthenticated
from guessbook.server.decide.tokens import RESERVED
from guessbook.server.rights import RIGHTS
from guessbook.server.streams import Streams, play, taken_apart
from guessbook.server.tokens import ROLES, Token, Tokens

_HINT = "Set GUESSBOOK_TOKEN; an admin makes one with `guessbook token create NAME --role ROLE`."

_Handler = Callable[[Any, Context], Any]


class AuthInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """To stand inside the ErrorInterceptor, which turns its rejections into statuses."""

    def __init__(self, tokens: Tokens, streams: Streams) -> None:
        self._tokens = tokens
        self._streams = streams

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        build, behaviour = taken_apart(handler)
        guard = self._stream if handler.response_streaming else self._unary
        if handler.request_streaming:
            guarded = guard(behaviour, handler_call_details.method)
            return build(guarded, handler.request_deserializer, handler.response_serializer)
        # What nobody may send isn't even parsed.
        guarded = guard(_parsing(behaviour, handler.request_deserializer), handler_call_details.method)
        return build(guarded, None, handler.response_serializer)

    def _unary(self, behaviour: _Handler, method: str) -> _Handler:
        async def guarded(request: Any, context: Context) -> Any:
            self._admit(method, context)
            return await behaviour(request, context)

        return guarded

    def _stream(self, behaviour: _Handler, method: str) -> _Handler:
        async def guarded(request: Any, context: Context) -> None:
            token = self._admit(method, context)
            await self._streams.carry(token.name, lambda: play(behaviour, request, context))

        return guarded

    def _admit(self, method: str, context: Context) -> Token:
        token = self._tokens.identify(_bearer(context))
        if token is None:
            raise Unauthenticated("this call needs a token that is valid", _HINT)
        if certified_name(context) in ("", RESERVED):
            raise Unauthenticated("the certificate names nobody", "Take one whose subject has a common name (CN).")
        if ROLES[token.role] not in RIGHTS.get(method, ()):
            may = [role for role, number in ROLES.items() if number in RIGHTS.get(method, ())]
            raise Forbidden(
                f"the token {token.name} is a {token.role}'s and may not call {method.rpartition('/')[2]}",
                f"It takes the role {' or '.join(may)}. Set GUESSBOOK_TOKEN to such a token." if may else "",
            )
        token_name.set(token.name)
        return token


def _parsing(behaviour: _Handler, parse: Callable[[bytes], Any]) -> _Handler:
    return lambda raw, context: behaviour(parse(raw), context)


def _bearer(context: Context) -> str:
    """The token of `authorization: Bearer …`, or an empty string. Of two nobody could tell which one counts."""
    given = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    scheme, _, token = str(given[0]).partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""
