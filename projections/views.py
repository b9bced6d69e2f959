"""The book's state as the answers of the History service: joins, nothing more. Knows the folds, no gRPC."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np

from guessbook.projections import jobs as job_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.evolution import RunEvolution, SnapshotColumns
from guessbook.projections.runs import summary
from guessbook.projections.states import States
from guessbook.projections.trend import trend
from guessbook.projections.version_metadata import metadata_text
from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_UNSPECIFIED,
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
    JobState,
    Run,
    Snapshot,
    StateCount,
    Status,
    Steps,
    Version,
)


def job(book: Book, identity: str) -> Job | None:
    found = book.jobs.jobs.get(identity)
    return _with_version(book, found) if found else None


def jobs(book: Book, states: "Iterable[JobState.ValueType]" = ()) -> list[Job]:
    """The active jobs, the queue in the order it will run, the paused, then the finished with the newest first."""
    wanted = set(states)
    return [_with_version(book, found) for found in queue.listed(book.jobs) if not wanted or found.state in wanted]


def run(book: Book, identity: str) -> Run | None:
    """A run with what other folds know of it. "latest" is the one that started last."""
    found = book.runs.by_id.get(latest_run(book) if identity == "latest" else identity)
    if found is None:
        return None
    view = summary(found)
    owner = book.jobs.jobs.get(view.job)
    view.state = owner.state if owner else JobState.JOB_STATE_UNSPECIFIED
    if owner and owner.config.per_device_train_batch_size:  # it may have been halved since the run started
        view.config.per_device_train_batch_size = owner.config.per_device_train_batch_size
        view.config.gradient_accumulation_steps = owner.config.gradient_accumulation_steps
    view.version = book.versions.name_of_run.get(view.id, "")
    dataset = book.datasets.by_sha256.get(view.dataset)
    view.name = (owner.name if owner else "") or (dataset.name if dataset else "")
    if view.state == JOB_STATE_ACTIVE:
        view.eta_seconds = max(0, view.total_steps - view.step) * view.seconds_per_step
    evolution = book.evolution.by_run.get(view.id)
    if evolution:
        trained = evolution.trained_slots
        view.snapshots.extend(snapshot(columns, evolution) for columns in evolution.snapshots)
        unseen = np.full(trained, EXAMPLE_STATE_UNSPECIFIED, dtype=np.uint8)
        view.states.extend(state_counts(evolution.snapshots[-1].state[:trained] if evolution.snapshots else unseen))
        view.trend = trend(evolution.snapshots, trained)
    return view


def runs(book: Book) -> list[Run]:
    """All runs, the newest first."""
    return [view for identity in reversed(book.runs.by_id) if (view := run(book, identity))]


def latest_run(book: Book) -> str:
    return next(reversed(book.runs.by_id), "")


def steps(book: Book, identity: str, after_step: int = 0, max_points: int = 0) -> Steps | None:
    """A run's curves in columns; thinned evenly to `max_points`, with the first and the last one kept."""
    found = book.runs.by_id.get(latest_run(book) if identity == "latest" else identity)
    if found is None:
        return None
    chosen = np.flatnonzero(found.step.rows() > after_step)
    if max_points and len(chosen) > max_points:
        chosen = chosen[np.linspace(0, len(chosen) - 1, max_points).round().astype(int)]
    view = Steps()
    columns = {name: column.rows() for name, column in found.columns().items()}
    low, high = book.evolution.by_run[found.run.id].loss_range()
    columns["loss_low"] = np.where(np.isnan(low), columns["loss"], low)
    columns["loss_high"] = np.where(np.isnan(high), columns["loss"], high)
    for field in Steps.DESCRIPTOR.fields:
        getattr(view, field.name).extend(columns[field.name][chosen].tolist())
    return view


def status(book: Book) -> Status:
    """What the folds know of the whole system; the server adds what only it knows."""
    view = Status(position=book.position, recorded_at_us=book.recorded_at_us)
    view.queue, view.queue_reason = book.jobs.queue_state, book.jobs.queue_reason
    view.active_jobs.extend(job_fold.in_state(book.jobs, JOB_STATE_ACTIVE))
    active = next(iter(view.active_jobs), None)
    if active:
        view.active.CopyFrom(active)
    shown = run(book, active.run if active and active.run in book.runs.by_id else "latest")
    if shown:
        view.run.CopyFrom(shown)
    for name, state in (
        ("queued", JOB_STATE_QUEUED),
        ("paused", JOB_STATE_PAUSED),
        ("interrupted", JOB_STATE_INTERRUPTED),
        ("completed", JOB_STATE_COMPLETED),
        ("failed", JOB_STATE_FAILED),
        ("cancelled", JOB_STATE_CANCELLED),
    ):
        setattr(view, name, sum(1 for _ in job_fold.in_state(book.jobs, state)))
    view.trainers.extend(book.jobs.trainers.values())
    view.misplaced_events = book.misplaced_count
    return view


def _with_version(book: Book, found: Job) -> Job:
    view = Job()
    view.CopyFrom(found)
    view.version = book.versions.name_of_run.get(found.run, "")
    return view


def snapshot(columns: SnapshotColumns, run: RunEvolution) -> Snapshot:
    """One snapshot in figures. Those of the examples that are trained on, and apart those of the held-out ones."""
    known = _FIGURES.get(columns)
    if known is None:
        known = _figures(columns, run.trained_slots)
        if columns.complete:
            _FIGURES[columns] = known
    return known


def _figures(columns: SnapshotColumns, trained: int) -> Snapshot:
    seen, held_out_seen = columns.seen[:trained], columns.seen[trained:]
    right = columns.correct & columns.seen
    return Snapshot(
        step=columns.step,
        reason=columns.reason,
        examples=int(seen.sum()),
        correct=int(right[:trained].sum()),
        mean_loss=float(columns.loss[:trained][seen].mean()) if seen.any() else 0.0,
        seconds=columns.seconds,
        complete=columns.complete,
        position=columns.position,
        recorded_at_us=columns.recorded_at_us,
        states=state_counts(columns.state[:trained]),
        guessed=int(columns.guessed.sum()),
        engine=columns.engine,
        held_out=int(held_out_seen.sum()),
        held_out_correct=int(right[trained:].sum()),
        held_out_loss=float(columns.loss[trained:][held_out_seen].mean()) if held_out_seen.any() else 0.0,
    )


def state_counts(states: States) -> list[StateCount]:
    """How many there are of each state that there is."""
    counts = np.bincount(states)
    return [StateCount(state=state, count=int(count)) for state, count in enumerate(counts) if count]  # type: ignore[arg-type]


# A complete snapshot never changes; its figures are dropped with it.
_FIGURES: WeakKeyDictionary[SnapshotColumns, Snapshot] = WeakKeyDictionary()


def versions(book: Book, deleted: bool = False) -> list[Version]:
    """The versions, the newest first, with what other folds know of them. `deleted`: those in the trash too."""
    views = []
    for version in reversed(book.versions.versions):
        if version.deleted_at_us and not deleted:
            continue
        view = Version()
        view.CopyFrom(version)
        dataset = book.datasets.by_sha256.get(version.dataset)
        view.dataset_name = dataset.name if dataset else ""
        view.latest = version.name == book.versions.latest
        view.metadata = metadata_text(book, version)
        views.append(view)
    return views
