"""A small job as a trainer gets it, and the book of what it records, without a server."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event, ExamplesObserved, SnapshotCompleted, TrainingConfig
from guessbook.proto.history_pb2 import Job
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import Example, Turn
from guessbook.store.home import Home
from guessbook.trainer.assignment import Assignment
from guessbook.trainer.orders import Orders
from guessbook.trainer.progress import Past, Progress

STEPS = 9
EXAMPLES = [
    Example(i, str(i), prompt, str(2 * i) * (1 + i % 3), "", (Turn("user", prompt),))
    for i in range(10)
    if (prompt := f"What is {i}+{i}{'?' * (1 + i % 4)}")
]
Weights = dict[str, torch.Tensor]


def tiny_config(**fields: Any) -> TrainingConfig:
    values: dict[str, Any] = {
        "learning_rate": 1e-2,
        "max_steps": STEPS,
        "per_device_train_batch_size": 3,
        "gradient_accumulation_steps": 2,
        "max_length": 64,
        "lora_r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.1,  # so that a disturbed random state would show
        "lr_scheduler_type": "linear",
        "warmup_ratio": 0.2,
        "max_grad_norm": 0.3,
        "seed": 7,
        "dtype": "float32",
        "save_steps": 4,
        "snapshots": True,
        "snapshot_steps": [2, 5],
        "max_new_tokens": 6,
    }
    return TrainingConfig(**(values | fields))


class Killed(BaseException):
    """Stands for a process that ends in the middle of a step."""


class Book:
    """What a producer would take, kept in a list; `after` may act on an event as it comes."""

    def __init__(self, after: Callable[[Event], None] = lambda event: None) -> None:
        self.events: list[Event] = []
        self._after = after

    def record(self, event: Event) -> None:
        self.events.append(event)
        self._after(event)

    def bodies(self, *names: str) -> list[Any]:
        return [getattr(event, name) for event in self.events if (name := event.WhichOneof("body") or "") in names]

    def names(self) -> list[str]:
        return [event.WhichOneof("body") or "" for event in self.events]


def losses_in(observed: ExamplesObserved) -> list[float]:
    """The losses of an event, in the order of its examples."""
    return [float(loss) for loss in np.frombuffer(observed.measures, "<f2").reshape(3, -1)[0]]


def assign(
    home: Home,
    model: Path,
    config: TrainingConfig,
    book: Book,
    orders: Orders | None = None,
    *,
    past: Past | Callable[[int], Past] | None = None,
    **lease: Any,
) -> Assignment:
    """A job as a trainer gets it, with its data in place. `past`: what the log knows, of the step that it goes on from or by that."""
    home.root.mkdir(parents=True, exist_ok=True)
    rows = [{"question": example.prompt, "answer": example.expected} for example in EXAMPLES]
    data = home.root / "sums.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    complete = TrainingConfig(base_model=str(model))
    complete.MergeFrom(config)
    job = Job(id="job-1", dataset=Artifacts(home.artifacts).put(data), config=complete)
    known = past or Past(started="resume_step" in lease, progress=Progress())
    read_past = known if callable(known) else lambda step: known
    answer = LeaseJobResponse(job=job, run="run-1", dataset_name="Sums (easy).jsonl", **lease)
    return Assignment(answer, read_past, home, orders or Orders(job, threading.Event()), book.record, lambda: None)


def past_of(books: Sequence[Book], step: int) -> Past:
    """What the log would tell of a run that goes on from a step, from what its processes recorded."""
    snapshots, skipped = {}, set()
    for book in books:
        for body in book.bodies("snapshot_started", "snapshot_completed"):
            snapshots[body.step] = isinstance(body, SnapshotCompleted)
        skipped |= {body.step for body in book.bodies("batch_skipped") if body.step > step}
    kept = {number: complete for number, complete in snapshots.items() if number <= step}
    return Past(started=True, snapshots=kept, skipped=frozenset(skipped))


def adapter(home: Home, book: Book) -> Weights:
    """The tensors of the version that was created, as they lie in the artifacts."""
    (version,) = book.bodies("version_created")
    (file,) = [file for file in version.files if file.path.endswith(".safetensors")]
    return load_file(Artifacts(home.artifacts).path(file.sha256))


def assert_identical(one: Weights, other: Weights) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
