"""A snapshot: what the model guesses and expects for every tracked example at one step, as events.

Knows how the observations are made and batched. Doesn't know the training loop, and leaves no trace in it.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence

from peft import PeftModel

from guessbook.proto.events_pb2 import Event, SnapshotCompleted, SnapshotFailed, SnapshotStarted
from guessbook.trainer.encoding import Encoder
from guessbook.trainer.expectation import expectations
from guessbook.trainer.guess import Guesser
from guessbook.trainer.observation import Observation, Tally, Tracked, chunks, columns
from guessbook.trainer.undisturbed import undisturbed

BATCH_ROWS = 64
BATCH_TOKENS = 4096  # of one batch, guesses included; bounds its logits

_log = logging.getLogger(__name__)


class Snapshots:
    """Takes snapshots of a run's tracked examples. `record` gets the events."""

    def __init__(
        self,
        model: PeftModel,
        encoder: Encoder,
        tracked: Sequence[Tracked],
        run: str,
        record: Callable[[Event], None],
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.tracked = tracked
        self._guesser = Guesser(model, encoder)
        self._subject = f"run/{run}"
        self._record = record

    def take(self, step: int, reason: str, causation: int = 0) -> Tally | None:
        """Records one snapshot. If it fails that is recorded too and None is returned: training goes on without it."""
        began = time.perf_counter()
        started = SnapshotStarted(step=step, reason=reason, examples=len(self.tracked))
        self._record(Event(subject=self._subject, causation=causation, snapshot_started=started))
        tally = Tally()
        try:
            with undisturbed(self.model):
                for chunk in chunks(self._observe()):
                    for observation in chunk:
                        tally.add(observation)
                    self._record(Event(subject=self._subject, examples_observed=columns(chunk, step)))
        except Exception as error:  # noqa: BLE001  whatever goes wrong in watching must not stop what is watched
            _log.warning("The snapshot at step %d failed, training goes on without it.", step, exc_info=True)
            failed = SnapshotFailed(step=step, error=f"{type(error).__name__}: {error}")
            self._record(Event(subject=self._subject, snapshot_failed=failed))
            return None
        completed = SnapshotCompleted(
            step=step,
            examples=tally.examples,
            correct=tally.correct,
            mean_loss=tally.loss / tally.examples,
            seconds=time.perf_counter() - began,
        )
        self._record(Event(subject=self._subject, snapshot_completed=completed))
        return tally

    def _observe(self) -> Iterator[Observation]:
        for batch in batches(self.tracked):
            examples = [tracked.encoded for tracked in batch]
            guesses = self._guesser.guess(examples, [tracked.limit for tracked in batch])
            expected = expectations(self.model, examples, self.encoder.pad_id)
            yield from map(Observation, batch, guesses, expected)


def batches(tracked: Sequence[Tracked]) -> Iterator[list[Tracked]]:
    """Batches of examples of like length, the longest first: what doesn't fit into memory shows at once."""
    batch: list[Tracked] = []
    widest = 0
    for one in sorted(tracked, key=lambda one: (one.limit, len(one.encoded.input_ids)), reverse=True):
        width = len(one.encoded.input_ids) + one.limit
        if batch and (len(batch) == BATCH_ROWS or max(widest, width) * (len(batch) + 1) > BATCH_TOKENS):
            yield batch
            batch, widest = [], 0
        batch.append(one)
        widest = max(widest, width)
    if batch:
        yield batch
