"""How long a job's work takes: the steps and snapshots that are left, at the pace that was measured. Pure; knows the folds, not the queue."""

import math
from dataclasses import dataclass

from guessbook.projections.book import Book
from guessbook.projections.runs import RunState, summary
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, Job

# When a run takes its snapshots by default. The trainer has its own arithmetic; a test holds that both agree.
DEFAULT_STEPS = (10, 25, 50, 100, 250, 500, 1000, 2500)
THEN_EVERY = 5000


@dataclass(frozen=True)
class Workload:
    """`seconds` of work that is left, None where nothing was measured; `basis` says what it was computed from."""

    seconds: float | None
    basis: str


@dataclass(frozen=True)
class _Pace:
    """What was measured of a run: seconds a step, and seconds an observation of one example in a snapshot."""

    run: str
    step_s: float
    observation_s: float
    examples_per_step: int


class Workloads:
    """The workloads of all jobs at one position of the log."""

    def __init__(self, book: Book) -> None:
        self._book = book
        # The newest run's, by model and precision, and by these with how much a step trains. Programs of others may train in other ways.
        self._same: dict[tuple[object, ...], _Pace] = {}
        self._similar: dict[tuple[object, ...], _Pace] = {}
        for run in reversed(book.runs.by_id.values()):
            owner = book.jobs.jobs.get(run.run.job)
            batch = _batch(run.run.config)
            if batch not in self._same and not (owner and owner.external) and (pace := self._measured(run)):
                self._same[batch] = pace
                self._similar.setdefault(_model(run.run.config), pace)

    def of(self, job: Job) -> Workload:
        """What is left of a job that runs or waits. Its own pace counts as soon as it has one, else that of the most similar newest run."""
        if job.consolidate:
            return Workload(None, "a merge is not estimated")
        run = self._book.runs.by_id.get(job.run)
        pace = (self._measured(run) if run else None) or self._pace_of_others(job.config)
        if pace is None:
            return Workload(None, "no run with this base model was measured yet")
        total = run.run.total_steps if run else total_steps(job.config, self._count(job.dataset))
        done = _done(job, run)
        trained = examples_per_step(job.config)
        training_s = max(0, total - done) * pace.step_s * trained / pace.examples_per_step
        snapshots = snapshots_left(job.config, total, done) + (run is None and job.config.snapshots)
        observing_s = _within_budget(job.config, training_s, snapshots * self._observed(job) * pace.observation_s)
        return Workload(training_s + observing_s, _basis(pace, job, trained))

    def _pace_of_others(self, config: TrainingConfig) -> _Pace | None:
        return self._same.get(_batch(config)) or self._similar.get(_model(config))

    def _measured(self, run: RunState) -> _Pace | None:
        """None before the first step."""
        step_s = summary(run).seconds_per_step
        if not step_s:
            return None
        evolution = self._book.evolution.by_run.get(run.run.id)
        complete = [one for one in evolution.snapshots if one.complete] if evolution else []
        observed = sum(int(one.seen.sum()) for one in complete)
        observation_s = sum(one.seconds for one in complete) / observed if observed else 0.0
        return _Pace(run.run.id, step_s, observation_s, examples_per_step(run.run.config))

    def _count(self, sha256: str) -> int:
        dataset = self._book.datasets.by_sha256.get(sha256)
        return dataset.count if dataset else 0

    def _observed(self, job: Job) -> int:
        """How many examples a snapshot looks at, the held-out ones among them."""
        config, trained = job.config, self._count(job.dataset)
        if config.tracked_examples or config.tracked_ids:
            trained = min(trained, config.tracked_examples + len(config.tracked_ids))
        return trained + self._count(config.held_out)


def examples_per_step(config: TrainingConfig) -> int:
    forward = max(1, config.per_device_train_batch_size) * max(1, config.num_processes)
    return forward * max(1, config.gradient_accumulation_steps)


def total_steps(config: TrainingConfig, examples: int) -> int:
    """The optimizer steps of a job; a last, smaller batch or accumulation counts as one, as in transformers."""
    if config.max_steps:
        return config.max_steps
    batches = math.ceil(examples / (config.per_device_train_batch_size * max(1, config.num_processes)))
    return math.ceil(math.ceil(batches / config.gradient_accumulation_steps) * config.num_train_epochs)


def snapshots_left(config: TrainingConfig, total: int, done: int) -> int:
    """How many snapshots come after step `done`, the one at the end among them."""
    if not config.snapshots or done >= total:
        return 0
    ahead = sum(done < step < total for step in set(config.snapshot_steps) or DEFAULT_STEPS)
    if not config.snapshot_steps:
        ahead += (total - 1) // THEN_EVERY - done // THEN_EVERY
    return ahead + 1


def _model(config: TrainingConfig) -> tuple[object, ...]:
    return config.base_model, config.dtype, config.load_in_4bit


def _batch(config: TrainingConfig) -> tuple[object, ...]:
    return *_model(config), examples_per_step(config), config.max_length


def _done(job: Job, run: RunState | None) -> int:
    """The step that the work goes on after: a job that waits goes back to its checkpoint."""
    if run is None:
        return 0
    if job.state != JOB_STATE_ACTIVE:
        return job.checkpoint_step
    return int(run.step.last()) if len(run.step) else 0


def _basis(pace: _Pace, job: Job, trained: int) -> str:
    if pace.run == job.run:
        return f"its own pace, {pace.step_s:.2g} s a step"
    if pace.examples_per_step == trained:
        return f"the pace of {pace.run}, {pace.step_s:.2g} s a step"
    return f"the pace of {pace.run}, {pace.step_s:.2g} s a step, scaled from {pace.examples_per_step} to {trained} examples a step"


def _within_budget(config: TrainingConfig, training_s: float, observing_s: float) -> float:
    """What snapshots take at most, by the job's budget."""
    if config.snapshot_budget_percent:
        observing_s = min(observing_s, training_s * config.snapshot_budget_percent / 100)
    return min(observing_s, config.snapshot_budget_seconds) if config.snapshot_budget_seconds else observing_s
