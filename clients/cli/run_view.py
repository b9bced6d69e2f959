"""Runs in tables. Pure: messages in, renderables out."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients import cautions
from guessbook.clients.cli import wording
from guessbook.clients.cli.listing import listing
from guessbook.projections import names
from guessbook.proto import history_pb2


def table(answer: history_pb2.ListRunsResponse) -> RenderableType:
    if not answer.runs:
        return Text("No run has started yet. `guessbook queue` shows what waits; a run starts when a trainer takes it.")
    view = listing()
    view.add_column("run", no_wrap=True)
    view.add_column("name", ratio=1, overflow="ellipsis", no_wrap=True)
    view.add_column("state", no_wrap=True)
    view.add_column("step", justify="right", no_wrap=True)
    view.add_column("loss", justify="right", no_wrap=True)
    view.add_column("right", justify="right", no_wrap=True)
    for run in answer.runs:
        complete = [snapshot for snapshot in run.snapshots if snapshot.complete]
        view.add_row(
            Text(run.id),
            Text(wording.one_line(run.name)),
            names.job_state(run.state),
            f"{run.step}/{run.total_steps}",
            wording.loss(run.loss) if run.step else "–",
            f"{complete[-1].correct}/{complete[-1].examples}" if complete else "–",
        )
    warnings = [Text(f"{run.id}: {caution}", style="yellow") for run in answer.runs if (caution := cautions.cut(run))]
    return Group(view, *warnings)
