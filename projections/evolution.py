"""What the model guessed: every observation of every tracked example, and what became of each example.

Definitions of the states: docs/evolution_tracking.md. Arrays have one place ("slot") per tracked example, in ascending order of its index; held-out examples
stand behind the others.
"""

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.column import Column
from guessbook.projections.datasets import Datasets
from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.forks import ForkedDict
from guessbook.projections.guesses import Guesses, Slots
from guessbook.projections.names import run_id
from guessbook.projections.states import LEARNED_LOSS, Flags, Floats, Standing, States, learned_by_loss
from guessbook.projections.text_column import TextColumn
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event

NOWHERE = 2**32  # behind every index
HALF = np.dtype("<f2")
JUDGED_BY_LOSS = "text"  # the form of datasets whose examples have no exact answer


@dataclass(eq=False)
class SnapshotColumns:
    """The observations of one snapshot, and what follows from them and the snapshots before. Complete, it never changes again."""

    step: int
    reason: str
    engine: str
    seen: Flags
    guessed: Flags  # false: not seen, or only measured
    # Where nothing was guessed, these three are as in the snapshot before.
    guess: Guesses
    correct: Flags
    confidence: Floats
    loss: Floats  # NaN where not seen, as the next two
    token_accuracy: Floats
    expected_probability: Floats
    event_position: NDArray[np.uint64]
    # As known at this snapshot: where not seen, as in the snapshot before.
    state: States
    ever_learned: Flags
    first_loss: Floats
    last_loss: Floats
    low: Floats
    since_low: NDArray[np.uint8]
    complete: bool = False
    seconds: float = 0.0
    position: int = 0
    recorded_at_us: int = 0

    @classmethod
    def first(cls, slots: int, texts: TextColumn) -> "SnapshotColumns":
        """What is known before any snapshot: nothing."""
        unknown = np.full(slots, np.nan, dtype=np.float32)
        no = np.zeros(slots, dtype=np.bool_)
        zero = np.zeros(slots, dtype=np.uint8)
        return cls(
            step=0,
            reason="",
            engine="",
            seen=no,
            guessed=no,
            guess=Guesses(texts, np.zeros(slots, dtype=np.uint32)),
            correct=no,
            confidence=np.zeros(slots, dtype=np.float32),
            loss=unknown,
            token_accuracy=unknown,
            expected_probability=unknown,
            event_position=np.zeros(slots, dtype=np.uint64),
            state=zero,
            ever_learned=no,
            first_loss=unknown,
            last_loss=unknown,
            low=unknown,
            since_low=zero,
        )

    def copy(self, texts: TextColumn) -> "SnapshotColumns":
        """The same, to be changed by itself; new guesses go into `texts`."""
        arrays = {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, guess=Guesses(texts, self.guess.rows.copy()), **arrays)  # type: ignore[arg-type]

    def next(self, body: events.SnapshotStarted, guess: Guesses) -> "SnapshotColumns":
        """The snapshot that follows, before anything is seen in it."""
        slots = len(self.seen)
        return replace(
            self.copy(guess.texts),
            step=body.step,
            reason=body.reason,
            engine=body.engine,
            guess=Guesses(guess.texts, guess.rows.copy()),
            seen=np.zeros(slots, dtype=np.bool_),
            guessed=np.zeros(slots, dtype=np.bool_),
            loss=np.full(slots, np.nan, dtype=np.float32),
            token_accuracy=np.full(slots, np.nan, dtype=np.float32),
            expected_probability=np.full(slots, np.nan, dtype=np.float32),
            event_position=np.zeros(slots, dtype=np.uint64),
            complete=False,
            seconds=0.0,
        )

    def standing(self, slots: Slots) -> Standing:
        return Standing(self.first_loss[slots], self.low[slots], self.since_low[slots], self.ever_learned[slots])


