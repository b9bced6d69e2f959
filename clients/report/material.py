"""What a report is made of, asked of the server: one point in the log for every question. Knows the questions, not the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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

    @property
    def snapshots(self) -> list[Snapshot]:
        """The complete ones."""
        return [snapshot for snapshot in self.run.snapshots if snapshot.complete]

    @property
    def sampled(self) -> bool:
        return len(self.examples) < self.tracked


def gather(book: Guessbook, run: str = "latest", at: At | None = None) -> Material:
    """Asks for all that a report tells. The same run at the same position gives the same material. Raises GuessbookError."""
    status = book.status(at)
    moment = At(position=status.position)  # so that every answer is of the same moment
    found = book.run(run, moment)
    insights = book.insights(found.id, moment).insights
    examples, tracked = _examples(book, found, moment)
    hardest = _hardest(book, found.id, moment)
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
    )


def _examples(book: Guessbook, run: Run, moment: At) -> tuple[list[Example], int]:
    """The tracked examples that are trained on, or a sample of them in evenly spaced blocks; and how many there are."""
    first = example_page(book, run.id, moment, only_tracked=True, limit=BLOCK)
    tracked = first.matching - run.held_out  # held-out examples are the last ones
    if tracked <= EXAMPLES_READ:
        offsets = range(BLOCK, tracked, BLOCK)
    else:
        blocks = EXAMPLES_READ // BLOCK
        offsets = range(tracked // blocks, tracked - BLOCK, tracked // blocks)
    others = [example_page(book, run.id, moment, only_tracked=True, offset=offset, limit=BLOCK) for offset in offsets]
    return [example for answer in [first, *others] for example in answer.examples if not example.held_out], tracked


def _hardest(book: Guessbook, run: str, moment: At) -> list[int]:
    """The trained examples with the highest loss now. Held-out ones may stand before them, however many, so it pages on."""
    hardest: list[int] = []
    matching, offset = 1, 0
    while len(hardest) < HARDEST and offset < matching:
        page = example_page(book, run, moment, only_tracked=True, sort="-loss", offset=offset, limit=BLOCK)
        hardest += [one.index for one in page.examples if one.HasField("latest") and not one.held_out]
        matching, offset = page.matching, offset + BLOCK
    return hardest[:HARDEST]


def _distinct(indices: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(indices))
