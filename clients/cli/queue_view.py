"""The queue as a person reads it: what runs, what waits and until when, and why. Pure: messages in, renderables out."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.listing import listing
from guessbook.projections import names
from guessbook.proto import events_pb2, history_pb2

EMPTY = "Nothing was submitted yet. Try `guessbook submit FILE`, or `guessbook demo`."


def table(jobs: history_pb2.ListJobsResponse, outlook: history_pb2.ExplainQueueResponse) -> RenderableType:
    """The active jobs, the queue in the order it will run, then what is finished; with when each began and ended, or will."""
    if not jobs.jobs:
        return Group(*switched(outlook.state, outlook.reason), Text(EMPTY))
    expected = {one.job: one for one in outlook.jobs}
    view = listing()
    view.add_column("state", no_wrap=True)
    view.add_column("name", ratio=1, overflow="ellipsis", no_wrap=True)
    view.add_column("priority", no_wrap=True)
    view.add_column("job", no_wrap=True)
    view.add_column("start", no_wrap=True)
    view.add_column("end", no_wrap=True)
    for job in jobs.jobs:
        view.add_row(
            wording.job_state(job),
            Text(wording.one_line(job.name)),
            wording.priority(job.priority),
            Text(job.id),
            *_times(job, expected.get(job.id), outlook.now_us),
        )
    return Group(*switched(outlook.state, outlook.reason), view, *_end(outlook))


def explanation(jobs: history_pb2.ListJobsResponse, outlook: history_pb2.ExplainQueueResponse) -> RenderableType:
    """Each job that runs or waits: why, when it is expected to start and to end, and what that is computed from."""
    job_of = {job.id: job for job in jobs.jobs}
    lines = switched(outlook.state, outlook.reason)
    for one in outlook.jobs:
        job = job_of.get(one.job, history_pb2.Job(name=one.job))
        lines.append(Text(wording.one_line(job.name), style="bold") + Text(f" · {one.job} · ") + wording.job_state(job))
        lines.append(Text(f"  {wording.one_line(one.why)}"))
        lines.append(Text(f"  {_estimate(one, job, outlook.now_us)}", style="bright_black"))
    if not outlook.jobs:
        lines.append(Text("No job runs or waits."))
    return Group(*lines, *_end(outlook))


def switched(state: events_pb2.QueueState.ValueType, reason: str) -> list[Text]:
    """That the queue is not on, and why; nothing if it is."""
    if state in (events_pb2.QUEUE_STATE_UNSPECIFIED, events_pb2.QUEUE_STATE_ON):
        return []
    told = f": {wording.one_line(reason)}" if reason else ""
    meaning = "; no job is begun. `guessbook queue on` lets it go on"
    return [Text(f"The queue is {names.queue_state(state)}{told}{meaning}", style="yellow")]


def _times(job: history_pb2.Job, expected: history_pb2.JobOutlook | None, now_us: int) -> tuple[str, str]:
    """When it began and ended; a time that is only expected has a tilde."""
    if expected is None:
        return wording.soon(job.started_at_us, now_us), wording.soon(job.finished_at_us, now_us)
    running = job.state == history_pb2.JOB_STATE_ACTIVE
    start = wording.soon(expected.starts_at_us, now_us)
    end = wording.soon(expected.ends_at_us, now_us)
    return (
        start if running or not expected.starts_at_us else f"~{start}",
        f"~{end}" if expected.ends_at_us else end,
    )


def _estimate(one: history_pb2.JobOutlook, job: history_pb2.Job, now_us: int) -> str:
    if not one.seconds:
        return f"how long it takes is not known: {one.basis}"
    parts = [f"{wording.duration(one.seconds)} of work left"]
    if one.starts_at_us and job.state != history_pb2.JOB_STATE_ACTIVE:
        parts.append(f"starts about {wording.soon(one.starts_at_us, now_us)}")
    if one.ends_at_us:
        parts.append(f"ends about {wording.soon(one.ends_at_us, now_us)}")
    return f"{', '.join(parts)} ({one.basis})"


def _end(outlook: history_pb2.ExplainQueueResponse) -> list[Text]:
    if not outlook.ends_at_us:
        return []
    left = wording.duration((outlook.ends_at_us - outlook.now_us) / 1e6)
    return [Text(f"All of it is done about {wording.soon(outlook.ends_at_us, outlook.now_us)}, in {left}.")]