@dataclass
class RunEvolution:
    dataset: str  # SHA-256, as the next one
    held_out: str
    tracked: NDArray[np.uint32]  # indices of examples, ascending
    held_out_from: int  # the index of the first example that is watched and never trained on; NOWHERE if there is none
    judged_by_loss: Flags
    learned_loss: float
    texts: TextColumn  # every guess of the run, each once while it stays the same; the first row is empty
    cut: frozenset[int]  # indices of examples whose expected answer was cut
    snapshots: list[SnapshotColumns] = field(default_factory=list)  # ascending by step; only the last one may change
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
        texts = self.texts.copy()
        snapshots = self.snapshots[:-1] + [last if last.complete else last.copy(texts) for last in self.snapshots[-1:]]
        columns = {name: value.copy() for name, value in vars(self).items() if isinstance(value, Column)}
        return replace(self, snapshots=snapshots, texts=texts, **columns)  # type: ignore[arg-type]

    @property
    def trained_slots(self) -> int:
        """How many slots, the first ones, are of examples that are trained on."""
        return int(np.searchsorted(self.tracked, self.held_out_from))

    def slots(self, examples: Sequence[int]) -> Slots:
        """The slots of examples. Raises KeyError if one isn't tracked."""
        wanted = np.array(examples, dtype=np.int64)
        slots = np.searchsorted(self.tracked, wanted)
        known = slots < len(self.tracked)
        known[known] = self.tracked[slots[known]] == wanted[known]
        if not known.all():
            raise KeyError(int(wanted[~known][0]))
        return slots

    def slot(self, example: int) -> int | None:
        """The slot of an example; None if it isn't tracked."""
        slot = int(np.searchsorted(self.tracked, example))
        return slot if slot < len(self.tracked) and self.tracked[slot] == example else None

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
        steps, losses, _ = self.presentations([example])
        return list(zip(steps.tolist(), losses.tolist(), strict=True))

    def presentations(self, examples: Sequence[int]) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Step, loss and row (of `visit_example`) of each time one of some examples was trained on, in order of training."""
        trained = self.visit_example.rows()
        if len(examples) == 1:
            rows = np.flatnonzero(trained == examples[0])
        else:
            wanted = np.zeros(max([int(trained.max(initial=0)), *examples]) + 1, dtype=np.bool_)
            wanted[list(examples)] = True
            rows = np.flatnonzero(wanted[trained])
        steps = self.step.rows()[np.searchsorted(self.visits_until.rows(), rows, side="right")]
        return steps.astype(np.int64), self.visit_loss.rows()[rows], rows


@dataclass
class Evolution:
    by_run: ForkedDict[RunEvolution] = field(default_factory=ForkedDict)
    judged_by_loss: frozenset[str] = frozenset()  # SHA-256 of the datasets without exact answers
    datasets: Datasets = field(
        default_factory=Datasets
    )  # the book's: guesses are told by what they have of these texts

    def fork(self) -> "Evolution":
        return Evolution(self.by_run.fork(), self.judged_by_loss)

    def texts(self, run: RunEvolution, example: int) -> tuple[str, str]:
        """Prompt and expected answer of a run's example; empty where the log doesn't tell them."""
        held_out = example >= run.held_out_from
        texts = self.datasets.by_sha256.get(run.held_out if held_out else run.dataset)
        row = example - run.held_out_from if held_out else example
        return (texts.prompts[row], texts.expected[row]) if texts and row < len(texts.prompts) else ("", "")


def _run(state: Evolution, event: Event) -> RunEvolution:
    run = state.by_run.own(event.subject[len("run/") :])
    if run is None:
        raise Misplaced(f"{event.subject} has not started")
    return run


def _open_snapshot(run: RunEvolution, step: int) -> SnapshotColumns:
    if not run.snapshots or run.snapshots[-1].step != step or run.snapshots[-1].complete:
        raise Misplaced(f"no snapshot is open at step {step}")
    return run.snapshots[-1]


def _dataset_registered(state: Evolution, event: Event, body: events.DatasetRegistered) -> None:
    if body.form == JUDGED_BY_LOSS:
        state.judged_by_loss |= {body.sha256}


def _run_started(state: Evolution, event: Event, body: events.RunStarted) -> None:
    held_out = range(body.examples, body.examples + body.held_out_examples)
    tracked = np.unique(np.array([*body.tracked, *held_out], dtype=np.uint32))
    by_loss = (body.dataset in state.judged_by_loss, body.held_out in state.judged_by_loss)
    config = body.config
    state.by_run[run_id(event)] = RunEvolution(
        body.dataset,
        body.held_out,
        tracked,
        held_out_from=body.examples if body.held_out_examples else NOWHERE,
        judged_by_loss=np.where(tracked < body.examples, *by_loss),
        learned_loss=config.learned_loss if config.HasField("learned_loss") else LEARNED_LOSS,
        texts=TextColumn([""]),
        cut=frozenset(body.cut_example),
    )


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
    nothing = SnapshotColumns.first(len(run.tracked), run.texts)
    # A snapshot that is taken anew is replaced; its guesses are still those that `kept` counts from.
    guess = Guesses(run.texts, run.snapshots[-1].guess.rows if run.snapshots else nothing.guess.rows)
    run.snapshots = [snapshot for snapshot in run.snapshots if snapshot.step < body.step]
    before = run.snapshots[-1] if run.snapshots else nothing
    snapshot = before.next(body, guess)
    snapshot.position, snapshot.recorded_at_us = event.position, event.recorded_at_us
    run.snapshots.append(snapshot)


def _observed(state: Evolution, event: Event, body: events.ExamplesObserved) -> None:
    run = _run(state, event)
    snapshot = _open_snapshot(run, body.step)
    _check_lengths(body)
    try:
        slots = run.slots(body.example_index)
    except KeyError as unknown:
        raise Misplaced(f"it observes example {unknown}, which the run doesn't track") from None
    loss, token_accuracy, confidence = _measures(body)
    guessed = np.array(body.guessed or [True] * len(slots), dtype=np.bool_)
    correct = np.where(guessed, np.array(body.correct, dtype=np.bool_), snapshot.correct[slots])
    by_loss = learned_by_loss(loss, snapshot.correct[slots], run.learned_loss)
    correct = np.where(run.judged_by_loss[slots], by_loss, correct)
    snapshot.guess.observe(slots, body, partial(state.texts, run))  # all or nothing, and the last that may fail
    standing, snapshot.state[slots] = snapshot.standing(slots).after(loss, correct)
    snapshot.first_loss[slots], snapshot.low[slots] = standing.first_loss, standing.low
    snapshot.since_low[slots], snapshot.ever_learned[slots] = standing.since_low, standing.ever_learned
    snapshot.seen[slots] = True
    snapshot.guessed[slots] = guessed
    snapshot.correct[slots] = correct
    snapshot.confidence[slots] = np.where(guessed, confidence, snapshot.confidence[slots])
    snapshot.loss[slots] = snapshot.last_loss[slots] = loss
    snapshot.token_accuracy[slots] = token_accuracy
    snapshot.expected_probability[slots] = body.expected_probability or np.exp(-loss)
    snapshot.event_position[slots] = event.position
    snapshot.position = event.position
    snapshot.recorded_at_us = event.recorded_at_us


def _check_lengths(body: events.ExamplesObserved) -> None:
    count = len(body.example_index)
    needed: list[Sized] = [body.correct, body.guesses.form if body.HasField("guesses") else body.guess]
    needed += [] if body.measures else [body.loss, body.token_accuracy, body.confidence]
    optional = (body.expected_probability, body.kept, body.guessed)
    if any(len(column) != count for column in needed) or any(len(column) not in (0, count) for column in optional):
        raise Misplaced("its columns have different lengths")
    if body.measures and len(body.measures) != 3 * HALF.itemsize * count:
        raise Misplaced(f"its measures have {len(body.measures)} bytes, which are not three columns of {count} numbers")


def _measures(body: events.ExamplesObserved) -> tuple[Floats, Floats, Floats]:
    """Loss, token accuracy and confidence."""
    if body.measures:
        loss, token_accuracy, confidence = np.frombuffer(body.measures, HALF).astype(np.float32).reshape(3, -1)
    else:
        columns = (body.loss, body.token_accuracy, body.confidence)
        loss, token_accuracy, confidence = (np.array(column, dtype=np.float32) for column in columns)
    return loss, token_accuracy, confidence


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
    "dataset_registered": _dataset_registered,
    "run_started": _run_started,
    "step_completed": _step,
    "snapshot_started": _snapshot_started,
    "examples_observed": _observed,
    "snapshot_completed": _snapshot_completed,
    "job_resumed": _resumed,
}
