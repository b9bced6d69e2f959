"""Where a training's scalars go besides the book, if its job asks for that: TensorBoard, W&B, MLflow, Trackio.

Knows their packages' names and a snapshot's figures. The figures of steps go there by transformers' own callbacks. Without being asked nothing goes anywhere.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from guessbook.proto.events_pb2 import Event
from guessbook.trainer.errors import UnusableSetting

_log = logging.getLogger("guessbook.trainer")


def require(mirrors: Sequence[str]) -> None:
    """Raises UnusableSetting, which says what to install, if a mirror's package, which has its name, is missing."""
    missing = [name for name in mirrors if find_spec(name) is None]
    if missing:
        names = " ".join(missing)
        raise UnusableSetting(
            f"the job's scalars are to go to {', '.join(missing)} as well, and this trainer doesn't have that",
            f"Install it where the trainer runs (pip install {names}) and restart the trainer, or submit without it (--report-to).",
        )


def mirrored(record: Callable[[Event], None], log: Callable[[dict[str, float]], None]) -> Callable[[Event], None]:
    """`record`, which also logs what each snapshot adds up to. That it can't be logged is a warning: the book has it."""

    def recorded(event: Event) -> None:
        record(event)
        if event.HasField("snapshot_completed"):
            try:
                log(scalars(event))
            except Exception:  # noqa: BLE001  a mirror that is out of order must not stop what it mirrors
                _log.warning("A snapshot's figures could not be mirrored.", exc_info=True)

    return recorded


@contextmanager
def finished(mirrors: Sequence[str]) -> Iterator[None]:
    """Ends W&B's run with the training: transformers leaves that to its caller, and the next job's figures would go on in it."""
    try:
        yield
    finally:
        if "wandb" in mirrors:
            import_module("wandb").finish()


def scalars(event: Event) -> dict[str, float]:
    """What a SnapshotCompleted adds up to, as it is called in a mirror."""
    done = event.snapshot_completed
    found: dict[str, float] = {
        "snapshot_correct": done.correct,
        "snapshot_accuracy": done.correct / done.examples if done.examples else 0.0,
        "snapshot_loss": done.mean_loss,
        "snapshot_seconds": done.seconds,
    }
    if done.held_out:
        found["held_out_accuracy"] = done.held_out_correct / done.held_out
        found["held_out_loss"] = done.held_out_loss
    return found
