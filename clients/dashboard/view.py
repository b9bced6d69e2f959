"""What the page shows, as the address bar says it: `?run=…&step=…&state=…&q=…&at=…`. Knows the words of the URL, no component."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
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
    Insight,
    MapBox,
    Run,
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

LONGEST_NUMBER = 18  # digits


@dataclass(frozen=True)
class View:
    """One state of the page. What the URL leaves out, or says in a way nobody understands, takes its default."""

    run: str = ""  # empty: the run of the active job, else the latest
    example: int | None = None  # its index
    row: int | None = None  # where that example stood in the list when it was opened
    state: "ExampleState.ValueType | None" = None  # only these examples
    q: str = ""  # only examples with this text
    category: str = ""  # only those of this category
    change: "Change.ValueType | None" = None  # only what this became of since the snapshot `vs`
    box: MapBox | None = None  # only this part of the data map
    insight: str = ""  # only those that the insight of this name is about, see `insight_word`
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
            example=number(given.get("example")),
            row=number(given.get("row")),
            state=BY_WORD.get(given.get("state", "")),
            q=given.get("q", ""),
            category=given.get("category", ""),
            change=CHANGES.get(given.get("change", "")),
            box=_box(given.get("box", "")),
            insight=given.get("insight", ""),
            held_out=given.get("held_out") == "1",
            sort=sort if sort.removeprefix("-") in SORTS else "index",
            step=number(given.get("step")),
            vs=number(given.get("vs")),
            at=number(given.get("at")) or None,
        )


def point(view: View, run: Run) -> At | None:
    """The point in the log that questions about the examples of a run are asked of: the end of the snapshot that is shown, else the
    position, else now. `run` is as of `view.at`."""
    if view.step is None or (run.snapshots and view.step == run.snapshots[-1].step):
        return at(view.at)
    position = next((snapshot.position for snapshot in run.snapshots if snapshot.step == view.step), None)
    if position is None and view.at is not None:
        return at(view.at)  # that snapshot was not there yet
    return at(position) if position else At(run_step=RunStep(run=run.id, step=view.step))


def compared(view: View, steps: Sequence[int]) -> int | None:
    """The snapshot that changes are counted from: the one asked for, else the one before the snapshot that is shown, if there is one.

    `steps` are those of the run's snapshots, ascending.
    """
    earlier = [step for step in steps if view.step is None or step <= view.step][:-1]
    if view.vs in earlier:
        return view.vs
    return earlier[-1] if earlier else None


def asked_view(asked: dict[str, Any], search: str | None = None) -> View:
    """What a part of the page Evolution is asked about, as the page's store "filtered" says it: its filters and its point in time.

    `search`: the URL's query, for a part that depends on more of it. Whatever the URL says by now, the point is the one that was asked for.
    """
    return replace(View.parse(asked["search"] if search is None else search), at=asked["at"])


def at(position: int | None) -> At | None:
    """The point in the log a question is asked of; None asks of now."""
    return None if position is None else At(position=position)


def insight_word(insight: Insight) -> str:
    """How the URL names an insight: its kind, and where it happened, since there can be several of a kind."""
    return f"{insight.kind}@{insight.step}" if insight.step else insight.kind


def number(text: str | None) -> int | None:
    """A position, a step or a place that a URL names; None for what no log holds, too."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


def _box(text: str) -> MapBox | None:
    """From `confidence,confidence,variability,variability`, each from and to."""
    try:
        low, high, left, right = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (0 <= low <= high <= 1 and 0 <= left <= right <= 1):
        return None
    return MapBox(confidence_from=low, confidence_to=high, variability_from=left, variability_to=right)
