"""How far a run is, from what it does now and from what the log knows of it. Knows the questions one can ask the server."""

from dataclasses import dataclass, field

from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import Run


@dataclass
class Progress:
    """Accuracies are the share of tracked examples that are right, -1 where that is not known. Times are those of before this
    process: of training, as its last steps let expect, and of snapshots.
    """

    step: int = 0
    saved: int = 0  # the step of the newest checkpoint that is complete
    loss: float = 0.0
    baseline_accuracy: float = -1.0
    final_accuracy: float = -1.0
    trained_s: float = 0.0
    snapshots_s: float = 0.0


@dataclass
class Past:
    """What the log knows of a run that was taken up before."""

    started: bool = False
    has_version: bool = False  # it was trained to its end, and only its job was not told so
    progress: Progress = field(default_factory=Progress)
    correct: dict[int, bool] = field(default_factory=dict)  # by example: whether it was right when it was last observed
    snapshots: dict[int, bool] = field(
        default_factory=dict
    )  # by step, up to that which it goes on from: whether it came to its end
    skipped: frozenset[int] = frozenset()  # steps after that, whose batch somebody had left out: it is left out again


def read_past(book: Guessbook, run: str, step: int = 0) -> Past:
    """Asks the server, of a run that goes on from `step`. A run that has no event yet has no past."""
    if next(book.read(subjects=[f"run/{run}"], limit=1), None) is None:
        return Past()
    known = book.run(run)
    accuracy = {
        snapshot.step: snapshot.correct / snapshot.examples
        for snapshot in known.snapshots
        if snapshot.complete and snapshot.examples
    }
    return Past(
        started=True,
        has_version=bool(known.version),
        progress=Progress(
            step=known.step,
            loss=known.loss,
            baseline_accuracy=accuracy.get(0, -1.0),
            final_accuracy=accuracy.get(step, -1.0),
            trained_s=known.step * known.seconds_per_step,
            snapshots_s=sum(snapshot.seconds for snapshot in known.snapshots),
        ),
        correct=_last_correct(book, known, step),
        snapshots={snapshot.step: snapshot.complete for snapshot in known.snapshots if snapshot.step <= step},
        skipped=_skipped(book, known.job, step),
    )


def _skipped(book: Guessbook, job: str, step: int) -> frozenset[int]:
    told = (event.batch_skipped.step for event in book.read(subjects=[f"job/{job}"]) if event.HasField("batch_skipped"))
    return frozenset(number for number in told if number > step)


def _last_correct(book: Guessbook, run: Run, step: int) -> dict[int, bool]:
    """Of each tracked example, as of the snapshots up to `step`; later ones are taken back, and one that was interrupted there is taken anew."""
    kept = [one for one in run.snapshots if one.step < step or (one.step == step and one.complete)]
    if not kept:
        return {}
    # A complete snapshot observed every example; one that failed later on, some.
    whole = max((place for place, snapshot in enumerate(kept) if snapshot.complete), default=0)
    steps = [snapshot.step for snapshot in kept[whole:]]
    return {
        index: one.correct
        for part in book.observations(run.id, steps=steps)
        for index, one in zip(part.example_index, part.observations, strict=True)
    }
