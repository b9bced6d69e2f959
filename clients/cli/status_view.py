"""The state of everything on one screen. Pure: messages in, renderables out."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients import cautions
from guessbook.clients.cli import queue_view, wording
from guessbook.proto import history_pb2
from guessbook.proto.safety_pb2 import Coverage

COUNTS = ("queued", "paused", "interrupted", "completed", "failed", "cancelled")
TRENDS = {"learning": "learning ↑", "steady": "steady →", "worse": "worse ↓"}


def status(answer: history_pb2.Status, coverage: Coverage | None = None) -> RenderableType:
    lines: list[Text] = []
    if answer.past:
        when = wording.moment(answer.recorded_at_us)
        lines.append(
            Text(f"As of position {answer.position}, {when} (the log is at {answer.head} now)", style="yellow")
        )
    lines += queue_view.switched(answer.queue, answer.queue_reason)
    if answer.HasField("run"):
        lines += _current(answer)
    elif answer.HasField("active"):
        lines.append(Text(f"▶ {wording.one_line(answer.active.name)}: about to start"))
    elif not any(getattr(answer, count) for count in COUNTS):
        lines.append(Text(queue_view.EMPTY))
    lines += [_also_active(job) for job in answer.active_jobs if job.id != answer.active.id]
    counts = COUNTS if answer.cancelled else COUNTS[:-1]
    lines.append(Text("Jobs     " + " · ".join(f"{getattr(answer, count)} {count}" for count in counts)))
    lines += [_trainer(trainer) for trainer in answer.trainers] or [Text("Trainer  none was ever connected")]
    log = f"Log      position {answer.position} · {wording.size(answer.log_bytes)}"
    lines.append(Text(f"{log} · {wording.size(answer.disk_free_bytes)} free · {answer.home}"))
    if coverage:
        lines.append(Text(f"Copies   {coverage.sentence}", style="" if coverage.met else "yellow"))
        if coverage.advice:
            lines.append(Text(f"         {coverage.advice}"))
    return Group(*lines)


def run_lines(run: history_pb2.Run) -> list[Text]:
    """Progress, loss and states of a run, in two or three lines."""
    done = 100 * run.step // run.total_steps if run.total_steps else 0  # rounded down: 100 % is the end
    progress = f"  step {run.step}/{run.total_steps} ({done} %)"
    if run.eta_seconds:
        progress += f" · {wording.duration(run.eta_seconds)} to go"
    if run.seconds_per_step:
        progress += f" · {run.seconds_per_step:.1f} s a step"
    lines = [Text(progress)]
    facts = [f"loss {wording.loss(run.loss)}"] if run.step else []
    complete = [snapshot for snapshot in run.snapshots if snapshot.complete]
    if complete:
        last = complete[-1]
        facts.append(f"right {last.correct} of {last.examples} at step {last.step}")
    if run.trend:
        facts.append(TRENDS.get(run.trend, run.trend))
    if facts:
        lines.append(Text("  " + " · ".join(facts)))
    states = wording.state_counts(run.states)
    if states:
        lines.append(Text("  ") + states)
    if caution := cautions.cut(run):
        lines.append(Text(f"  {caution}", style="yellow"))
    if run.snapshot_warning:
        lines.append(Text(f"  {wording.one_line(run.snapshot_warning)}", style="yellow"))
    return lines


def _current(answer: history_pb2.Status) -> list[Text]:
    run = answer.run
    active = answer.HasField("active") and answer.active.run == run.id
    head = Text("▶ " if active else "Last run: ", style="bold green" if active else "bold")
    head.append(wording.one_line(run.name), style="bold")
    head.append(f" · run {run.id}")
    if active and answer.active.pending:
        head.append(f" · {answer.active.pending} asked", style="yellow")
    if run.version:
        head.append(f" · {run.version}", style="green")
    return [head, *run_lines(run)]


def _also_active(job: history_pb2.Job) -> Text:
    head = Text("▶ ", style="bold green") + Text(wording.one_line(job.name), style="bold")
    head.append(f" · run {job.run} on {job.trainer}")
    if job.pending:
        head.append(f" · {job.pending} asked", style="yellow")
    return head


def _trainer(trainer: history_pb2.Trainer) -> Text:
    state = "connected" if trainer.connected else "not connected"
    text = Text("Trainer  ") + Text(trainer.id, style="green" if trainer.connected else "yellow")
    return text + Text(f" {state}" + (f" · {trainer.device}" if trainer.device else ""))
