"""Snapshots as one JSON document: an array with an object per snapshot. docs/evolution_tracking.md has its form. Knows no server."""

import json
import math
from array import array
from collections.abc import Iterator, MutableSequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from guessbook.clients.export.moment import iso, utc
from guessbook.clients.export.source import Seen, Source, number
from guessbook.proto.history_pb2 import Snapshot


@dataclass
class _Summary:
    """What the examples of one snapshot come to, counted as they pass."""

    examples: int = 0
    losses: int = 0  # how many there are, and their sum
    loss_sum: float = 0.0
    right: int = 0
    improving: int = 0
    regressing: int = 0

    def count(self, seen: Seen, loss_before: float) -> None:
        observation = seen.observation
        self.examples += 1
        self.right += observation.correct
        if math.isfinite(observation.loss):
            self.losses += 1
            self.loss_sum += observation.loss
        self.improving += observation.improved
        self.regressing += observation.loss > loss_before

    def document(self) -> dict[str, Any]:
        return {
            "avg_loss": round(self.loss_sum / self.losses, 6) if self.losses else None,
            "avg_accuracy": round(self.right / self.examples, 6),
            "examples_improving": self.improving,
            "examples_regressing": self.regressing,
            "examples_stable": self.examples - self.improving - self.regressing,
        }


def write(source: Source, file: BinaryIO) -> int:
    """Writes the array, an example a line; returns the number of observations. Holds one loss per example."""
    last_loss = array("f", [math.nan]) * (max(source.texts, default=0) + 1)  # by example
    count = 0
    file.write(b"[")
    for snapshot, observations in source.snapshots():
        file.write((b",\n" if count else b"\n") + _head(source, snapshot) + b', "examples": [')
        summary = _Summary()
        file.writelines(_examples(source, snapshot, observations, summary, last_loss))
        count += summary.examples
        file.write(b'\n], "summary": ' + _bytes(summary.document()) + b"}")
    file.write(b"\n]\n")
    return count


def _head(source: Source, snapshot: Snapshot) -> bytes:
    document = {
        "snapshot_id": f"{source.run.id}_step_{snapshot.step:04d}",
        "training_step": snapshot.step,
        "timestamp": iso(utc(snapshot.recorded_at_us)),
        "model_version": source.run.version or None,
    }
    return _bytes(document)[:-1]  # its examples and summary are still to come


def _examples(
    source: Source,
    snapshot: Snapshot,
    observations: Iterator[Seen],
    summary: _Summary,
    last_loss: MutableSequence[float],
) -> Iterator[bytes]:
    learning_rate = source.learning_rate(snapshot.step)
    for seen in observations:
        yield (b",\n" if summary.examples else b"\n") + _bytes(_example(seen, learning_rate))
        summary.count(seen, last_loss[seen.example_index])
        last_loss[seen.example_index] = seen.observation.loss


def _example(seen: Seen, learning_rate: float | None) -> dict[str, Any]:
    observation = seen.observation
    return {
        "example_id": seen.texts.id,
        "input": seen.texts.prompt,
        "expected_output": seen.texts.expected,
        "model_output": observation.guess,
        "loss": number(observation.loss),
        "accuracy": float(observation.correct),
        "confidence": number(observation.confidence),
        "metadata": {
            "improved_from_last": observation.improved,
            "learning_rate": learning_rate,
            "batch_position": seen.batch_position,
        },
    }


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
