"""The runs: how far each is, its step curves, its pace. All times are the producer's own clock, taken from the events."""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from guessbook.projections.column import Column
from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.forks import ForkedDict
from guessbook.projections.names import run_id
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Run

GENERATES = "generate"  # the engine that is slower than need be
PACE_STEPS = 20  # the pace is the mean over so many steps


@dataclass
class RunState:
    """One run: what its start said, its curves, and what the pace is computed from. `run` holds what no column tells."""

    run: Run
    held_out_dataset: str = ""  # SHA-256
    step: Column = field(default_factory=lambda: Column("I"))
    loss: Column = field(default_factory=lambda: Column("f"))
    learning_rate: Column = field(default_factory=lambda: Column("f"))
    grad_norm: Column = field(default_factory=lambda: Column("f"))
    tokens_per_second: Column = field(default_factory=lambda: Column("f"))
    occurred_at_us: Column = field(default_factory=lambda: Column("Q"))
    event_position: Column = field(default_factory=lambda: Column("Q"))
    durations_s: "deque[float]" = field(default_factory=lambda: deque(maxlen=PACE_STEPS))
    mark_us: int = 0  # when the step that runs now began
    position: int = 0
    last_event_at_us: int = 0
    epoch: float = 0.0
    first_loss: float | None = None

    def columns(self) -> dict[str, Column]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Column)}

    def seal(self) -> None:
        for column in self.columns().values():
            column.seal()

    def copy(self) -> "RunState":
        run = Run()
        run.CopyFrom(self.run)
        columns = {name: column.copy() for name, column in self.columns().items()}
        return replace(self, run=run, durations_s=self.durations_s.copy(), **columns)  # type: ignore[arg-type]


@dataclass
class Runs:
    by_id: ForkedDict[RunState] = field(default_factory=ForkedDict)

    def fork(self) -> "Runs":
        return Runs(self.by_id.fork())


def end_of_step(kept: RunState, step: int) -> int | None:
    """The last position before the run went on to a later step; None if it has not reached the step."""
    steps = kept.step.rows()
    later = int(np.searchsorted(steps, step, side="right"))
    if later < len(steps):
        return int(kept.event_position.rows()[later]) - 1
    return kept.position if step == (steps[-1] if len(steps) else 0) else None


def summary(kept: RunState) -> Run:
    """The run as of its last event."""
    run = Run()
    run.CopyFrom(kept.run)
    run.position, run.last_event_at_us, run.epoch = kept.position, kept.last_event_at_us, kept.epoch
    run.first_loss = kept.first_loss or 0.0
    if len(kept.step):
        run.step, run.loss, run.learning_rate = kept.step.last(), kept.loss.last(), kept.learning_rate.last()
        run.grad_norm, run.tokens_per_second = kept.grad_norm.last(), kept.tokens_per_second.last()
    if kept.durations_s:
        run.seconds_per_step = sum(kept.durations_s) / len(kept.durations_s)
    return run


def _state(state: Runs, event: Event) -> RunState:
    kept = state.by_id.own(event.subject[len("run/") :])
    if kept is None:
        raise Misplaced(f"{event.subject} has not started")
    kept.position = event.position
    kept.last_event_at_us = event.occurred_at_us or event.recorded_at_us
    return kept


def _started(state: Runs, event: Event, body: events.RunStarted) -> None:
    identity = run_id(event)
    at_us = event.occurred_at_us or event.recorded_at_us
    run = Run(
        id=identity,
        job=body.job,
        dataset=body.dataset,
        config=body.config,
        base_model=body.config.base_model,
        total_steps=body.total_steps,
        examples=body.examples,
        tracked=len(body.tracked),
        started_at_us=at_us,
        device=body.device,
        trainable_parameters=body.trainable_parameters,
        parameters=body.parameters,
        truncated_examples=body.truncated_examples,
        cut_answers=body.cut_answers,
        held_out=body.held_out_examples,
    )
    state.by_id[identity] = RunState(run, body.held_out, mark_us=at_us, position=event.position, last_event_at_us=at_us)


def _step(state: Runs, event: Event, body: events.StepCompleted) -> None:
    if len(body.example_index) != len(body.example_loss):
        raise Misplaced("its columns have different lengths")
    kept = _state(state, event)
    loss, now_us = body.loss, kept.last_event_at_us
    if kept.first_loss is None:
        kept.first_loss = loss
    kept.epoch = body.epoch
    kept.step.append(body.step)
    kept.loss.append(loss)
    kept.learning_rate.append(body.learning_rate)
    kept.grad_norm.append(body.grad_norm)
    kept.tokens_per_second.append(body.tokens_per_second)
    kept.occurred_at_us.append(now_us)
    kept.event_position.append(event.position)
    kept.durations_s.append((now_us - kept.mark_us) / 1e6 if now_us > kept.mark_us else 0.0)
    kept.mark_us = now_us


def _checkpoint(state: Runs, event: Event, body: events.CheckpointSaved) -> None:
    kept = _state(state, event)
    kept.run.checkpoint_step = body.step
    kept.mark_us = kept.last_event_at_us


def _touched(state: Runs, event: Event, body: object) -> None:
    kept = _state(state, event)
    kept.mark_us = kept.last_event_at_us  # what a snapshot takes is not the pace of training


def _snapshot_started(state: Runs, event: Event, body: events.SnapshotStarted) -> None:
    _touched(state, event, body)
    _state(state, event).run.engine_warning = body.engine_reason if body.engine == GENERATES else ""


def _snapshot_thinned(state: Runs, event: Event, body: events.SnapshotThinned) -> None:
    _touched(state, event, body)
    _state(state, event).run.budget_note = body.reason


def _report_created(state: Runs, event: Event, body: events.ReportCreated) -> None:
    _touched(state, event, body)
    _state(state, event).run.report = body.sha256


def _snapshot_failed(state: Runs, event: Event, body: events.SnapshotFailed) -> None:
    _touched(state, event, body)
    _state(state, event).run.snapshot_warning = _failure(body.step) + body.error


def _snapshot_completed(state: Runs, event: Event, body: events.SnapshotCompleted) -> None:
    _touched(state, event, body)
    run = _state(state, event).run
    if run.snapshot_warning.startswith(_failure(body.step)):
        run.snapshot_warning = ""  # it was taken anew


def _failure(step: int) -> str:
    return f"the snapshot at step {step} failed: "


def _resumed(state: Runs, event: Event, body: events.JobResumed) -> None:
    """Training goes on from a checkpoint: what came after it is taken back in the view; the log keeps it."""
    kept = state.by_id.own(body.run)
    if kept is None:
        return  # it was killed before its run had started
    keep = int(np.searchsorted(kept.step.rows(), body.step, side="right"))
    for column in kept.columns().values():
        column.truncate(keep)
    kept.run.resumes += 1
    kept.last_event_at_us = kept.mark_us = event.occurred_at_us or event.recorded_at_us


HANDLERS: Handlers = {
    "run_started": _started,
    "step_completed": _step,
    "checkpoint_saved": _checkpoint,
    "snapshot_started": _snapshot_started,
    "snapshot_thinned": _snapshot_thinned,
    "examples_observed": _touched,
    "snapshot_completed": _snapshot_completed,
    "snapshot_failed": _snapshot_failed,
    "version_created": _touched,
    "report_created": _report_created,
    "job_resumed": _resumed,
}
