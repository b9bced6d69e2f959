"""Takes the snapshots of a run that are due by its schedule, or asked for. Knows when, not how one is taken."""

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.trainer.budget import Limits
from guessbook.trainer.orders import Orders
from guessbook.trainer.progress import Progress
from guessbook.trainer.schedule import schedule_of, snapshot_due, snapshots_ahead
from guessbook.trainer.snapshot import Snapshots


class DueSnapshots:
    """Keeps the accuracies of `progress` as they are at the last step. With `obeying`, a request to end the training ends the snapshot at hand too."""

    def __init__(
        self,
        snapshots: Snapshots,
        config: TrainingConfig,
        orders: Orders,
        progress: Progress,
        *,
        obeying: bool = False,
    ) -> None:
        self._snapshots = snapshots
        self._schedule = schedule_of(config)
        self._orders = orders
        self._progress = progress
        self._obeying = obeying
        self._last: int | None = None
        self.interrupted = False  # the last one, so that its step has none

    def begin(self, step: int, total: int, taken: bool | None) -> None:
        """The snapshot before the first step of this process, if there is to be one: at step 0, or where one was interrupted.

        `taken`: what the log has of this step: a whole snapshot, one that did not come to its end, or (None) none.
        """
        if taken is False or (taken is None and step == 0):
            self.take(step, total, first=True)

    def take(self, step: int, total: int, *, first: bool = False, last: bool = False) -> None:
        """The snapshot after `step`, if there is to be one. `first`, `last`: of this training, so that there is one in any case."""
        if step == self._last:
            return
        request = self._orders.take_snapshot()
        schedule = self._orders.schedule or self._schedule
        due = schedule.snapshots and (first or last or snapshot_due(schedule, step, total))
        if request is not None and not schedule.snapshots:
            self._snapshots.fail(step, "snapshots were turned off before this one could be taken", request)
            request = None
        if not due and request is None:
            if step == total or last:
                self._progress.final_accuracy = -1.0  # an earlier snapshot's is not that of the version
            return
        ends = last or step == total
        reason = "end" if ends else "schedule" if due else "request"
        limits = None
        if step > 0 and not ends:
            ahead = snapshots_ahead(schedule, step, total) + (not due)
            limits = Limits(schedule.snapshot_budget_percent, schedule.snapshot_budget_seconds, ahead)
        tally = self._snapshots.take(step, reason, request or 0, limits, interrupted=self._to_end)
        self.interrupted = tally is None and self._to_end()
        self._last = step
        self._progress.final_accuracy = tally.accuracy if tally else -1.0
        if step == 0:
            self._progress.baseline_accuracy = self._progress.final_accuracy

    def _to_end(self) -> bool:
        return self._obeying and self._orders.ending() is not None
