"""What there is to say of a run, or of the job that waits to become one, in the terms of the page. Pure."""

from typing import Any

from guessbook.clients import cautions
from guessbook.clients.dashboard import commands, numbers, role
from guessbook.clients.dashboard.view import View
from guessbook.clients.visible import visible
from guessbook.projections.names import job_state, priority
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, JOB_STATE_QUEUED, Job, Run, Status


def describe(view: View, status: Status, run: Run | None, jobs: list[Job]) -> dict[str, Any]:
    """What the browser needs to show of a run, or of the job that waits to become one."""
    job = next((job for job in jobs if run is not None and job.id == run.job), None)
    if run is None and jobs:
        job = jobs[0]
    shown: dict[str, Any] = {
        "at": view.at,
        "position": status.position,
        "empty": job is None and run is None,
        "run": "",
        "job": job.id if job else "",
        "name": visible(job.name if job else run.name if run else ""),
        "state": job_state(job.state) if job else job_state(run.state) if run else "",
        "pending": job.pending if job else "",
        "held": bool(job and job.held),
        "about": about(job) if job else "",
        "note": note(status, job, run),
        "commands": commands.possible(job) if job and view.at is None and role.may_steer() else [],
    }
    if run is not None:
        shown |= _run_numbers(run)
    return shown


def _run_numbers(run: Run) -> dict[str, Any]:
    complete = [snapshot for snapshot in run.snapshots if snapshot.complete]
    last = complete[-1] if complete else None
    facts = (
        (run.base_model or run.config.base_model).rpartition("/")[2],
        f"{numbers.count(run.examples)} examples, {numbers.count(run.tracked)} tracked",
        f"batch {run.config.per_device_train_batch_size}" if run.config.per_device_train_batch_size else "",
        run.device,
        f"{numbers.count(run.trainable_parameters)} trained of {numbers.count(run.parameters)} parameters"
        if run.parameters
        else "",
        f"version {run.version}" if run.version else "",
    )
    return {
        "run": run.id,
        "run_position": run.position,
        "step": run.step,
        "total": run.total_steps,
        "loss": run.loss,
        "learning_rate": run.learning_rate,
        "tokens_per_second": run.tokens_per_second,
        "epoch": run.epoch,
        "eta": numbers.duration(run.eta_seconds) if run.eta_seconds else "",
        "accuracy": f"{numbers.share(last.correct, last.examples)} at step {numbers.count(last.step)}" if last else "–",
        "trend": run.trend,
        "facts": " · ".join(fact for fact in facts if fact),
    }


def about(job: Job) -> str:
    """How urgent it is, and who has it."""
    on = f" · on {job.trainer}" if job.state == JOB_STATE_ACTIVE and job.trainer else ""
    return f"{priority(job.priority)} priority{on}"


def note(status: Status, job: Job | None, run: Run | None) -> str:
    """One sentence on what is unusual about the job, if anything is."""
    trained = any(trainer.connected for trainer in status.trainers)
    if job and job.error:
        return visible(f"{job.error} {job.hint}".strip())
    if job and job.pending:
        return f"{job.pending.capitalize()} was asked for; the trainer answers at its next step."
    if job and job.state == JOB_STATE_QUEUED and job.held:
        return "Stopped: it waits until another job had its turn, or for Resume."
    if job and job.state != JOB_STATE_ACTIVE and status.queued + status.interrupted and not trained:
        return "No trainer is connected. Start one with: guessbook trainer"
    return f"{cautions.cut(run)} {run.snapshot_warning}".strip() if run else ""
