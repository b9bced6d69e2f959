"""Who asks, for as long as a request is answered: what the gate found in its cookie. Knows no request and no component."""

from contextvars import ContextVar

OWNER = "admin"  # may do whatever the server lets the owner of the data folder do
GUEST = "viewer"  # came by the read-only link

asking: ContextVar[str] = ContextVar("asking", default=GUEST)


def may_steer() -> bool:
    """Whether to show controls. The server decides anew for each command."""
    return asking.get() != GUEST
