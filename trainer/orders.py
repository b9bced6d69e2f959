"""What was asked of the job and is not answered yet. Knows the requests' events, not how they are carried out.

The subscription's thread writes, the training thread reads: each is one assignment or one read of a plain attribute.
"""

import enum
import threading

from guessbook.proto.events_pb2 import Event, ScheduleChanged
from guessbook.proto.history_pb2 import Job


class Ending(enum.Enum):
    """How the work on a job ends when nothing goes wrong."""

    COMPLETED = "completed"
    PAUSED = "paused"
    STOPPED = "stopped"  # by hand, or to make room for an urgent job, or since the queue is off
    CANCELLED = "cancelled"
    LEFT = "left"  # the trainer was told to exit; the next one takes the job up again


_ENDINGS = {"pause": Ending.PAUSED, "stop": Ending.STOPPED, "cancel": Ending.CANCELLED}  # by what a job calls it
_REQUESTS = {f"{name}_requested": ending for name, ending in _ENDINGS.items()}  # by event


class Orders:
    """Each request is the position of the event that made it, None if there is none. 0: known only from the job's state.

    Of requests to end the last one counts. `schedule` is that of the job's snapshots since it was changed; None: as the job's config says.
    """

    def __init__(self, job: Job, leaving: threading.Event) -> None:
        pending = _ENDINGS.get(job.pending)
        self._ending = (pending, job.pending_position) if pending else None
        self._answered: tuple[Ending, int] | None = None
        self._skip = 0 if job.skip_pending else None
        self._snapshot = 0 if job.snapshot_pending else None
        self.schedule: ScheduleChanged | None = None
        self._leaving = leaving

    def apply(self, event: Event) -> None:
        body = event.WhichOneof("body") or ""
        if ending := _REQUESTS.get(body):
            self._ending = (ending, event.position)
        elif body in ("job_paused", "job_stopped"):
            # By the server, since this trainer was away: the job isn't its own before it leases it again, whatever was asked since.
            self._answered = self._ending
        elif body == "resume_requested":
            self._ending = None
        elif body == "batch_skip_requested":
            self._skip = event.position
        elif body == "snapshot_requested":
            self._snapshot = event.position
        elif body == "schedule_changed":
            self.schedule = event.schedule_changed

    def ending(self) -> tuple[Ending, int] | None:
        """Whether the training is to end at this step, how, and the position of the request."""
        if asked := self._answered or self._ending:
            return asked
        return (Ending.LEFT, 0) if self._leaving.is_set() else None

    def take_skip(self) -> int | None:
        """The request to leave out a batch, if there is one. It is regarded as answered from here on."""
        request, self._skip = self._skip, None
        return request

    def take_snapshot(self) -> int | None:
        """The request for a snapshot, if there is one. It is regarded as answered from here on."""
        request, self._snapshot = self._snapshot, None
        return request
