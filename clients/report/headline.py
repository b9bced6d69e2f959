"""How a run went, in a few sentences. Pure: messages in, words out."""

from guessbook.clients.dashboard import numbers
from guessbook.clients.report.material import Material
from guessbook.proto.history_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    Run,
    Snapshot,
)


def title(material: Material) -> str:
    """What there is to say in one line."""
    run, snapshots = material.run, material.snapshots
    name = run.name or run.id
    if not snapshots:
        return f"{name}: {run.step:,} of {run.total_steps:,} steps"
    first, last = snapshots[0], snapshots[-1]
    now = f"{name}: {last.correct:,} of {last.examples:,} right"
    return now if len(snapshots) == 1 else f"{now}, from {first.correct:,}"


def story(material: Material) -> list[str]:
    """What was trained, on what, and how it went, a sentence each."""
    run, snapshots = material.run, material.snapshots
    said = [_training(run), *([_state(run)] if _state(run) else [])]
    if len(snapshots) > 1:
        said += [_rights(snapshots), *([_forgotten(material)] if _forgotten(material) else [])]
    if run.step:
        said.append(f"The training loss went from {numbers.loss(run.first_loss)} to {numbers.loss(run.loss)}.")
    held_out = [snapshot for snapshot in snapshots if snapshot.held_out]
    if len(held_out) > 1:
        said.append(_held_out(held_out))
    return said


def _training(run: Run) -> str:
    epochs = f"{run.epoch:.1f} epochs, " if run.epoch else ""
    seconds = max(run.last_event_at_us - run.started_at_us, 0) / 1e6
    where = f" on {run.device}" if run.device else ""
    model = run.base_model.rpartition("/")[2] or "The model"
    return (
        f"{model} was trained on {run.examples:,} {'example' if run.examples == 1 else 'examples'} for {run.step:,} of {run.total_steps:,} steps "
        f"({epochs}{numbers.duration(seconds)}){where}."
    )


def _state(run: Run) -> str:
    """What a finished run need not say."""
    if run.state == JOB_STATE_FAILED:
        return "It failed before its end."
    if run.state == JOB_STATE_CANCELLED:
        return "It was cancelled before its end."
    if run.state == JOB_STATE_PAUSED:
        return "It is paused."
    if run.state == JOB_STATE_INTERRUPTED:
        return "It was interrupted: its trainer was lost."
    if run.state != JOB_STATE_COMPLETED and run.step < run.total_steps:
        return "It was still going on at this point."
    return ""


def _rights(snapshots: list[Snapshot]) -> str:
    first, last = snapshots[0], snapshots[-1]
    before = (
        f"Before training {first.correct:,} of {first.examples:,} guesses were right"
        if first.step == 0
        else f"At step {first.step:,} {first.correct:,}"
    )
    best = max(snapshots, key=lambda one: (one.correct, -one.step))
    said = f"{before}; at step {last.step:,}, {last.correct:,} of {last.examples:,} ({numbers.share(last.correct, last.examples)})."
    if best.correct > last.correct and best is not first:
        said += f" Most were right at step {best.step:,}: {best.correct:,}."
    return said


def _forgotten(material: Material) -> str:
    lost = [example for example in material.examples if example.forgetting_events]
    if not lost or material.part:
        return ""
    wrong = sum(1 for example in lost if not example.latest.correct)
    of = f" of {len(material.examples):,} looked at here" if material.sampled else ""
    now = f"{wrong:,} of them {'is' if wrong == 1 else 'are'} wrong now"
    if wrong in (0, len(lost)):
        now = f"{'it is' if wrong == 1 else 'all are'} wrong now" if wrong else "none of them is wrong now"
    return f"{len(lost):,}{of} {'was' if len(lost) == 1 else 'were'} forgotten on the way; {now}."


def _held_out(snapshots: list[Snapshot]) -> str:
    first, last = snapshots[0], snapshots[-1]
    return (
        f"Of {last.held_out:,} held-out examples {last.held_out_correct:,} are right, from {first.held_out_correct:,}; "
        f"their loss went from {numbers.loss(first.held_out_loss)} to {numbers.loss(last.held_out_loss)}."
    )
