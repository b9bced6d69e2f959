"""What a report is made of, asked of the server: one point in the log for every question. Knows the questions, not the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guessbook.clients.client import Guessbook
from guessbook.clients.example_page import example_page
from guessbook.proto.history_pb2 import (
    At,
    Example,
    Insight,
    Run,
    Snapshot,
    Status,
    Steps,
    Trajectory,
)

STEPS_DRAWN = 500
EXAMPLES_READ = 2000  # of more, a sample
BLOCK = 200  # examples of one answer
HARDEST = 6
OF_EACH_INSIGHT = 5


@dataclass(frozen=True)
class Part:
    """Those of a run's examples that a report is about, if it is not about all."""

    wanted: Mapping[str, Any] = field(default_factory=dict)  # as `Guessbook.examples` takes it
    words: str = ""  # the same for people; empty: all

    @property
    def held_out(self) -> bool:
        return bool(self.wanted.get("only_held_out"))


@dataclass(frozen=True)
class Material:
    """A run as of one position of the log. `trajectories` are by the example's index."""

    status: Status
    run: Run
    steps: Steps
    insights: Sequence[Insight]
    examples: Sequence[Example]  # tracked and trained on; all, or a sample
    tracked: int  # how many of these there are
    hardest: Sequence[int]
    trajectories: dict[int, Trajectory]
    part: str = ""  # which of the run's examples it is about, in words; empty: all

    @property
    def snapshots(self) -> list[Snapshot]:
        """The complete ones."""
        return [snapshot for snapshot in self.run.snapshots if snapshot.complete]

    @property
    def sampled(self) -> bool:
        return len(self.examples) < self.tracked


def gather(book: Guessbook, run: str = "latest", at: At | None = None, part: Part | None = None) -> Material:
    """Asks for all that a report tells. The same run at the same position gives the same material. Raises GuessbookError."""
    part = part or Part()
    status = book.status(at)
    moment = At(position=status.position)  # so that every answer is of the same moment
    found = book.run(run, moment)
    insights: Sequence[Insight] = book.insights(found.id, moment).insights
    if part.words:
        insights = [kept for one in insights if (kept := _of_part(book, found.id, moment, one, part))]
    examples, tracked = _examples(book, found, moment, part)
    hardest = _hardest(book, found.id, moment, part)
    told = _distinct([*hardest, *(index for insight in insights for index in insight.example_index[:OF_EACH_INSIGHT])])
    return Material(
        status=status,
        run=found,
        steps=book.steps(found.id, moment, max_points=STEPS_DRAWN),
        insights=insights,
        examples=examples,
        tracked=tracked,
        hardest=hardest,
        trajectories={index: book.trajectory(found.id, f"#{index}", moment) for index in told},
        part=part.words,
    )


def _of_part(book: Guessbook, run: str, moment: At, insight: Insight, part: Part) -> Insight | None:
    """An insight with those of its examples that belong to the part; None where none does."""
    asked = set(insight.example_index) & set(part.wanted.get("indices") or insight.example_index)
    if not asked:
        return None
    wanted = {**part.wanted, "indices": sorted(asked)}
    left = {one.index for one in example_page(book, run, moment, limit=len(asked), **wanted).examples}
    places = [place for place, index in enumerate(insight.example_index) if index in left]
    if not places:
        return None
    kept = Insight()
    kept.CopyFrom(insight)
    kept.example_index[:] = [insight.example_index[place] for place in places]
    kept.example_id[:] = [insight.example_id[place] for place in places]
    kept.detail[:] = [insight.detail[place] for place in places]
    return kept


def _examples(book: Guessbook, run: Run, moment: At, part: Part) -> tuple[list[Example], int]:
    """The tracked examples that are trained on, or a sample of them in evenly spaced blocks; and how many there are. A part of held-out ones has those."""
    asked: dict[str, Any] = {**part.wanted, "only_tracked": True}
    first = example_page(book, run.id, moment, limit=BLOCK, **asked)
    apart = 0
    if run.held_out and not part.held_out:
        apart = book.examples(run.id, moment, **{**asked, "only_held_out": True, "limit": 1}).matching
    tracked = first.matching - apart  # held-out examples are the last ones
    if tracked <= EXAMPLES_READ:
        offsets = range(BLOCK, tracked, BLOCK)
    else:
        blocks = EXAMPLES_READ // BLOCK
        offsets = range(tracked // blocks, tracked - BLOCK, tracked // blocks)
    others = [example_page(book, run.id, moment, offset=offset, limit=BLOCK, **asked) for offset in offsets]
    found = [example for answer in [first, *others] for example in answer.examples]
    return [example for example in found if part.held_out or not example.held_out], tracked


def _hardest(book: Guessbook, run: str, moment: At, part: Part) -> list[int]:
    """The trained examples with the highest loss now. Held-out ones may stand before them, however many, so it pages on."""
    hardest: list[int] = []
    matching, offset = 1, 0
    asked: dict[str, Any] = {**part.wanted, "only_tracked": True, "sort": "-loss"}
    while len(hardest) < HARDEST and offset < matching:
        page = example_page(book, run, moment, offset=offset, limit=BLOCK, **asked)
        hardest += [
            one.index for one in page.examples if one.HasField("latest") and (part.held_out or not one.held_out)
        ]
        matching, offset = page.matching, offset + BLOCK
    return hardest[:HARDEST]


def _distinct(indices: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(indices))
