"""Which parts of the page an answer of the subscription touches. Pure: knows events, no socket and no component.

Topics: `jobs` (the queue, the inbox, who works on what), `versions` (with what destroys or replaces them), `backups`, `steps:<run>` (its curves),
`snapshots:<run>` (its guesses), and `example:<run>:<index>` (one example was visited in training). `*` stands for all of them. Whatever touches
anything also touches the list of events.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from guessbook.clients.reading import Answer
from guessbook.projections.names import run_id
from guessbook.proto.events_pb2 import Event

EVERYTHING = "*"

_SNAPSHOTS = {"snapshot_started", "examples_observed", "snapshot_completed", "snapshot_failed"}
_BEGINNINGS = {
    "version_": "versions",
    "latest_": "versions",
    "base_model_": "versions",
    "config_": "versions",
    "operation_": "versions",
    "backup_": "backups",
    "drill_": "backups",
}


@dataclass(frozen=True)
class Change:
    """What happened since the last message to a tab. `step` holds the numbers of the newest step among it."""

    position: int = 0  # of the log's head
    touched: frozenset[str] = field(default_factory=frozenset)
    step: dict[str, Any] | None = None

    def then(self, later: "Change") -> "Change":
        """Both as one."""
        return replace(later, touched=self.touched | later.touched, step=later.step or self.step)


def change(response: Answer) -> Change:
    """An answer of `Log.Subscribe`; one without events is a heartbeat, and touches nothing."""
    result = Change(response.head)
    for event in response.events:
        result = result.then(Change(response.head, touched_by(event), _step(event)))
    return result


def touched_by(event: Event) -> frozenset[str]:
    """The topics of one event."""
    kind = event.WhichOneof("body")
    run = run_id(event)
    if kind == "step_completed":
        visited = (f"example:{run}:{index}" for index in event.step_completed.example_index)
        return frozenset((f"steps:{run}", *visited))
    if kind in _SNAPSHOTS:
        return frozenset((f"snapshots:{run}",))
    if kind == "run_started":
        return frozenset(("jobs", f"steps:{run}", f"snapshots:{run}"))
    if kind == "job_resumed":
        # It takes steps and snapshots back.
        run = event.job_resumed.run
        return frozenset(("jobs", f"steps:{run}", f"snapshots:{run}"))
    topics = {topic for beginning, topic in _BEGINNINGS.items() if kind and kind.startswith(beginning)}
    return frozenset(("jobs", *topics))


def _step(event: Event) -> dict[str, Any] | None:
    if event.WhichOneof("body") != "step_completed":
        return None
    step = event.step_completed
    return {
        "run": run_id(event),
        "position": event.position,
        "step": step.step,
        "loss": step.loss,
        "learning_rate": step.learning_rate,
        "tokens_per_second": step.tokens_per_second,
        "epoch": step.epoch,
    }
