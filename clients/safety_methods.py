"""What both clients can do about versions, backups and whatever is destructive, each method written once. Knows the wire."""

from typing import Any

from guessbook.clients.methods import Call, remote
from guessbook.clients.question_methods import QuestionMethods
from guessbook.proto import history_pb2, safety_pb2
from guessbook.proto.safety_pb2_grpc import SafetyStub

BACKUP_DEADLINE_S = 24 * 3600.0  # a first backup to another continent takes long


class SafetyMethods(QuestionMethods):
    """Commands need the role admin. Whatever destroys is a guarded operation: backup, verify, perform, check, or undo."""

    def _use(self, channel: Any) -> None:
        super()._use(channel)
        self._safety = SafetyStub(channel)

    # ---- guarded operations ----

    @remote
    def request_operation(
        self, kind: str, target: str = "", *, reason: str, argument: str = "", dry_run: bool = False
    ) -> Call[safety_pb2.OperationResponse]:
        """Sets a guarded operation going; with `dry_run` only says what would happen. `operations` tells how it goes on.

        `kind`: delete-version, rollback, consolidate, switch-base-model, change-config or prune-backups.
        """
        request = safety_pb2.OperationRequest(
            kind=kind, target=target, reason=reason, argument=argument, dry_run=dry_run
        )
        return Call(self._safety.RequestOperation, request)

    @remote
    def abort_operation(self, id: str, *, reason: str) -> Call[safety_pb2.OperationResponse]:
        """Ends an operation that waits for a trainer; what it is about stays as it was."""
        return Call(self._safety.AbortOperation, safety_pb2.AbortOperationRequest(id=id, reason=reason))

    @remote
    def operations(
        self, at: history_pb2.At | None = None, *, since_us: int = 0, actor: str = "", id: str = ""
    ) -> Call[safety_pb2.ListOperationsResponse]:
        """The audit: every destructive operation with who, when, why, what before, what after and which backup; newest first."""
        request = safety_pb2.ListOperationsRequest(at=at, since_us=since_us, actor=actor, id=id)
        return Call(self._safety.ListOperations, request)

    # ---- versions and base models ----

    @remote
    def restore_version(self, version: str) -> Call[safety_pb2.VersionResponse]:
        """Takes a deleted version out of the trash."""
        return Call(self._safety.RestoreVersion, safety_pb2.VersionCommand(version=version))

    @remote
    def note_version(self, version: str, text: str) -> Call[safety_pb2.VersionResponse]:
        """Writes a note on a version, in place of the one before."""
        return Call(self._safety.NoteVersion, safety_pb2.NoteVersionRequest(version=version, text=text))

    @remote
    def add_base_model(self, name: str, source: str, revision: str = "") -> Call[safety_pb2.AddBaseModelResponse]:
        """Registers a base model: a hub id, or a whole path on the server's machine, whose files are hashed."""
        request = safety_pb2.AddBaseModelRequest(name=name, source=source, revision=revision)
        return Call(self._safety.AddBaseModel, request, BACKUP_DEADLINE_S)

    @remote
    def base_models(self, at: history_pb2.At | None = None) -> Call[safety_pb2.ListBaseModelsResponse]:
        """The registered base models; the one that jobs train which name none is marked."""
        return Call(self._safety.ListBaseModels, safety_pb2.ListBaseModelsRequest(at=at))

    # ---- backups ----

    @remote
    def create_backup(self, place: str = "", kind: str = "") -> Call[safety_pb2.BackupResponse]:
        """A backup at a place of config.yaml, or at every one; it was read back when this answers."""
        request = safety_pb2.CreateBackupRequest(kind=kind, place=place)
        return Call(self._safety.CreateBackup, request, BACKUP_DEADLINE_S)

    @remote
    def verify_backup(self, id: str = "latest", place: str = "") -> Call[safety_pb2.BackupResponse]:
        """Reads a backup back, wherever it is."""
        return Call(self._safety.VerifyBackup, safety_pb2.BackupCommand(id=id, place=place), BACKUP_DEADLINE_S)

    @remote
    def drill_backup(self, id: str = "latest", place: str = "") -> Call[safety_pb2.BackupResponse]:
        """Restores a backup into a folder for the time being, and checks everything in it."""
        return Call(self._safety.DrillBackup, safety_pb2.BackupCommand(id=id, place=place), BACKUP_DEADLINE_S)

    @remote
    def backups(
        self, at: history_pb2.At | None = None, *, pruned: bool = False
    ) -> Call[safety_pb2.ListBackupsResponse]:
        """All backups, newest first, where they can be, and how much of 3-2-1 is met."""
        return Call(self._safety.ListBackups, safety_pb2.ListBackupsRequest(at=at, pruned=pruned))

    @remote
    def config(self) -> Call[safety_pb2.Config]:
        """config.yaml, with what is secret left out."""
        return Call(self._safety.GetConfig, safety_pb2.GetConfigRequest())
