"""What the page Audit shows, as the URL says it: filters, how far back, and what is open. Knows the words of the URL, no component."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode


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
        given = dict(_pairs(search))
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


def changed(search: str | None, **changes: str | int | None) -> str:
    """The URL's query with some of it changed; what is empty, is left out. For links, which can be opened in another tab too."""
    given = dict(_pairs(search)) | {name: str(value or "") for name, value in changes.items()}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"?{query}" if query else "?"


def _pairs(search: str | None) -> list[tuple[str, str]]:
    return parse_qsl((search or "").removeprefix("?"))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
