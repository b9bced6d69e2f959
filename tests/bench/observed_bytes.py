"""What a run's observations take in the log, and what they would take as JSON."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from guessbook.proto.events_pb2 import Event, ExamplesObserved
from guessbook.store.dataset import Example
from guessbook.store.log import Append, Log, Receipt
from guessbook.store.verify import verify

RUNS = 100


def log_bytes(events: Sequence[Event]) -> float:
    """By how much the log's file is larger with the observations than without. A snapshot's events are committed together, as they come in.

    A file grows by pages and keeps some free ones, so the run is written many times over. Each commit is compressed by itself: repeating saves nothing.
    """
    others = [event for event in events if not event.HasField("examples_observed")]
    return (_used(events) - _used(others)) / RUNS


def _used(events: Sequence[Event]) -> int:
    batches = list(_commits(events))
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-") as name:
        folder = Path(name) / "log"
        log = Log(folder)
        for batch in batches * RUNS:
            append = Append([_untouched(event) for event in batch], actor="bench")
            (receipt,), _ = log.commit([append], now_us=log.head.recorded_at_us + 1000)
            assert isinstance(receipt, Receipt)
        used = log.map_use().used_bytes
        log.close()
        assert verify(folder).ok
    return used


def _untouched(event: Event) -> Event:
    """A copy; the log tells its events where they are."""
    copy = Event()
    copy.CopyFrom(event)
    return copy


def _commits(events: Iterable[Event]) -> Iterator[list[Event]]:
    """A snapshot's chunks come while it is taken, so each is committed by itself, with what was recorded before it."""
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if event.HasField("snapshot_completed"):
            yield batch
            batch = []
    if batch:
        yield batch


def json_bytes(events: Sequence[Event], examples: Sequence[Example], learning_rate: float) -> int:
    """Of the same observations in the form that `guessbook export --format json` writes, the examples' part of it alone."""
    guesses: dict[int, str] = {}
    losses: dict[int, float] = {}
    size = 0
    for event in events:
        if event.HasField("examples_observed"):
            size += sum(
                len(json.dumps(one, ensure_ascii=False).encode()) + 1
                for one in _objects(event.examples_observed, examples, guesses, losses, learning_rate)
            )
    return size


def _objects(
    seen: ExamplesObserved,
    examples: Sequence[Example],
    guesses: dict[int, str],
    losses: dict[int, float],
    learning_rate: float,
) -> Iterable[dict[str, object]]:
    for row, index in enumerate(seen.example_index):
        kept = seen.kept[row] if seen.kept else 0
        guesses[index] = guesses.get(index, "")[:kept] + seen.guess[row]
        loss = float(f"{seen.loss[row]:.6g}")
        improved = loss < losses.get(index, 0.0)
        losses[index] = loss
        yield {
            "example_id": examples[index].id,
            "input": examples[index].prompt,
            "expected_output": examples[index].expected,
            "model_output": guesses[index],
            "loss": loss,
            "accuracy": float(seen.correct[row]),
            "confidence": float(f"{seen.confidence[row]:.6g}"),
            "metadata": {"improved_from_last": improved, "learning_rate": learning_rate, "batch_position": index},
        }
