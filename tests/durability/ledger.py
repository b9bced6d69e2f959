"""What was acknowledged, compared with what a log holds. Knows no attack.

Every event tells who sent it, in which batch and where in that batch, and all else in it follows from these three: so whatever is read back can be
judged without keeping what was sent.
"""

import functools
import random
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from made_events import step

from guessbook.proto.events_pb2 import Event

BATCH_STRIDE = 1000  # step number = batch * BATCH_STRIDE + index


@dataclass
class Result:
    """One line of the table. All of lost, doubled and corrupt must be 0."""

    attack: str
    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0  # events that were acknowledged and are not there
    doubled: int = 0  # events that are there more than once
    corrupt: int = 0  # events or answers that are not what was written, or batches that are not whole
    failures: list[str] = field(default_factory=list)  # promises broken in another way, or what is behind the numbers
    note: str = ""

    @property
    def clean(self) -> bool:
        """Whether there was an attack and all promises held."""
        return self.rounds > 0 and self.acknowledged > 0 and self.unharmed

    @property
    def unharmed(self) -> bool:
        return not (self.lost or self.doubled or self.corrupt or self.failures)

    def add(self, other: "Result") -> None:
        self.lost += other.lost
        self.doubled += other.doubled
        self.corrupt += other.corrupt
        self.failures += other.failures


def table(results: Sequence[Result]) -> str:
    """Aligned columns, a row an attack; below it what went wrong."""
    rows = [["attack", "rounds", "acknowledged events", "lost", "doubled", "corrupt served"]]
    for result in results:
        numbers = (result.rounds, result.acknowledged, result.lost, result.doubled, result.corrupt)
        rows.append([result.attack, *(f"{number:,}" for number in numbers)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])  # the words to the left
        for row in rows
    ]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    for result in results:
        lines += [f"{result.attack}: {text}" for text in [result.note, *result.failures] if text]
    return "\n".join(lines)


def batch(producer: str, sequence: int) -> list[Event]:
    """The events of one batch: of very different sizes, so that frames lie within pages and over several."""
    dice = random.Random(f"{producer} {sequence}")
    count = dice.choice([1, 1, 2, 5, 20])
    examples = dice.choice([0, 8, 8, 8, 8, 400])
    return [
        step(
            sequence * BATCH_STRIDE + index,
            run=producer,
            examples=range(examples),
            losses=[dice.random() for _ in range(examples)],
        )
        for index in range(count)
    ]


class Ledger:
    """Acknowledged batches and their first positions. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._positions: dict[tuple[str, int], int] = {}
        self.moved = 0  # batches that were given another position when they were sent again

    def acknowledge(self, producer: str, sequence: int, first_position: int) -> None:
        with self._lock:
            known = self._positions.setdefault((producer, sequence), first_position)
            self.moved += known != first_position

    def positions(self) -> dict[tuple[str, int], int]:
        with self._lock:
            return dict(self._positions)

    @property
    def events(self) -> int:
        return sum(len(_bytes(*key)) for key in self.positions())


def compare(positions: dict[tuple[str, int], int], events: Iterable[Event], *, whole_batches: bool = True) -> Result:
    """What is wrong with a log's events, given what was acknowledged. Events of the server itself are counted over.

    `whole_batches`: each batch must lie together, all or nothing. Position 0: acknowledged, and the producer was not told where.
    """
    result = Result("")
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for number, event in enumerate(events, start=1):
        result.corrupt += event.position != number
        kind, _, producer = event.subject.partition("/")
        if kind == "run":
            sequence, index = divmod(event.step_completed.step, BATCH_STRIDE)
            result.corrupt += not _as_written(event, producer, sequence, index)
            found.setdefault((producer, sequence), []).append((index, number))
    for key, places in found.items():
        count = len(_bytes(*key))
        indices = Counter(index for index, _ in places)
        result.doubled += sum(times - 1 for times in indices.values())
        if whole_batches:
            first = places[0][1]
            result.corrupt += places[:count] != [(index, first + index) for index in range(count)]
    for key, first_position in positions.items():
        there = found.get(key, [])
        result.lost += len(_bytes(*key)) - len({index for index, _ in there})
        result.corrupt += bool(first_position and there and there[0][1] != first_position)
    return result


def _as_written(event: Event, producer: str, sequence: int, index: int) -> bool:
    written = _bytes(producer, sequence)
    return index < len(written) and _content(event) == written[index]


@functools.cache
def _bytes(producer: str, sequence: int) -> list[bytes]:
    return [_content(event) for event in batch(producer, sequence)]


def _content(event: Event) -> bytes:
    """An event without what the log and the producer put into it."""
    content = Event()
    content.CopyFrom(event)
    for name in ("position", "recorded_at_us", "actor", "occurred_at_us"):
        content.ClearField(name)
    return content.SerializeToString(deterministic=True)
