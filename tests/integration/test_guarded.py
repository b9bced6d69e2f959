"""Guarded operations on a real server: backup, verify, perform, check, or undo; each stage in the audit."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_versions import ScriptedTrainer
from operations import ENDS, carried_out
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid, NotFound, Rejected
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_COMPLETED,
    OPERATION_STAGE_REFUSED,
    OPERATION_STAGE_UNDONE,
    Operation,
)

STAGES = ["operation_requested", "operation_backed_up", "operation_performed", "operation_completed"]


@pytest.fixture
def trainer(server: ServerProcess, tmp_path: Path) -> Iterator[ScriptedTrainer]:
    made = ScriptedTrainer(server, tmp_path)
    yield made
    made.close()


def bodies(book: Guessbook, operation: Operation) -> list[Event]:
    return list(book.read(subjects=[f"operation/{operation.id}"]))


def latest(server: ServerProcess) -> str:
    return os.readlink(server.home.versions / "latest")


def test_a_version_goes_to_the_trash_and_comes_back(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    one, two = trainer.version(book, "one"), trainer.version(book, "two")
    done = carried_out(book, "delete-version", "v2", reason="the wrong file")
    assert done.stage == OPERATION_STAGE_COMPLETED
    assert [event.WhichOneof("body") for event in bodies(book, done)] == STAGES
    assert (done.actor, done.reason, done.target) == ("admin", "the wrong file", two)
    assert json.loads(done.before)["latest"] == two
    assert json.loads(done.after)["latest"] == one
    assert [version.name for version in book.versions().versions] == [one]
    assert latest(server) == one
    assert not (server.home.versions / two).exists()
    (backup,) = [backup for backup in book.backups().backups if backup.id == done.backup]
    assert backup.sound
    assert (backup.kind, backup.operation) == ("pre_deletion", done.id)
    with pytest.raises(Rejected, match="in the trash"):
        book.request_operation("rollback", two, reason="no")
    book.restore_version(two)
    assert [version.name for version in book.versions().versions] == [two, one]
    assert book.restore_version(two).message.endswith("nothing was changed.")


def test_rollback_moves_latest_and_removes_nothing(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    one, two = trainer.version(book, "one"), trainer.version(book, "two")
    assert carried_out(book, "rollback", "v001").stage == OPERATION_STAGE_COMPLETED
    assert latest(server) == one
    assert {version.name: version.latest for version in book.versions().versions} == {one: True, two: False}
    told = json.loads((server.home.versions / one / "metadata.json").read_text())
    assert told == json.loads(book.versions().versions[1].metadata)


def test_a_dry_run_changes_nothing(book: Guessbook, trainer: ScriptedTrainer) -> None:
    trainer.version(book, "one")
    head = book.head().position
    plan = book.request_operation("delete-version", "v1", reason="", dry_run=True).plan
    assert any("trash" in line for line in plan)
    assert any("backup" in line for line in plan)
    assert book.head().position == head


@pytest.mark.parametrize(
    ("kind", "target", "reason", "error", "told"),
    [
        ("delete-version", "v9", "x", NotFound, "no version"),
        ("delete-version", "v1", " ", Invalid, "needs a reason"),
        ("rollback", "v1", "x", Rejected, "the latest already"),
        ("explode", "", "x", Invalid, "there is no operation"),
        ("switch-base-model", "nothing", "x", NotFound, "no base model"),
        ("prune-backups", "", "x", Rejected, "no backup is older"),
        ("change-config", "", "x", Rejected, "that already"),
    ],
)
def test_what_can_not_be_is_refused_before_anything(
    book: Guessbook,
    trainer: ScriptedTrainer,
    kind: str,
    target: str,
    reason: str,
    error: type[GuessbookError],
    told: str,
) -> None:
    trainer.version(book, "one")
    head = book.head().position
    with pytest.raises(error, match=told):
        book.request_operation(kind, target, reason=reason)
    assert book.head().position == head


def test_a_version_with_descendants_stays(book: Guessbook, trainer: ScriptedTrainer) -> None:
    one = trainer.version(book, "one")
    trainer.version(book, "two", parent=one)
    with pytest.raises(Rejected, match="came from"):
        book.request_operation("delete-version", one, reason="x")


def test_no_backup_no_operation(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    trainer.version(book, "one")
    two = trainer.version(book, "two")
    disk = tmp_path / "disk"
    disk.mkdir()
    config = f"backup: {{places: [{{name: disk, url: {disk}, offsite: true}}]}}"
    assert carried_out(book, "change-config", argument=config).stage == OPERATION_STAGE_COMPLETED
    shutil.rmtree(disk)
    refused = carried_out(book, "delete-version", two)
    assert refused.stage == OPERATION_STAGE_REFUSED
    assert "disk" in refused.error
    assert "Nothing was changed" in refused.hint
    assert next(version.name for version in book.versions().versions) == two
    disk.mkdir()
    assert carried_out(book, "delete-version", two).stage == OPERATION_STAGE_COMPLETED
    assert book.backups().coverage.met


def test_a_flipped_bit_in_the_copy_stops_it(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer) -> None:
    trainer.version(book, "one")
    two = trainer.version(book, "two")
    assert not book.create_backup().problems
    sha256 = book.versions().versions[0].dataset
    victim = server.home.backups / "objects" / sha256[:2] / sha256
    damaged = bytearray(victim.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    victim.write_bytes(damaged)
    refused = carried_out(book, "delete-version", two)
    assert refused.stage == OPERATION_STAGE_REFUSED
    assert victim.name in refused.error
    assert next(version.name for version in book.versions().versions) == two
    victim.unlink()
    assert carried_out(book, "delete-version", two).stage == OPERATION_STAGE_COMPLETED


def test_an_operation_whose_check_fails_is_undone(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    one, two = trainer.version(book, "one"), trainer.version(book, "two")
    version = next(version for version in book.versions().versions if version.name == one)
    assert not book.create_backup().problems  # so that the artifact's damage does not stop the backup
    weights = server.home.artifacts / version.files[0].sha256[:2] / version.files[0].sha256
    weights.write_bytes(b"\0" * weights.stat().st_size)
    undone = carried_out(book, "rollback", one)
    assert undone.stage == OPERATION_STAGE_UNDONE
    assert "not whole" in undone.error
    assert latest(server) == two
    assert next(version for version in book.versions().versions if version.latest).name == two


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_rollback_whose_link_or_folder_is_wrong_is_undone(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, what: str
) -> None:
    one, two = trainer.version(book, "one"), trainer.version(book, "two")
    link = server.home.versions / "latest"
    if what == "link":  # what nobody can rename a link over
        link.unlink()
        link.mkdir()
    else:
        (server.home.versions / one / "adapter_model.safetensors").write_bytes(b"something else")
    undone = carried_out(book, "rollback", one)
    assert undone.stage == OPERATION_STAGE_UNDONE
    assert f"{link} is no link" in undone.error if what == "link" else "is not the file of v001" in undone.error
    assert next(version.name for version in book.versions().versions if version.latest) == two
    if what == "link":
        link.rmdir()
    else:
        shutil.rmtree(server.home.versions / one)
    assert carried_out(book, "rollback", one).stage == OPERATION_STAGE_COMPLETED
    assert latest(server) == one


def test_a_version_that_can_not_be_moved_to_the_trash_is_not_deleted(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    trainer.version(book, "one")
    two = trainer.version(book, "two")
    server.home.trash.write_text("a file in the place of the folder")
    undone = carried_out(book, "delete-version", two)
    assert undone.stage == OPERATION_STAGE_UNDONE
    assert "could not be moved to" in undone.error
    assert latest(server) == two
    server.home.trash.unlink()
    assert carried_out(book, "delete-version", two).stage == OPERATION_STAGE_COMPLETED


def test_a_base_model_is_registered_switched_and_checked(
    book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    assert book.add_base_model("mine", str(model)).base_model.files[0].bytes == 7
    assert "already" in book.add_base_model("mine", str(model)).message
    assert carried_out(book, "switch-base-model", "mine").stage == OPERATION_STAGE_COMPLETED
    assert [(one.name, one.used) for one in book.base_models().base_models] == [("mine", True)]
    (model / "model.safetensors").write_bytes(b"other")
    with pytest.raises(Rejected, match="another model"):
        book.add_base_model("mine", str(model))
    book.add_base_model("new", str(model))
    (model / "model.safetensors").unlink()
    undone = carried_out(book, "switch-base-model", "new")
    assert undone.stage == OPERATION_STAGE_UNDONE
    assert [one.name for one in book.base_models().base_models if one.used] == ["mine"]


def test_only_an_admin_may(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer) -> None:
    trainer.version(book, "one")
    with Guessbook(server.address, server.home.token("operator")) as operator:
        with pytest.raises(GuessbookError, match="may not"):
            operator.request_operation("delete-version", "v1", reason="x")
        assert operator.note_version("v1", "seen").version.notes == "seen"


def test_old_backups_are_pruned_and_what_others_need_stays(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    """All are of one day, so the newest one stays, and a weekly and a monthly one are the same."""
    for name in ("one", "two", "three"):
        trainer.version(book, name)
        assert not book.create_backup().problems
    before = book.backups().backups
    done = carried_out(book, "prune-backups")
    assert done.stage == OPERATION_STAGE_COMPLETED
    left = book.backups().backups
    assert [backup.id for backup in left] == [done.backup, before[0].id]
    for backup in left:
        assert book.verify_backup(backup.id).backups[0].sound
    assert book.drill_backup().backups[0].drilled_at_us
    assert len(book.backups(pruned=True).backups) == 4


def test_what_came_meanwhile_is_not_undone(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer) -> None:
    """A training ends between the request and the commit that deletes: its version stays the latest, and keeps its parent."""
    one = trainer.version(book, "one")
    two = trainer.version(book, "two")
    asked = book.request_operation("delete-version", two, reason="x").operation
    three = trainer.version(book, "three", parent=one)
    for answer in book.subscribe(asked.position, [f"operation/{asked.id}"]):
        if any(event.WhichOneof("body") in ENDS for event in answer.events):
            break
    assert book.operations(id=asked.id).operations[0].stage == OPERATION_STAGE_COMPLETED
    assert next(version.name for version in book.versions().versions if version.latest) == three
    with pytest.raises(Rejected, match="came from"):
        book.request_operation("delete-version", one, reason="x")


def test_a_broken_config_is_mended_by_hand_and_stops_nothing_else(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    trainer.version(book, "one")
    server.home.config.write_bytes(b"\xff\xfe")
    with pytest.raises(Rejected, match="not UTF-8"):
        book.request_operation("rollback", "v1", reason="x")
    assert book.status().completed == 1
    server.home.config.write_text("trash_days: 1\n")
    with pytest.raises(Rejected, match="the latest already"):
        book.request_operation("rollback", "v1", reason="x")


def test_a_consolidation_that_no_trainer_takes_is_ended_and_holds_up_nothing(
    book: Guessbook, trainer: ScriptedTrainer
) -> None:
    trainer.version(book, "one")
    two = trainer.version(book, "two")
    asked = book.request_operation("consolidate", "latest", reason="x").operation
    with pytest.raises(Rejected, match="is under way"):
        book.request_operation("delete-version", two, reason="x")
    for answer in book.subscribe(asked.position, ["job/"]):
        if any(event.job_queued.consolidate for event in answer.events):
            break
    with pytest.raises(Invalid, match="reason"):
        book.abort_operation(asked.id, reason="")
    ended = book.abort_operation(asked.id, reason="no trainer").operation
    assert ended.stage == OPERATION_STAGE_UNDONE
    assert "no trainer" in ended.error
    job = next(job for job in book.jobs().jobs if job.consolidate)
    assert job.state == JOB_STATE_CANCELLED
    assert not book.lease(trainer.name, trainer.epoch).HasField("job")
    assert carried_out(book, "delete-version", two).stage == OPERATION_STAGE_COMPLETED
    with pytest.raises(Rejected, match="doesn't wait"):
        book.abort_operation(asked.id, reason="again")
