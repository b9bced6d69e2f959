"""What the model guessed: every observation of every tracked example, and what became of each example.

Definitions of the states: docs/evolution.md. Arrays have one place ("slot") per tracked example, in ascending order of its index.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.column import Column
from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.forks import ForkedDict
from guessbook.projections.names import run_id
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_IMPROVING,
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_NOT_LEARNED,
    EXAMPLE_STATE_REGRESSED,
    EXAMPLE_STATE_STRUGGLING,
    EXAMPLE_STATE_UNKNOWN,
    EXAMPLE_STATE_UNSPECIFIED,
)

FALLEN = 0.95  # a loss has fallen when it is at most this share of the one it is compared with

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
States = NDArray[np.uint8]


@dataclass
class SnapshotColumns:
    """The observations of one snapshot, and what follows from them and the snapshots before."""

    step: int
    reason: str
    seen: Flags
    correct: Flags
    loss: Floats  # NaN where not seen
    token_accuracy: Floats
    confidence: Floats
    expected_probability: Floats
    guess: list[str]
    event_position: NDArray[np.uint64]
    state: States  # where not seen: that of the snapshot before
    ever_learned: Flags  # up to and including this snapshot
    first_loss: Floats
    last_loss: Floats
    complete: bool = False
    seconds: float = 0.0
    position: int = 0
    recorded_at_us: int = 0

    def copy(self) -> "SnapshotColumns":
        arrays = {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, guess=self.guess.copy(), **arrays)  # type: ignore[arg-type]


@dataclass
class RunEvolution:
    tracked: NDArray[np.uint32]
    slot_of: dict[int, int]
    snapshots: list[SnapshotColumns] = field(default_factory=list)  # ascending by step; only the last may be incomplete
    # One entry per presentation in training, ascending by step.
    visit_example: Column = field(default_factory=lambda: Column("I"))
    visit_loss: Column = field(default_factory=lambda: Column("f"))
    # One entry per step: its number, and how many visits there were up to and including it.
    step: Column = field(default_factory=lambda: Column("I"))
    visits_until: Column = field(default_factory=lambda: Column("I"))
    visits_count: int = 0

    def seal(self) -> None:
        for column in (self.visit_example, self.visit_loss, self.step, self.visits_until):
            column.seal()

    def copy(self) -> "RunEvolution":
        # What is complete doesn't change any more; what is tracked never does.
        snapshots = [snapshot if snapshot.complete else snapshot.copy() for snapshot in self.snapshots]
        columns = {name: value.copy() for name, value in vars(self).items() if isinstance(value, Column)}
        return replace(self, snapshots=snapshots, **columns)  # type: ignore[arg-type]

    def loss_range(self) -> tuple[Floats, Floats]:
        """The lowest and the highest loss of one example in each step; NaN for a step that tells none."""
        ends = self.visits_until.rows().astype(np.int64)
        starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        told = ends > starts
        low = np.full(len(ends), np.nan, dtype=np.float32)
        high = low.copy()
        if told.any():
            losses = self.visit_loss.rows()
            low[told] = np.minimum.reduceat(losses, starts[told])
            high[told] = np.maximum.reduceat(losses, starts[told])
        return low, high

    def visits(self, example: int) -> list[tuple[int, float]]:
        """(step, loss before that step's update) of each time the example was trained on."""
        found = np.flatnonzero(self.visit_example.rows() == example)
        steps = self.step.rows()[np.searchsorted(self.visits_until.rows(), found, side="right")]
        return list(zip(steps.tolist(), self.visit_loss.rows()[found].tolist(), strict=True))


@dataclass
class Evolution:
    by_run: ForkedDict[RunEvolution] = field(default_factory=ForkedDict)

    def fork(self) -> "Evolution":
        return Evolution(self.by_run.fork())


def _run(state: Evolution, event: Event) -> RunEvolution:
    run = state.by_run.own(event.subject[len("run/") :])
    if run is None:
        raise Misplaced(f"{event.subject} has not started")
    return run


def _open_snapshot(run: RunEvolution, step: int) -> SnapshotColumns:
    if not run.snapshots or run.snapshots[-1].step != step or run.snapshots[-1].complete:
        raise Misplaced(f"no snapshot is open at step {step}")
    return run.snapshots[-1]


def _run_started(state: Evolution, event: Event, body: events.RunStarted) -> None:
    tracked = np.array(body.tracked, dtype=np.uint32)
    slots = {int(index): slot for slot, index in enumerate(tracked)}
    state.by_run[run_id(event)] = RunEvolution(tracked, slots)


def _step(state: Evolution, event: Event, body: events.StepCompleted) -> None:
    run = _run(state, event)
    examples, losses = body.example_index[:], body.example_loss[:]
    if len(examples) != len(losses):
        raise Misplaced("its columns have different lengths")
    run.visits_count += len(losses)
    run.visit_example.extend(examples)
    run.visit_loss.extend(losses)
    run.step.append(body.step)
    run.visits_until.append(run.visits_count)


def _snapshot_started(state: Evolution, event: Event, body: events.SnapshotStarted) -> None:
    run = _run(state, event)
    run.snapshots = [snapshot for snapshot in run.snapshots if snapshot.step < body.step]
    slots = len(run.tracked)
    before = run.snapshots[-1] if run.snapshots else None
    nothing = np.full(slots, np.nan, dtype=np.float32)
    run.snapshots.append(
        SnapshotColumns(
            step=body.step,
            reason=body.reason,
            seen=np.zeros(slots, dtype=np.bool_),
            correct=np.zeros(slots, dtype=np.bool_),
            loss=nothing.copy(),
            token_accuracy=nothing.copy(),
            confidence=nothing.copy(),
            expected_probability=nothing.copy(),
            guess=[""] * slots,
            event_position=np.zeros(slots, dtype=np.uint64),
            state=before.state.copy() if before else np.full(slots, EXAMPLE_STATE_UNSPECIFIED, dtype=np.uint8),
            ever_learned=before.ever_learned.copy() if before else np.zeros(slots, dtype=np.bool_),
            first_loss=before.first_loss.copy() if before else nothing.copy(),
            last_loss=before.last_loss.copy() if before else nothing.copy(),
            position=event.position,
            recorded_at_us=event.recorded_at_us,
        )
    )


def _observed(state: Evolution, event: Event, body: events.ExamplesObserved) -> None:
    run = _run(state, event)
    snapshot = _open_snapshot(run, body.step)
    columns = (body.guess, body.loss, body.token_accuracy, body.correct, body.confidence, body.expected_probability)
    if any(len(column) != len(body.example_index) for column in columns):
        raise Misplaced("its columns have different lengths")
    if not all(index in run.slot_of for index in body.example_index):
        raise Misplaced("it observes an example that the run doesn't track")
    slots = np.array([run.slot_of[index] for index in body.example_index], dtype=np.intp)
    loss = np.array(body.loss, dtype=np.float32)
    correct = np.array(body.correct, dtype=np.bool_)
    snapshot.state[slots] = _states(snapshot, slots, loss, correct)
    snapshot.seen[slots] = True
    snapshot.correct[slots] = correct
    snapshot.loss[slots] = loss
    snapshot.token_accuracy[slots] = body.token_accuracy
    snapshot.confidence[slots] = body.confidence
    snapshot.expected_probability[slots] = body.expected_probability
    for slot, guess in zip(slots, body.guess, strict=True):
        snapshot.guess[slot] = guess
    snapshot.event_position[slots] = event.position
    snapshot.ever_learned[slots] |= correct
    first = np.isnan(snapshot.first_loss[slots])
    snapshot.first_loss[slots[first]] = loss[first]
    snapshot.last_loss[slots] = loss
    snapshot.position = event.position
    snapshot.recorded_at_us = event.recorded_at_us


def _states(before: SnapshotColumns, slots: NDArray[np.intp], loss: Floats, correct: Flags) -> States:
    """The states of newly observed slots; `before` still holds what was known of them up to now."""
    first, last = before.first_loss[slots], before.last_loss[slots]
    wrong = [
        (before.ever_learned[slots], EXAMPLE_STATE_REGRESSED),
        (np.isnan(first), EXAMPLE_STATE_UNKNOWN),
        (loss <= FALLEN * last, EXAMPLE_STATE_IMPROVING),
        (loss <= FALLEN * first, EXAMPLE_STATE_STRUGGLING),
    ]
    conditions = [correct, *(condition for condition, _ in wrong)]
    choices = [EXAMPLE_STATE_LEARNED, *(choice for _, choice in wrong)]
    return np.select(conditions, choices, EXAMPLE_STATE_NOT_LEARNED).astype(np.uint8)


def _snapshot_completed(state: Evolution, event: Event, body: events.SnapshotCompleted) -> None:
    snapshot = _open_snapshot(_run(state, event), body.step)
    snapshot.complete = True
    snapshot.seconds = body.seconds
    snapshot.position = event.position
    snapshot.recorded_at_us = event.recorded_at_us


def _resumed(state: Evolution, event: Event, body: events.JobResumed) -> None:
    """What came after the checkpoint is taken back in the view; the log keeps it."""
    run = state.by_run.own(body.run)
    if run is None:
        return  # it was killed before its run had started
    run.snapshots = [snapshot for snapshot in run.snapshots if snapshot.step <= body.step]
    keep = int(np.searchsorted(run.step.rows(), body.step, side="right"))
    run.step.truncate(keep)
    run.visits_until.truncate(keep)
    run.visits_count = run.visits_until.last() if keep else 0
    run.visit_example.truncate(run.visits_count)
    run.visit_loss.truncate(run.visits_count)


HANDLERS: Handlers = {
    "run_started": _run_started,
    "step_completed": _step,
    "snapshot_started": _snapshot_started,
    "examples_observed": _observed,
    "snapshot_completed": _snapshot_completed,
    "job_resumed": _resumed,
}
