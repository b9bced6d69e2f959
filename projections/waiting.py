"""Why a job runs, is next, or has to wait, as one sentence. Pure; knows the jobs and their order, no times."""

from collections import Counter

from guessbook.projections import names, queue
from guessbook.projections.book import Book
from guessbook.projections.jobs import OVER
from guessbook.proto.events_pb2 import QUEUE_STATE_ON
from guessbook.proto.history_pb2 import JOB_STATE_INTERRUPTED, Job, Trainer

GIGABYTE = 10**9


def takers(book: Book) -> list[Trainer]:
    """The connected trainers that work off the queue. A program that trains jobs of its own takes no others."""
    own = {job.trainer for job in book.jobs.jobs.values() if job.external}
    return [trainer for trainer in book.jobs.trainers.values() if trainer.connected and trainer.id not in own]


def why_it_runs(book: Book, job: Job) -> str:
    run = book.runs.by_id.get(job.run)
    if job.preempted_by and job.pending:
        return f"makes room for {job.preempted_by} at the next step, and goes on by itself afterwards"
    if job.pending:
        return f"runs on {job.trainer}; it was asked to {job.pending}, which comes at the next step"
    if run is None:
        return f"runs on {job.trainer}: about to start"
    step = run.step.last() if len(run.step) else 0
    return f"runs on {job.trainer}: step {step} of {run.run.total_steps}"


class Waiting:
    """The reasons of all jobs that wait, at one position of the log."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._trainers = takers(book)
        self._before: dict[str, Counter[str]] = {}  # how many of which kind go before a job, of those that could go now
        passed: Counter[str] = Counter()
        for job in queue.order(book.jobs):
            self._before[job.id] = passed.copy()
            if not self._by_itself(job) and not self._by_trainers(job):
                passed[_kind(job)] += 1

    def why(self, job: Job, trainer: str) -> str:
        """`trainer`: who is expected to take it, empty if nobody is."""
        return self._by_itself(job) or self._by_the_queue() or self._by_trainers(job) or self._by_place(job, trainer)

    def _by_itself(self, job: Job) -> str:
        """What stands between the job and its turn whatever else is there."""
        unmet = queue.unmet(self._book.jobs, job)
        never = next((one for one in unmet if one.state in OVER), None)
        if never:
            state = names.job_state(never.state)
            return (
                f"waits for {never.id} (after), which {'has' if state == 'failed' else 'was'} {state} and will never be completed: "
                f"`guessbook cancel {job.id}`, and submit its file again without it"
            )
        if unmet:
            return f"waits for {', '.join(one.id for one in unmet)} (after)"
        if job.held:
            return (
                f"held: it was stopped by hand, and waits until another job had its turn or `guessbook resume {job.id}`"
            )
        return ""

    def _by_the_queue(self) -> str:
        jobs = self._book.jobs
        if jobs.queue_state == QUEUE_STATE_ON:
            return ""
        reason = f": {jobs.queue_reason}" if jobs.queue_reason else ""
        return f"the queue is {names.queue_state(jobs.queue_state)}{reason}; `guessbook queue on` lets it go on"

    def _by_trainers(self, job: Job) -> str:
        if not self._trainers:
            return "no trainer is connected"
        if any(queue.fits(job.needs, one) for one in self._trainers):
            return ""
        return f"needs {_needs(job)}; {', '.join(map(_has, self._trainers))}"

    def _by_place(self, job: Job, trainer: str) -> str:
        room = f"; it made room for {job.preempted_by}" if job.preempted_by else ""
        if before := self._before[job.id]:
            *rest, last = [f"{count} {kind}" for kind, count in before.items()]
            return f"behind {', '.join(rest)}{' and ' * bool(rest)}{last} job{'s' * (before.total() > 1)}{room}"
        first = ", since it was interrupted" if job.state == JOB_STATE_INTERRUPTED else room
        taker = next((one for one in self._trainers if one.id == trainer), None)
        if taker is None:
            return f"next{first}: when a trainer is free"
        return f"next{first}: {trainer} takes it {f'when {taker.job} is done' if taker.job else 'now'}"


def _kind(job: Job) -> str:
    return "interrupted" if job.state == JOB_STATE_INTERRUPTED else names.priority(job.priority)


def _needs(job: Job) -> str:
    parts = [f"{job.needs.devices} device{'s' * (job.needs.devices > 1)}"] if job.needs.devices else []
    if job.needs.memory_bytes:
        parts.append(f"a device with {job.needs.memory_bytes / GIGABYTE:.3g} GB")
    return " and ".join(parts)


def _has(trainer: Trainer) -> str:
    if not trainer.devices:
        return f"trainer {trainer.id} declared no device"
    largest = max(one.memory_bytes for one in trainer.devices)
    return f"trainer {trainer.id} has {len(trainer.devices)}" + (
        f" of up to {largest / GIGABYTE:.3g} GB" if largest else ""
    )
