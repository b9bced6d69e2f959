"""The tree of versions: which came from which, and where each stands in the drawing. Pure; colours are in versions.js."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guessbook.clients.dashboard import numbers
from guessbook.proto.history_pb2 import Version

COLUMN = 190  # px from a version to those that came from it
LANE = 66  # px from one branch to the next
LABEL = 21  # characters of a line in a node
BASE = "base:"  # begins the ids of base models


@dataclass(frozen=True)
class Place:
    """`parent` is the id of another place; empty for a base model. `depth` counts columns, `lane` rows."""

    id: str
    parent: str
    depth: int
    lane: int


def places(versions: Sequence[Version]) -> list[Place]:
    """Each base model with the versions that came from it, a parent before its children, the oldest first.

    The first child goes on in its parent's lane, each further one opens a lane below all that came before: no two edges cross.
    """
    children: dict[str, list[str]] = defaultdict(list)
    by_name = {version.name: version for version in versions}
    roots: list[str] = []
    for version in sorted(versions, key=lambda version: version.number):
        parent = by_name.get(version.parent)
        # A trainer says what came from what; only what is older can have been the origin.
        above = parent.name if parent and parent.number < version.number else BASE + version.base_model
        if above.startswith(BASE) and above not in roots:
            roots.append(above)
        children[above].append(version.name)
    placed: list[Place] = []
    lanes = 0
    stack: list[tuple[str, str, int, int | None]] = [(root, "", 0, None) for root in reversed(roots)]
    while stack:
        name, parent_name, depth, lane = stack.pop()
        if lane is None:
            lane, lanes = lanes, lanes + 1
        placed.append(Place(name, parent_name, depth, lane))
        first, *others = children[name] or [""]
        stack += [(other, name, depth + 1, None) for other in reversed(others)]
        if first:
            stack.append((first, name, depth + 1, lane))
    return placed


def elements(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """Nodes and edges for Cytoscape, with their positions in px."""
    by_name = {version.name: version for version in versions}
    found: list[dict[str, Any]] = []
    for place in places(versions):
        version = by_name.get(place.id)
        found.append(
            {
                "data": {
                    "id": place.id,
                    "label": label(version)
                    if version
                    else f"{_fitting(model_name(place.id.removeprefix(BASE)))}\nbase",
                },
                "position": {"x": place.depth * COLUMN, "y": place.lane * LANE},
                "classes": classes(version) if version else "base",
            }
        )
        if place.parent:
            found.append({"data": {"source": place.parent, "target": place.id}})
    return found


def label(version: Version) -> str:
    """Two lines: what it is called, and what stands out about it."""
    told = [
        "in the trash" if version.deleted_at_us else "latest" if version.latest else "",
        "merged" if version.HasField("consolidation") else accuracy(version),
    ]
    return f"{_fitting(short(version))}\n{' · '.join(part for part in told if part)}"


def _fitting(text: str) -> str:
    return text if len(text) <= LABEL else f"{text[: LABEL - 1]}…"


def short(version: Version) -> str:
    """ "v002 math_fixes", without its day."""
    number, _, rest = version.name.partition("_")
    return f"{number} {rest.partition('_')[2]}".strip()


def model_name(base_model: str) -> str:
    """The last part of a base model's path or hub id."""
    return base_model.rstrip("/").rpartition("/")[2] or "base model"


def accuracy(version: Version) -> str:
    """The share of right guesses at its end; empty where no snapshot was taken."""
    return (
        "" if version.final_accuracy < 0 else f"{numbers.share(round(version.final_accuracy * 10_000), 10_000)} right"
    )


def classes(version: Version) -> str:
    words = {
        "latest": version.latest,
        "deleted": bool(version.deleted_at_us),
        "merged": version.HasField("consolidation"),
    }
    return " ".join(word for word, fits in words.items() if fits)
