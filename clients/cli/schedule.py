"""`guessbook schedule [JOB]`."""

from typing import Annotated

import typer

from guessbook.clients.cli import schedule_view
from guessbook.clients.cli.options import AsJson, JobArgument
from guessbook.clients.cli.output import as_document, out, print_json, show
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import NotFound, Rejected
from guessbook.proto import history_pb2

LAST_STEP = 2**32 - 1  # that the field has room for

Steps = Annotated[
    list[int] | None,
    typer.Option(min=1, max=LAST_STEP, help="A step; may be repeated. In place of those it has.", show_default=False),
]
DefaultSteps = Annotated[bool, typer.Option("--default-steps", help="The steps that jobs have by default.")]
Percent = Annotated[
    float | None, typer.Option(help="Of the training time, for guesses; 0: as long as they take.", show_default=False)
]
Seconds = Annotated[
    float | None, typer.Option(help="For the whole run, for guesses; 0: as long as they take.", show_default=False)
]
Taken = Annotated[bool | None, typer.Option(help="Whether to take snapshots at all.", show_default=False)]


def schedule(
    job: JobArgument = "",
    snapshot_steps: Steps = None,
    default_steps: DefaultSteps = False,
    snapshot_budget_percent: Percent = None,
    snapshot_budget_seconds: Seconds = None,
    snapshots: Taken = None,
    as_json: AsJson = False,
) -> None:
    """Show when a job takes its snapshots, and how long they may take. With an option: change it, from the next step on.

    Example: guessbook schedule --snapshot-budget-percent 10
    """
    with Guessbook() as book:
        given = (snapshot_budget_percent, snapshot_budget_seconds, snapshots)
        if not snapshot_steps and not default_steps and given == (None, None, None):
            found = named(book, job)
            show(found, schedule_view.schedule(found), as_json)
            return
        answer = book.change_schedule(
            job,
            snapshot_steps=snapshot_steps or (),
            default_steps=default_steps,
            snapshot_budget_percent=snapshot_budget_percent,
            snapshot_budget_seconds=snapshot_budget_seconds,
            snapshots=snapshots,
        )
    if as_json:
        print_json(as_document(answer))
    else:
        out.print(answer.message, markup=False)
        out.print(schedule_view.schedule(answer.job))


def named(book: Guessbook, identity: str) -> history_pb2.Job:
    """The job of that id; without one, the job that runs."""
    if identity:
        found = [job for job in book.jobs().jobs if job.id == identity]
        if not found:
            raise NotFound(f"there is no job {identity}", "`guessbook queue` lists them.")
    else:
        found = list(book.jobs(states=[history_pb2.JOB_STATE_ACTIVE]).jobs)
        if len(found) != 1:
            raise Rejected(f"{len(found) or 'no'} jobs are running", "Say which job: `guessbook queue` lists them.")
    return found[0]
