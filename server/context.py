"""A call's context: its type, and who calls, taken from the connection and never from a payload."""

from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# Of the token that the call came with. Each call is served in a task of its own, and so sees its own.
token_name: ContextVar[str] = ContextVar("token_name")


def certified_name(context: Context) -> str | None:
    """The common name in the peer's certificate, which TLS has verified; None where no certificate was asked for."""
    peer = context.auth_context()
    if not peer or "x509_pem_cert" not in peer:
        return None
    return b"".join(peer.get("x509_common_name", ())).decode(errors="replace")


def actor_of(context: Context) -> str:
    """Whose certificate it is, else whose token."""
    return certified_name(context) or token_name.get()


def known_caller(context: Context) -> str:
    """For the server's own log: the same, or an empty string where nobody was let in."""
    return certified_name(context) or token_name.get("")
