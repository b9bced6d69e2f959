"""What the page shows, as the address bar says it: `?run=…&step=…&state=…&q=…&at=…`. Knows the words of the URL, no component."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from guessbook.clients.dashboard.states import BY_WORD
from guessbook.proto.history_pb2 import (
    CHANGE_BROKEN,
    CHANGE_FIXED,
    CHANGE_STILL_RIGHT,
    CHANGE_STILL_WRONG,
    At,
    Change,
    ExampleState,
    MapBox,
    RunStep,
)

# Those of `ListExamplesRequest.sort`; each can be turned round by a leading "-".
SORTS = (
    "index",
    "loss",
    "learned",
    "change",
    "state",
    "regressed",
    "forgetting",
    "confidence",
    "variability",
    "presentations",
)
CHANGES: dict[str, "Change.ValueType"] = {
    "fixed": CHANGE_FIXED,
    "broken": CHANGE_BROKEN,
    "still_wrong": CHANGE_STILL_WRONG,
    "still_right": CHANGE_STILL_RIGHT,
}


@dataclass(frozen=True)
class View:
    """One state of the page. What the URL leaves out, or says in a way nobody understands, takes its default."""

    run: str = ""  # empty: the run of the active job, else the latest
    example: int | None = None  # its index
    row: int | None = None  # where that example stood in the list when it was opened
    state: "ExampleState.ValueType | None" = None  # only these examples
    q: str = ""  # only examples with this text
    category: str | None = None  # only those of this category; "" are those without one
    change: "Change.ValueType | None" = None  # only what this became of since the snapshot `vs`
    box: MapBox | None = None  # only this part of the data map
    held_out: bool = False  # only examples that are never trained on
    sort: str = "index"
    step: int | None = None  # as of this snapshot; None: the newest one
    vs: int | None = None  # the snapshot it is compared with
    at: int | None = None  # a position of the log; None: live

    @classmethod
    def parse(cls, search: str | None) -> "View":
        """From the query part of the URL, with or without its question mark."""
        given = {
            key: values[-1]
            for key, values in parse_qs((search or "").removeprefix("?"), keep_blank_values=True).items()
        }
        sort = given.get("sort", "index")
        return cls(
            run=given.get("run", ""),
            example=_number(given.get("example")),
            row=_number(given.get("row")),
            state=BY_WORD.get(given.get("state", "")),
            q=given.get("q", ""),
            category=given.get("category"),
            change=CHANGES.get(given.get("change", "")),
            box=_box(given.get("box", "")),
            held_out=given.get("held_out") == "1",
            sort=sort if sort.removeprefix("-") in SORTS else "index",
            step=_number(given.get("step")),
            vs=_number(given.get("vs")),
            at=_number(given.get("at")) or None,
        )


def point(view: View, run: str) -> At | None:
    """The point in the log that questions about the examples of `run` are asked of: the snapshot, else the position, else now."""
    return at(view.at) if view.step is None else At(run_step=RunStep(run=run, step=view.step))


def at(position: int | None) -> At | None:
    """The point in the log a question is asked of; None asks of now."""
    return None if position is None else At(position=position)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _box(text: str) -> MapBox | None:
    """From `confidence,confidence,variability,variability`, each from and to."""
    try:
        low, high, left, right = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (0 <= low <= high <= 1 and 0 <= left <= right <= 1):
        return None
    return MapBox(confidence_from=low, confidence_to=high, variability_from=left, variability_to=right)
