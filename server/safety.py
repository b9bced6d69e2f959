"""Puts together what keeps the book safe: guarded operations, backups, upkeep, and the service in front of them."""

from guessbook.proto.safety_pb2 import Operation, OperationRequest
from guessbook.server.backups import Backups
from guessbook.server.decide.operations import Circumstances
from guessbook.server.guarded import Guarded, Work
from guessbook.server.guarded_works import (
    ChangedConfig,
    Consolidated,
    DeletedVersion,
    PrunedBackups,
    RolledBack,
    SwitchedBaseModel,
)
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.safety_service import SafetyService
from guessbook.server.upkeep import Upkeep
from guessbook.server.version_folders import VersionFolders
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home


class Safety:
    def __init__(self, live: LiveBook, home: Home, artifacts: Artifacts, folders: VersionFolders) -> None:
        backups = Backups(live, home)
        config = ChangedConfig(home)
        works: dict[str, Work] = {
            "delete-version": DeletedVersion(live, folders, artifacts),
            "rollback": RolledBack(live, folders, artifacts),
            "consolidate": Consolidated(live, artifacts),
            "switch-base-model": SwitchedBaseModel(live, folders, artifacts),
            "change-config": config,
            "prune-backups": PrunedBackups(backups.remove, backups.verify_newest),
        }
        self._guarded = Guarded(live, backups.back_up, works)
        self.upkeep = Upkeep(live, home, backups, artifacts, self._guarded)
        self.service = SafetyService(live, home, self._guarded, backups, config)

    async def consolidate(self, actor: str, version: str, reason: str) -> Operation:
        """Sets a consolidation going, as the service does when it is asked to. Raises Rejection."""
        asked = OperationRequest(kind="consolidate", target=version, reason=reason)
        return (await self._guarded.request(actor, asked, Circumstances(now_us(), trash_days=0)))[0]

    def start(self) -> None:
        """Goes on with what a stop or a crash cut off."""
        self._guarded.resume()
        self.upkeep.watch()

    async def close(self) -> None:
        await self.upkeep.close()
        await self._guarded.close()
