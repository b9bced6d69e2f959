"""A call's context: its type, and who calls, taken from the connection and never from a payload."""

from typing import Any, TypeAlias

import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def actor_of(context: Context) -> str:
    """`local` for a process of this machine, else the peer's address."""
    peer: str = context.peer()
    if peer.startswith(("ipv4:127.", "ipv6:%5B::1%5D", "ipv6:[::1]", "unix:")):
        return "local"
    return peer
