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
    STOPPED = "stopped"
    LEFT = "left"  # the trainer was told to exit; the next one takes the job up again


class Orders:
    """Each request is the position of the event that made it, None if there is none. 0: known only from the job's state.

    `schedule` is that of the job's snapshots since it was changed; None: as the job's config says.
    """

    def __init__(self, job: Job, leaving: threading.Event) -> None:
        self.pause = job.pending_position if job.pending == "pause" else None
        self.stop = job.pending_position if job.pending == "stop" else None
        self.snapshot = 0 if job.snapshot_pending else None
        self.schedule: ScheduleChanged | None = None
        self._leaving = leaving

    def apply(self, event: Event) -> None:
        body = event.WhichOneof("body")
        if body == "pause_requested":
            self.pause = event.position
        elif body == "stop_requested":
            self.stop = event.position
        elif body == "snapshot_requested":
            self.snapshot = event.position
        elif body == "schedule_changed":
            self.schedule = event.schedule_changed
        elif body == "resume_requested":
            self.pause = self.stop = None

    def ending(self) -> tuple[Ending, int] | None:
        """Whether the training is to end at this step, how, and the position of the request."""
        if self.pause is not None:
            return Ending.PAUSED, self.pause
        if self.stop is not None:
            return Ending.STOPPED, self.stop
        if self._leaving.is_set():
            return Ending.LEFT, 0
        return None

    def take_snapshot(self) -> int | None:
        """The request for a snapshot, if there is one. It is regarded as answered from here on."""
        request, self.snapshot = self.snapshot, None
        return request
