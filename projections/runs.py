"""The runs: how far each is, its step curves, its pace. All times are the producer's own clock, taken from the events."""

from collections import deque
from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers, Misplaced, dispatch
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Run, Steps

PACE_STEPS = 20  # the pace is the mean over so many steps


@dataclass
class RunState:
    """One run: its summary, its curves, and what the pace is computed from."""

    run: Run
    steps: Steps = field(default_factory=Steps)
    durations_s: deque[float] = field(default_factory=lambda: deque(maxlen=PACE_STEPS))
    mark_us: int = 0  # when the step that runs now began


@dataclass
class Runs:
    by_id: dict[str, RunState] = field(default_factory=dict)


def apply(state: Runs, event: Event) -> Runs:
    dispatch(state, event, HANDLERS)
    return state


def _state(state: Runs, event: Event) -> RunState:
    run = state.by_id.get(event.subject.removeprefix("run/"))
    if run is None:
        raise Misplaced(f"{event.subject} has not started")
    run.run.position = event.position
    run.run.last_event_at_us = event.occurred_at_us or event.recorded_at_us
    return run


def _started(state: Runs, event: Event, body: events.RunStarted) -> None:
    identity = event.subject.removeprefix("run/")
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
        last_event_at_us=at_us,
        device=body.device,
        trainable_parameters=body.trainable_parameters,
        parameters=body.parameters,
        position=event.position,
    )
    state.by_id[identity] = RunState(run, mark_us=at_us)


def _step(state: Runs, event: Event, body: events.StepCompleted) -> None:
    kept = _state(state, event)
    run, steps = kept.run, kept.steps
    run.step, run.epoch, run.loss = body.step, body.epoch, body.loss
    run.learning_rate, run.grad_norm, run.tokens_per_second = body.learning_rate, body.grad_norm, body.tokens_per_second
    if not steps.step:
        run.first_loss = body.loss
    steps.step.append(body.step)
    steps.loss.append(body.loss)
    steps.learning_rate.append(body.learning_rate)
    steps.grad_norm.append(body.grad_norm)
    steps.tokens_per_second.append(body.tokens_per_second)
    steps.loss_low.append(min(body.example_loss, default=body.loss))
    steps.loss_high.append(max(body.example_loss, default=body.loss))
    steps.occurred_at_us.append(run.last_event_at_us)
    kept.durations_s.append(max(0.0, (run.last_event_at_us - kept.mark_us) / 1e6))
    kept.mark_us = run.last_event_at_us
    run.seconds_per_step = sum(kept.durations_s) / len(kept.durations_s)


def _checkpoint(state: Runs, event: Event, body: events.CheckpointSaved) -> None:
    kept = _state(state, event)
    kept.run.checkpoint_step = body.step
    kept.mark_us = kept.run.last_event_at_us


def _touched(state: Runs, event: Event, body: object) -> None:
    kept = _state(state, event)
    kept.mark_us = kept.run.last_event_at_us  # what a snapshot takes is not the pace of training


def _snapshot_failed(state: Runs, event: Event, body: events.SnapshotFailed) -> None:
    _touched(state, event, body)
    _state(state, event).run.snapshot_warning = f"the snapshot at step {body.step} failed: {body.error}"


def _resumed(state: Runs, event: Event, body: events.JobResumed) -> None:
    """Training goes on from a checkpoint: what came after it is taken back in the view; the log keeps it."""
    kept = state.by_id.get(body.run)
    if kept is None:
        return  # it was killed before its run had started
    keep = next((i for i, step in enumerate(kept.steps.step) if step > body.step), len(kept.steps.step))
    for column in kept.steps.DESCRIPTOR.fields:
        del getattr(kept.steps, column.name)[keep:]
    run = kept.run
    run.step = body.step
    run.loss = kept.steps.loss[-1] if keep else 0.0
    run.resumes += 1
    run.last_event_at_us = event.occurred_at_us or event.recorded_at_us
    kept.mark_us = run.last_event_at_us


HANDLERS: Handlers = {
    "run_started": _started,
    "step_completed": _step,
    "checkpoint_saved": _checkpoint,
    "snapshot_started": _touched,
    "examples_observed": _touched,
    "snapshot_completed": _touched,
    "snapshot_failed": _snapshot_failed,
    "version_created": _touched,
    "job_resumed": _resumed,
}
