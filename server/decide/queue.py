"""What may be done with the queue: turn it off and on, and change who comes before whom. Knows nothing of how a job is steered."""

from typing import Any

from guessbook.projections import jobs as job_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.names import job_state, priority, queue_state
from guessbook.proto.control_pb2 import MoveJobRequest
from guessbook.proto.events_pb2 import (
    PRIORITY_UNSPECIFIED,
    QUEUE_STATE_OFF,
    QUEUE_STATE_ON,
    QUEUE_STATE_UNSPECIFIED,
    Event,
    JobMoved,
    JobPriorityChanged,
    Priority,
    QueueChanged,
    QueueState,
    StopRequested,
)
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, JOB_STATE_INTERRUPTED, Job
from guessbook.server.decide import preemption
from guessbook.server.decide.jobs import Decision, find, refuse_ended
from guessbook.server.decide.rejection import Invalid, Refused


def switch(book: Book, wanted: "QueueState.ValueType", reason: str) -> Decision:
    """Off: what runs is asked to stop, keeps its place and goes on by itself when the queue is on again. Paused: what runs goes on."""
    if wanted == QUEUE_STATE_UNSPECIFIED:
        raise Invalid("no state of the queue is given", "It can be on, paused or off.")
    now = book.jobs.queue_state
    if wanted == now:
        told = f" ({book.jobs.queue_reason})" if book.jobs.queue_reason else ""
        return Decision("", f"The queue is {queue_state(now)} already{told}.")
    changed: dict[str, Any] = {"from": now, "to": wanted, "reason": reason.strip()}  # "from" is a word of Python
    events = [Event(subject="queue", queue_changed=QueueChanged(**changed))]
    if wanted == QUEUE_STATE_ON:
        return Decision("", "The queue is on.", events)
    if wanted != QUEUE_STATE_OFF:
        return Decision("", "The queue is paused: no job is begun, what runs goes on.", events)
    running = [job for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE) if not job.pending]
    stops = [job for job in running if stops_while_off(job)]
    events += [keep_place(job) for job in stops]
    message = "The queue is off: no job is begun"
    if stops:
        message += f", {', '.join(job.name for job in stops)} will stop and keep its place"
    if any(job.consolidate for job in running):
        message += "; a merge that is under way goes on to its end"
    if any(job.external for job in running):
        message += "; what other programs train goes on, only they can stop it"
    return Decision("", f"{message}.", events)


def stops_while_off(job: Job) -> bool:
    """Whether a running job is asked to stop when the queue is off: not those of other programs, nor merges, which have no checkpoint."""
    return not (job.external or job.consolidate)


def keep_place(job: Job) -> Event:
    """The request by which the queue's being off stops a job."""
    return Event(subject=f"job/{job.id}", stop_requested=StopRequested(keep_place=True))


def set_priority(book: Book, name: str, wanted: "Priority.ValueType", preempt: bool = False) -> Decision:
    """Of the job of that id; with no name of the one that is next. Raises Invalid, Missing, Refused."""
    if wanted == PRIORITY_UNSPECIFIED:
        raise Invalid("no priority is given", "It can be urgent, high, normal or low.")
    job = find(book, name) if name else _first(book)
    refuse_ended(job, "given another priority")
    message, events = f"{job.name} has the priority {priority(wanted)} already.", list[Event]()
    if job.priority != wanted:
        changed = JobPriorityChanged(**{"from": job.priority, "to": wanted})
        message = f"{job.name} has the priority {priority(wanted)} now."
        events = [Event(subject=f"job/{job.id}", job_priority_changed=changed)]
    if preempt and job in queue.order(book.jobs) and not _has_room(book, job):
        later = Job()
        later.CopyFrom(job)
        later.priority = wanted
        told, stops = preemption.make_room(book, later)
        message, events = f"{message} {told}", events + stops
    return Decision(job.id, message, events)


def move(book: Book, asked: MoveJobRequest) -> Decision:
    """Directly before another waiting job, whose priority it takes; to the front or behind its equals. Raises Invalid, Missing, Refused."""
    job = find(book, asked.job)
    _refuse_elsewhere(book, job)
    if asked.before and asked.to_front:
        raise Invalid("both a job to come before and the front are asked for", "Ask for one of them.")
    if asked.before:
        return _before(book, job, find(book, asked.before))
    equals = _equals(book, job)
    if asked.to_front:
        first = equals[0]
        if first.id == job.id:
            return Decision(job.id, f"{job.name} is in front of its equals already.")
        return _moved(job, first, f"{job.name} is in front of the jobs of its priority now.")
    if equals[-1].id == job.id:
        return Decision(job.id, f"{job.name} is behind its equals already.")
    event = Event(subject=f"job/{job.id}", job_moved=JobMoved())
    return Decision(job.id, f"{job.name} is behind the jobs of its priority now.", [event])


def _before(book: Book, job: Job, other: Job) -> Decision:
    _refuse_elsewhere(book, other)
    if job.id == other.id:
        raise Invalid(f"{job.name} can't come before itself", "Name another job.")
    if other.held:
        raise Refused(f"{other.name} waits until another job had its turn", f"Resume it first: {other.id}.")
    if job.state != other.state:
        first = job if job.state == JOB_STATE_INTERRUPTED else other
        if first.id == job.id:
            return Decision(job.id, f"{job.name} was interrupted and goes on before all that were not.")
        raise Refused(f"{other.name} was interrupted; it goes on first", "To wait with it, pause it.")
    order = [one.id for one in queue.order(book.jobs)]
    if job.priority == other.priority and order.index(job.id) + 1 == order.index(other.id):
        return Decision(job.id, f"{job.name} comes directly before {other.name} already.")
    return _moved(job, other, f"{job.name} comes directly before {other.name} now.")


def _moved(job: Job, before: Job, message: str) -> Decision:
    events = [Event(subject=f"job/{job.id}", job_moved=JobMoved(before=before.id))]
    if job.priority != before.priority:
        changed = JobPriorityChanged(**{"from": job.priority, "to": before.priority})
        events.insert(0, Event(subject=f"job/{job.id}", job_priority_changed=changed))
        message = f"{message[:-1]}, and has its priority: {priority(before.priority)}."
    return Decision(job.id, message, events)


def _equals(book: Book, job: Job) -> list[Job]:
    """The waiting jobs that it can change places with, itself among them, in their order."""
    return [
        one
        for one in queue.order(book.jobs)
        if one.id == job.id or (one.priority == job.priority and one.state == job.state and not one.held)
    ]


def _first(book: Book) -> Job:
    waiting = queue.order(book.jobs)
    if not waiting:
        raise Refused("no job waits", "`guessbook queue` shows what there is.")
    return waiting[0]


def _has_room(book: Book, job: Job) -> bool:
    """Whether a job was asked already to make room for this one."""
    return any(one.preempted_by == job.id for one in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE))


def _refuse_elsewhere(book: Book, job: Job) -> None:
    refuse_ended(job, "moved")
    if job not in queue.order(book.jobs):
        raise Refused(f"{job.name} is {job_state(job.state)}; only a job that waits has a place", "Nothing was moved.")
