"""Who asks, for as long as a request is answered: what the gate found in its cookie. Knows no request and no component."""

from contextvars import ContextVar

from guessbook.clients.errors import Forbidden

OWNER = "admin"  # may do whatever the server lets the owner of the data folder do
GUEST = "viewer"  # came by the read-only link

asking: ContextVar[str] = ContextVar("asking", default=GUEST)


def may_steer() -> bool:
    """Whether to show controls. The server decides anew for each command."""
    return asking.get() != GUEST


def require_steering() -> None:
    """Before what the dashboard does or keeps by itself, where no server decides. Raises Forbidden."""
    if not may_steer():
        raise Forbidden("a read-only link changes nothing", "Ask whoever runs this dashboard.")
