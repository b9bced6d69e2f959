"""How far a run is, from what it does now and from what the log knows of it. Knows the questions one can ask the server."""

from dataclasses import dataclass, field

from guessbook.clients.client import Guessbook


@dataclass
class Progress:
    """Accuracies are the share of tracked examples that are right, -1 where that is not known. Times are those of before this
    process: of training, as its last steps let expect, and of snapshots.
    """

    step: int = 0
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


def read_past(book: Guessbook, run: str) -> Past:
    """Asks the server. A run that has no event yet has no past."""
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
            final_accuracy=accuracy.get(known.step, -1.0),
            trained_s=known.step * known.seconds_per_step,
            snapshots_s=sum(snapshot.seconds for snapshot in known.snapshots),
        ),
    )
