"""A job's snapshots as a person reads them: when, of what, and how long they may take. Pure: a message in, a renderable out."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.proto import events_pb2, history_pb2

DEFAULT_STEPS = "10, 25, 50, 100, 250, 500, 1000, 2500, 5000 and every 5000"
STEPS_SHOWN = 20


def schedule(job: history_pb2.Job) -> RenderableType:
    view = Table.grid(padding=(0, 2))
    view.add_column(style="bright_black", no_wrap=True)
    view.add_column()
    for name, value in (
        ("job", f"{wording.one_line(job.name)} ({job.id})"),
        ("snapshots", _when(job.config)),
        ("tracked", _tracked(job.config)),
        ("right", wording.one_line(job.config.scorer) or "match"),
        ("budget", _budget(job.config)),
    ):
        view.add_row(name, Text(value))
    return view


def _when(config: events_pb2.TrainingConfig) -> str:
    if not config.snapshots:
        return "none"
    given = [str(step) for step in config.snapshot_steps[:STEPS_SHOWN]]
    more = [f"and {len(config.snapshot_steps) - STEPS_SHOWN} more"] if len(config.snapshot_steps) > STEPS_SHOWN else []
    return f"steps 0, {', '.join(given + more) or DEFAULT_STEPS}, and the end"


def _tracked(config: events_pb2.TrainingConfig) -> str:
    parts = [f"a sample of {config.tracked_examples}"] if config.tracked_examples else []
    if config.tracked_ids:
        parts.append(f"{len(config.tracked_ids)} by id")
    held_out = " and the held-out file" if config.held_out else ""
    return (" and ".join(parts) or "all examples") + held_out


def _budget(config: events_pb2.TrainingConfig) -> str:
    parts = []
    if config.snapshot_budget_percent:
        parts.append(f"{config.snapshot_budget_percent:g} % of the training time")
    if config.snapshot_budget_seconds:
        parts.append(f"{wording.duration(config.snapshot_budget_seconds)} for the run")
    return " and ".join(parts) or "as long as they take"
