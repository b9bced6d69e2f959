"""What the page Audit shows, as the URL says it: filters, how far back, and what is open. Knows the words of the URL, no component."""

from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from guessbook.clients.dashboard import link

# The page with some of its address changed.
changed = partial(link.changed, "/audit")


@dataclass(frozen=True)
class Asked:
    """What the URL leaves out, or says in a way nobody understands, is empty."""

    kind: str = ""  # only operations of this kind
    by: str = ""  # only those that this one asked for
    operation: str = ""  # the one that is open
    type: tuple[str, ...] = ()  # only events of these kinds
    subject: str = ""
    actor: str = ""
    before: int = 0  # only events below this position; 0: from the point in time on
    event: int = 0  # the position of the one that is open

    @classmethod
    def parse(cls, search: str | None) -> "Asked":
        """From the query part of the URL, with or without its question mark."""
        given = dict(parse_qsl((search or "").removeprefix("?")))
        return cls(
            kind=given.get("kind", ""),
            by=given.get("by", ""),
            operation=given.get("operation", ""),
            type=tuple(name for name in given.get("type", "").split(",") if name),
            subject=given.get("subject", ""),
            actor=given.get("actor", ""),
            before=_number(given.get("before", "")),
            event=_number(given.get("event", "")),
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
