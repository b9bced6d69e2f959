"""The guarded operations: how far each one is, who asked for it and why, what was before and after. It is the audit.

Three have no stages, since nothing has to be backed up before: a restore, which went into an empty folder and was over before the log that it made could
tell; an archive, which moves the log's beginning; and what empties the trash after its term, which waits for a backup that was made after it.
"""

import json
from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_BACKED_UP,
    OPERATION_STAGE_COMPLETED,
    OPERATION_STAGE_PERFORMED,
    OPERATION_STAGE_REFUSED,
    OPERATION_STAGE_REQUESTED,
    OPERATION_STAGE_UNDONE,
    Operation,
)

SUBJECT = "operation/"
ENDED = frozenset({OPERATION_STAGE_COMPLETED, OPERATION_STAGE_REFUSED, OPERATION_STAGE_UNDONE})


@dataclass
class Operations:
    by_id: dict[str, Operation] = field(default_factory=dict)  # in the order they were requested

    def fork(self) -> "Operations":
        """The same operations; a change in either is not in the other. An operation is replaced, never changed."""
        return Operations(self.by_id.copy())

    def under_way(self) -> list[Operation]:
        """Those that have not ended, oldest first."""
        return [operation for operation in self.by_id.values() if operation.stage not in ENDED]


def _requested(state: Operations, event: Event, body: events.OperationRequested) -> None:
    identity = event.subject.removeprefix(SUBJECT)
    state.by_id[identity] = Operation(
        id=identity,
        kind=body.kind,
        target=body.target,
        reason=body.reason,
        actor=event.actor,
        before=body.before,
        after=body.after,
        stage=OPERATION_STAGE_REQUESTED,
        requested_at_us=event.recorded_at_us,
        position=event.position,
    )


def _changed(state: Operations, event: Event) -> Operation:
    """The operation that an event is about, to be changed: no other book holds it."""
    identity = event.subject.removeprefix(SUBJECT)
    known = state.by_id.get(identity)
    if known is None or known.stage in ENDED:
        raise Misplaced(f"no operation {identity} is under way")
    operation = Operation()
    operation.CopyFrom(known)
    state.by_id[identity] = operation
    return operation


def _backed_up(state: Operations, event: Event, body: events.OperationBackedUp) -> None:
    operation = _changed(state, event)
    operation.stage = OPERATION_STAGE_BACKED_UP
    operation.backup = body.backup
    operation.places.extend(body.places)


def _performed(state: Operations, event: Event, body: events.OperationPerformed) -> None:
    operation = _changed(state, event)
    operation.stage, operation.result = OPERATION_STAGE_PERFORMED, body.result


def _completed(state: Operations, event: Event, body: events.OperationCompleted) -> None:
    operation = _changed(state, event)
    operation.stage, operation.checked = OPERATION_STAGE_COMPLETED, body.checked
    operation.ended_at_us = event.recorded_at_us


def _refused(state: Operations, event: Event, body: events.OperationRefused) -> None:
    operation = _changed(state, event)
    operation.stage, operation.error, operation.hint = OPERATION_STAGE_REFUSED, body.error, body.hint
    operation.ended_at_us = event.recorded_at_us


def _undone(state: Operations, event: Event, body: events.OperationUndone) -> None:
    operation = _changed(state, event)
    operation.stage, operation.error, operation.hint = OPERATION_STAGE_UNDONE, body.error, body.hint
    operation.ended_at_us = event.recorded_at_us


def _queued(state: Operations, event: Event, body: events.JobQueued) -> None:
    """A trainer does the work of some operations; the job says for which it is."""
    known = state.by_id.get(event.correlation.removeprefix(SUBJECT))
    if known:
        operation = Operation()
        operation.CopyFrom(known)
        operation.job = event.subject.removeprefix("job/")
        state.by_id[known.id] = operation


def _log_restored(state: Operations, event: Event, body: events.LogRestored) -> None:
    after = {"log": body.new_log_id, "head": body.head, "chain_hash": body.chain_hash.hex()}
    done = Operation(
        kind="restore",
        target=body.source,
        reason=body.reason,
        before=json.dumps({"log": body.old_log_id}),
        after=json.dumps(after, sort_keys=True),
        backup=body.source.partition(" at ")[0],
        checked="the log was verified before the folder took its place",
    )
    _done(state, event, done)


def _version_purged(state: Operations, event: Event, body: events.VersionPurged) -> None:
    gone = {"files": len(body.files), "bytes": sum(file.bytes for file in body.files)}
    done = Operation(
        kind="purge",
        target=event.subject.removeprefix("version/"),
        reason="its term in the trash is over",
        after=json.dumps(gone, sort_keys=True),
        checked="a sound backup was made after the term, and nothing else refers to these files",
    )
    _done(state, event, done)


def _history_archived(state: Operations, event: Event, body: events.HistoryArchived) -> None:
    before = {"first": body.first_position, "last": body.last_position, "chain_hash": body.chain_hash_after.hex()}
    after = {"file": body.file, "sha256": body.sha256, "bytes": body.bytes}
    done = Operation(
        kind="archive",
        target=f"{body.first_position}-{body.last_position}",
        reason=body.reason,
        before=json.dumps(before, sort_keys=True),
        after=json.dumps(after, sort_keys=True),
        checked="the archive was read back before the log let go of what is in it",
    )
    _done(state, event, done)


def _done(state: Operations, event: Event, done: Operation) -> None:
    """What is told by one event, when it is over."""
    done.id, done.actor, done.stage = f"{done.kind}-{event.position}", event.actor, OPERATION_STAGE_COMPLETED
    done.requested_at_us = done.ended_at_us = event.recorded_at_us
    done.position = event.position
    state.by_id[done.id] = done


HANDLERS: Handlers = {
    "history_archived": _history_archived,
    "version_purged": _version_purged,
    "log_restored": _log_restored,
    "operation_requested": _requested,
    "operation_backed_up": _backed_up,
    "operation_performed": _performed,
    "operation_completed": _completed,
    "operation_refused": _refused,
    "operation_undone": _undone,
    "job_queued": _queued,
}
