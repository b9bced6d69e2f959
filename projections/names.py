"""The names in subjects, and what the states are called. Knows no fold."""

from guessbook.proto.events_pb2 import Event, Priority, QueueState
from guessbook.proto.history_pb2 import JobState


def job_id(event: Event) -> str:
    return event.subject.removeprefix("job/")


def run_id(event: Event) -> str:
    return event.subject.removeprefix("run/")


def job_state(state: "JobState.ValueType") -> str:
    """As people and class names say it: "queued"."""
    return JobState.Name(state).removeprefix("JOB_STATE_").lower()


def queue_state(state: "QueueState.ValueType") -> str:
    """As people say it: "on", "paused" or "off"."""
    return QueueState.Name(state).removeprefix("QUEUE_STATE_").lower()


def priority(value: "Priority.ValueType") -> str:
    """As people say it: "urgent"."""
    return Priority.Name(value).removeprefix("PRIORITY_").lower()


class Unknown(ValueError):
    """A question names something that isn't there. `hint` says what is."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint
