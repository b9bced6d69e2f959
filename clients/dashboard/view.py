"""What the page shows, as the address bar says it: `?run=…&example=…&state=…&q=…&at=…`. Knows the words of the URL, no component."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from guessbook.clients.dashboard.states import BY_WORD
from guessbook.proto.history_pb2 import At, ExampleState

SORTS = ("index", "loss", "-loss", "learned", "change", "state")


@dataclass(frozen=True)
class View:
    """One state of the page. What the URL leaves out, or says in a way nobody understands, takes its default."""

    run: str = ""  # empty: the run of the active job, else the latest
    example: int | None = None  # its index
    row: int | None = None  # where that example stood in the list when it was opened
    state: "ExampleState.ValueType | None" = None  # only these examples
    q: str = ""  # only examples with this text
    sort: str = "index"
    at: int | None = None  # a position of the log; None: live

    @classmethod
    def parse(cls, search: str | None) -> "View":
        """From the query part of the URL, with or without its question mark."""
        given = {key: values[-1] for key, values in parse_qs((search or "").removeprefix("?")).items()}
        sort = given.get("sort", "index")
        return cls(
            run=given.get("run", ""),
            example=_number(given.get("example")),
            row=_number(given.get("row")),
            state=BY_WORD.get(given.get("state", "")),
            q=given.get("q", ""),
            sort=sort if sort in SORTS else "index",
            at=_number(given.get("at")) or None,
        )


def at(position: int | None) -> At | None:
    """The point in the log a question is asked of; None asks of now."""
    return None if position is None else At(position=position)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
