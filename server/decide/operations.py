"""What guarded operations are, and whether one may be done. Pure: no backup is made here and nothing is performed.

A kind says what it would change (`propose`), which events do that (`perform`) and which take it back (`undo`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from guessbook.projections import operations as operation_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import (
    BaseModelSwitched,
    Event,
    JobCancelled,
    LatestMoved,
    OperationRequested,
    VersionDeleted,
    VersionRestored,
)
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED, JOB_STATE_COMPLETED, JOB_STATE_FAILED, Version
from guessbook.proto.safety_pb2 import Operation, OperationRequest
from guessbook.server.decide.rejection import Invalid, Missing, Refused

DAY_US = 24 * 3600 * 1_000_000
OVER = (JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_CANCELLED)


@dataclass(frozen=True)
class Circumstances:
    """What a decision needs to know besides the book."""

    now_us: int
    trash_days: int
    prunable: Sequence[tuple[str, str]] = ()  # (place, backup) that the rules of keeping let go
    config_change: tuple[dict[str, Any], dict[str, Any]] | None = None  # before, after


@dataclass(frozen=True)
class Proposal:
    """`before` and `after` as the log will show them; `plan`: what happens between, a line a step."""

    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    plan: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """`backup`: the kind of the backup that is made first."""

    backup: str
    propose: Callable[[Book, OperationRequest, Circumstances], Proposal]
    perform: Callable[[Book, Operation], list[Event]]
    undo: Callable[[Book, Operation], list[Event]]


def request(book: Book, asked: OperationRequest, identity: str, circumstances: Circumstances) -> tuple[Proposal, Event]:
    """The proposal and the event that requests it. Raises Invalid, Missing, Refused."""
    kind = KINDS.get(asked.kind)
    if kind is None:
        raise Invalid(f"there is no operation {asked.kind!r}", f"There are {', '.join(KINDS)}.")
    if not asked.reason.strip() and not asked.dry_run:
        raise Invalid(f"{asked.kind} needs a reason: it is what the audit shows for ever", "Say why, with --reason.")
    for other in book.operations.under_way():
        if not asked.dry_run:
            raise Refused(
                f"operation {other.id} ({other.kind} {other.target}) is under way, and they are done one at a time",
                f"Wait until it has ended: guessbook audit {other.id}",
            )
    proposal = kind.propose(book, asked, circumstances)
    body = OperationRequested(
        kind=asked.kind,
        target=proposal.target,
        reason=asked.reason.strip(),
        before=json.dumps(proposal.before, sort_keys=True),
        after=json.dumps(proposal.after, sort_keys=True),
    )
    return proposal, Event(subject=f"{operation_fold.SUBJECT}{identity}", operation_requested=body)


def version_named(book: Book, name: str) -> Version:
    """Raises Missing."""
    found = book.versions.find(name)
    if found is None:
        raise Missing(f"there is no version {name!r}", "`guessbook versions` lists them.")
    return found


def _living(book: Book, name: str) -> Version:
    version = version_named(book, name)
    if version.deleted_at_us:
        raise Refused(f"{version.name} is in the trash", f"Take it out first: guessbook restore {version.name}")
    return version


def _next_latest(book: Book, gone: str) -> str:
    """What `latest` means once a version is gone: its nearest ancestor that is there, else the newest that is."""
    version = book.versions.get(gone)
    while version and version.parent:
        version = book.versions.get(version.parent)
        if version and not version.deleted_at_us:
            return version.name
    rest = [one.name for one in book.versions.versions if one.name != gone and not one.deleted_at_us]
    return rest[-1] if rest else ""


def _propose_delete(book: Book, asked: OperationRequest, about: Circumstances) -> Proposal:
    version = _living(book, asked.target)
    _refuse_needed(book, version)
    latest = book.versions.latest
    after = {"latest": _next_latest(book, version.name) if latest == version.name else latest}
    purge_after_us = about.now_us + about.trash_days * DAY_US
    plan = [
        f"{version.name} goes to the trash with its {len(version.files)} files and stays there for {about.trash_days} days",
        f"until then Restore on the page Versions, or `guessbook restore {version.name}`, brings it back",
    ]
    if after["latest"] != latest:
        plan.append(f"latest moves from {latest} to {after['latest'] or 'nothing'}")
    before = {"version": version.name, "files": len(version.files), "latest": latest}
    return Proposal(version.name, before, {**after, "purge_after_us": purge_after_us}, plan)


def jobs_that_need(book: Book, name: str) -> list[str]:
    """The ids of the jobs that are not over and start from a version, merge it, or train on its model."""
    needing = {name} | {version.name for version in book.versions.versions if _is_on(book, version, name)}
    unfinished = (job for job in book.jobs.jobs.values() if job.state not in OVER)
    return [job.id for job in unfinished if needing & {job.config.from_version, job.consolidate}]


def _is_on(book: Book, version: Version, name: str) -> bool:
    base = book.versions.merged_base(version)
    return base is not None and base.name == name


def _refuse_needed(book: Book, version: Version) -> None:
    """Raises Refused if other versions came from it or need it, or a job does."""
    children = [child.name for child in book.versions.dependants(version.name)]
    if children:
        raise Refused(f"{', '.join(children)} came from {version.name}", "Delete those first, or leave this one.")
    for job in jobs_that_need(book, version.name):
        raise Refused(f"job {job} needs {version.name}", "Wait until it has ended, or leave this version.")


def _perform_delete(book: Book, operation: Operation) -> list[Event]:
    """Judged anew: since it was asked for, a training may have ended, and another job been queued."""
    version = _living(book, operation.target)
    _refuse_needed(book, version)
    deleted = VersionDeleted(purge_after_us=json.loads(operation.after)["purge_after_us"])
    events = [Event(subject=f"version/{version.name}", version_deleted=deleted)]
    if book.versions.latest == version.name:
        events += _move_latest(book, _next_latest(book, version.name))
    return events


def _undo_delete(book: Book, operation: Operation) -> list[Event]:
    version = book.versions.get(operation.target)
    if version is None or not version.deleted_at_us:
        return []
    restored = [Event(subject=f"version/{version.name}", version_restored=VersionRestored())]
    was_latest = json.loads(operation.before)["latest"] == version.name
    # Unless a training has ended since: its version is the latest then.
    back = was_latest and book.versions.latest == _next_latest(book, version.name)
    return restored + (_move_latest(book, version.name) if back else [])


def _move_latest(book: Book, name: str) -> list[Event]:
    if book.versions.latest == name:
        return []
    moved = LatestMoved(**{"from": book.versions.latest, "to": name})
    return [Event(subject=f"version/{name or book.versions.latest}", latest_moved=moved)]


def _propose_rollback(book: Book, asked: OperationRequest, about: Circumstances) -> Proposal:
    version = _living(book, asked.target)
    latest = book.versions.latest
    if version.name == latest:
        raise Refused(f"{version.name} is the latest already", "Nothing was changed.")
    plan = [f"latest moves from {latest or 'nothing'} to {version.name}", "no version is removed by this"]
    return Proposal(version.name, {"latest": latest}, {"latest": version.name}, plan)


def _perform_rollback(book: Book, operation: Operation) -> list[Event]:
    return _move_latest(book, json.loads(operation.after)["latest"])


def _undo_rollback(book: Book, operation: Operation) -> list[Event]:
    if book.versions.latest != operation.target:
        return []
    return _move_latest(book, json.loads(operation.before)["latest"])


def _propose_switch(book: Book, asked: OperationRequest, about: Circumstances) -> Proposal:
    if asked.target not in book.base_models.by_name:
        known = ", ".join(book.base_models.by_name) or "none is registered"
        raise Missing(
            f"there is no base model {asked.target!r}", f"There are: {known}. `guessbook base add` registers one."
        )
    used = book.base_models.used
    if asked.target == used:
        raise Refused(f"{used} is the base model already", "Nothing was changed.")
    plan = [
        f"jobs that name no base model train {asked.target} from then on, in place of {used or 'the one the server was started with'}",
        "versions, and jobs that are queued already, keep theirs",
    ]
    return Proposal(asked.target, {"base_model": used}, {"base_model": asked.target}, plan)


def _perform_switch(book: Book, operation: Operation) -> list[Event]:
    return _switch(book, json.loads(operation.after)["base_model"])


def _undo_switch(book: Book, operation: Operation) -> list[Event]:
    return _switch(book, json.loads(operation.before)["base_model"])


def _switch(book: Book, name: str) -> list[Event]:
    used = book.base_models.used
    if used == name:
        return []
    switched = BaseModelSwitched(**{"from": used, "to": name})
    return [Event(subject=f"base-model/{name or used}", base_model_switched=switched)]


def _propose_consolidation(book: Book, asked: OperationRequest, about: Circumstances) -> Proposal:
    version = _living(book, asked.target or "latest")
    if version.HasField("consolidation"):
        raise Refused(f"{version.name} is a whole model already", "There is no adapter left to merge.")
    plan = [
        f"a trainer merges the adapter of {version.name} into {version.base_model}, in float32",
        "the merged model is compared with base and adapter on tracked examples, and with the base alone",
        "if the proof holds it becomes a new version, and the latest; the adapter stays a version of its own",
    ]
    before = {"version": version.name, "latest": book.versions.latest}
    return Proposal(version.name, before, {"merged": version.name}, plan)


def _undo_consolidation(book: Book, operation: Operation) -> list[Event]:
    """No trainer may merge for it any more."""
    job = book.jobs.jobs.get(book.operations.by_id[operation.id].job)
    if job is None or job.state in OVER:
        return []
    return [Event(subject=f"job/{job.id}", job_cancelled=JobCancelled())]


def _propose_config(book: Book, asked: OperationRequest, about: Circumstances) -> Proposal:
    if about.config_change is None:
        raise Invalid("no new config was given", "Give it as a file: guessbook config set FILE")
    before, after = about.config_change
    changed = [key for key in after if after[key] != before.get(key)]
    if not changed:
        raise Refused("the config is that already", "Nothing was changed.")
    plan = [f"{key}: {json.dumps(before.get(key))} becomes {json.dumps(after[key])}" for key in changed]
    return Proposal("config.yaml", before, after, plan)


def _propose_prune(book: Book, asked: OperationRequest, about: Circumstances) -> Proposal:
    chosen = [[place, backup] for place, backup in about.prunable]
    if not chosen:
        raise Refused("no backup is older than the rules keep", "Nothing was removed.")
    plan = [f"{backup} is removed from {place}" for place, backup in chosen]
    plan.append("files that another backup at the same place needs stay")
    return Proposal(asked.target or "backups", {"prune": chosen}, {"pruned": chosen}, plan)


def _nothing(book: Book, operation: Operation) -> list[Event]:
    return []


KINDS: dict[str, Kind] = {
    "delete-version": Kind("pre_deletion", _propose_delete, _perform_delete, _undo_delete),
    "rollback": Kind("pre_rollback", _propose_rollback, _perform_rollback, _undo_rollback),
    "consolidate": Kind("pre_consolidation", _propose_consolidation, _nothing, _undo_consolidation),
    "switch-base-model": Kind("pre_base_model_switch", _propose_switch, _perform_switch, _undo_switch),
    "change-config": Kind("pre_config_change", _propose_config, _nothing, _nothing),
    "prune-backups": Kind("pre_prune", _propose_prune, _nothing, _nothing),
}
