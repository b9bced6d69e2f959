"""Jobs as a person reads them. Pure: messages in, renderables out."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.listing import listing
from guessbook.proto import control_pb2, history_pb2

EMPTY = "Nothing was submitted yet. Try `guessbook submit FILE`, or `guessbook demo`."


def table(jobs: history_pb2.ListJobsResponse) -> RenderableType:
    """The active job, the queue in the order it will run, then what is finished."""
    if not jobs.jobs:
        return Text(EMPTY)
    view = listing()
    view.add_column("state", no_wrap=True)
    view.add_column("name", ratio=1, overflow="ellipsis", no_wrap=True)
    view.add_column("priority", no_wrap=True)
    view.add_column("job", no_wrap=True)
    view.add_column("queued", no_wrap=True)
    for job in jobs.jobs:
        view.add_row(
            wording.job_state(job),
            Text(wording.one_line(job.name)),
            wording.priority(job.priority),
            Text(job.id),
            wording.moment(job.queued_at_us)[5:16],
        )
    return view


def submitted(answer: control_pb2.SubmitJobResponse) -> RenderableType:
    """What was detected in a submitted file, its first rows, what can't be read, and what became of it."""
    lines: list[RenderableType] = []
    if answer.preview:
        rows = listing()
        rows.add_column("#", justify="right", no_wrap=True)
        rows.add_column("prompt", ratio=3, overflow="ellipsis", no_wrap=True)
        rows.add_column("expected", ratio=2, overflow="ellipsis", no_wrap=True)
        for example in answer.preview:
            prompt, expected = wording.one_line(example.prompt), wording.one_line(example.expected)
            rows.add_row(str(example.index), Text(prompt), Text(expected))
        lines += [rows, Text("")]
    lines.append(Text(wording.printable(answer.report)))
    return Group(*lines)
