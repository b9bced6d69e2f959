"""The Safety service: guarded operations, versions, base models, backups. Translates and delegates."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from guessbook.projections import base_models
from guessbook.projections.backups import coverage
from guessbook.proto import safety_pb2
from guessbook.proto.events_pb2 import BaseModelRegistered, Event, File
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2_grpc import SafetyServicer
from guessbook.server.backups import Backups
from guessbook.server.context import Context, actor_of
from guessbook.server.decide import operations, versions
from guessbook.server.decide.rejection import Invalid
from guessbook.server.decide.retention import prunable
from guessbook.server.guarded import Guarded
from guessbook.server.guarded_works import ChangedConfig
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store import config as config_file
from guessbook.store.artifacts import file_sha256
from guessbook.store.home import Home


class SafetyService(SafetyServicer):
    def __init__(self, live: LiveBook, home: Home, guarded: Guarded, backups: Backups, config: ChangedConfig) -> None:
        self._live = live
        self._home = home
        self._guarded = guarded
        self._backups = backups
        self._config = config

    async def RequestOperation(
        self, request: safety_pb2.OperationRequest, context: Context
    ) -> safety_pb2.OperationResponse:
        about = await asyncio.to_thread(self._circumstances, request)
        operation, plan = await self._guarded.request(actor_of(context), request, about)
        return safety_pb2.OperationResponse(operation=operation, plan=plan)

    def _circumstances(self, request: safety_pb2.OperationRequest) -> operations.Circumstances:
        config, text = config_file.read(self._home.config)
        change = None
        if request.kind == "change-config":
            change = _change(text, request.argument)
            if not request.dry_run:
                self._config.propose(request.argument)
        places = [place.name for place in self._backups.places()]
        chosen = prunable(self._live.book, config.backup.keep, config.backup.zone, places)
        return operations.Circumstances(
            now_us=now_us(), trash_days=config.trash_days, prunable=chosen, config_change=change
        )

    async def AbortOperation(
        self, request: safety_pb2.AbortOperationRequest, context: Context
    ) -> safety_pb2.OperationResponse:
        ended = await self._guarded.abort(request.id, actor_of(context), request.reason)
        return safety_pb2.OperationResponse(operation=ended)

    async def RestoreVersion(self, request: safety_pb2.VersionCommand, context: Context) -> safety_pb2.VersionResponse:
        return await self._version(context, request.version, lambda book: versions.restore(book, request.version))

    async def NoteVersion(self, request: safety_pb2.NoteVersionRequest, context: Context) -> safety_pb2.VersionResponse:
        return await self._version(
            context, request.version, lambda book: versions.note(book, request.version, request.text)
        )

    async def _version(self, context: Context, name: str, decide: versions.Decide) -> safety_pb2.VersionResponse:
        decision, receipt = await self._live.decide(actor_of(context), decide)
        return safety_pb2.VersionResponse(
            version=self._live.book.versions.find(name) or Version(),
            message=decision.message,
            position=receipt.first_position if receipt else 0,
        )

    async def AddBaseModel(
        self, request: safety_pb2.AddBaseModelRequest, context: Context
    ) -> safety_pb2.AddBaseModelResponse:
        files = await asyncio.to_thread(_hashed, request.source)
        body = BaseModelRegistered(source=request.source, revision=request.revision, files=files)
        event = Event(subject=f"base-model/{request.name}", base_model_registered=body)
        decision, _ = await self._live.decide(
            actor_of(context), lambda book: versions.register_base_model(book, request.name, event)
        )
        return safety_pb2.AddBaseModelResponse(
            base_model=self._live.book.base_models.by_name[request.name], message=decision.message
        )

    async def CreateBackup(
        self, request: safety_pb2.CreateBackupRequest, context: Context
    ) -> safety_pb2.BackupResponse:
        return await self._backups.create(actor_of(context), request.kind or "manual", request.place)

    async def VerifyBackup(self, request: safety_pb2.BackupCommand, context: Context) -> safety_pb2.BackupResponse:
        return await self._backups.verify(actor_of(context), request.id, request.place)

    async def DrillBackup(self, request: safety_pb2.BackupCommand, context: Context) -> safety_pb2.BackupResponse:
        return await self._backups.drill(actor_of(context), request.id, request.place)

    async def ListOperations(
        self, request: safety_pb2.ListOperationsRequest, context: Context
    ) -> safety_pb2.ListOperationsResponse:
        book = await self._live.at(request.at)
        listed = [
            operation
            for operation in reversed(book.operations.by_id.values())
            if operation.requested_at_us >= request.since_us
            and request.actor in ("", operation.actor)
            and request.id in ("", operation.id)
        ]
        return safety_pb2.ListOperationsResponse(operations=listed, position=book.position)

    async def ListBackups(
        self, request: safety_pb2.ListBackupsRequest, context: Context
    ) -> safety_pb2.ListBackupsResponse:
        book = await self._live.at(request.at)
        listed = [one for one in reversed(book.backups.by_place.values()) if request.pruned or not one.pruned_at_us]
        places = self._backups.places()
        return safety_pb2.ListBackupsResponse(
            backups=listed,
            places=places,
            coverage=coverage(
                book.backups.sound(), places, book.recorded_at_us if request.at.WhichOneof("point") else now_us()
            ),
            position=book.position,
        )

    async def ListBaseModels(
        self, request: safety_pb2.ListBaseModelsRequest, context: Context
    ) -> safety_pb2.ListBaseModelsResponse:
        book = await self._live.at(request.at)
        return safety_pb2.ListBaseModelsResponse(
            base_models=base_models.listed(book.base_models), position=book.position
        )

    async def GetConfig(self, request: safety_pb2.GetConfigRequest, context: Context) -> safety_pb2.Config:
        _, text = await asyncio.to_thread(config_file.read, self._home.config)
        return safety_pb2.Config(yaml=config_file.masked(text), path=str(self._home.config))


def _change(text: str, new: str) -> tuple[dict[str, object], dict[str, object]]:
    """What the log may show of the config before and after, with the SHA-256 of each text. Raises Invalid."""
    try:
        before, after = config_file.parse(text), config_file.parse(new)
    except config_file.BadConfig as error:
        raise Invalid(f"that config can't be: {error}", "Nothing was changed. Correct it and give it again.") from error
    return (
        {**config_file.told(before), "sha256": hashlib.sha256(text.encode()).hexdigest()},
        {**config_file.told(after), "sha256": hashlib.sha256(new.encode()).hexdigest()},
    )


def _hashed(source: str) -> Sequence[File]:
    """The files of a model on this machine; none for one that a hub has. Raises Invalid."""
    place = Path(source)
    if not place.is_absolute():
        if place.exists():
            raise Invalid(f"{source} is a relative path", "Give the whole path; the server may run in another folder.")
        return []
    paths = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    if not paths:
        raise Invalid(f"there is no model at {source}", "Give a folder with a model in it, a .gguf file, or a hub id.")
    files = []
    for path in paths:
        files.append(File(path=str(path), sha256=file_sha256(path), bytes=path.stat().st_size))
    return files
