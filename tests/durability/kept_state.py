"""What a data folder holds when its server was stopped, judged after a guarded operation: the old state or the new one, and nothing lost.

Knows the log, the folders and the backups; no attack, and no server.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from durability.ledger import Result

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, Operation
from guessbook.store import backup
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.store.manifest import Manifest
from guessbook.store.place import Place
from guessbook.store.reader import LogReader
from guessbook.store.verify import verify

OLD_CONFIG, NEW_CONFIG = "trash_days: 30\n", "trash_days: 5\n"


def events_of(home: Home) -> list[Event]:
    """All that is durable in a log that nobody writes to."""
    with LogReader(home.log) as reader:
        last = reader.last_frame()
        return list(reader.events(1, last.last_position)) if last else []


@dataclass
class KeptState:
    """One data folder after one operation."""

    home: Home
    events: list[Event]
    book: Book

    @classmethod
    def of(cls, home: Home) -> "KeptState":
        events = events_of(home)
        return cls(home, events, book_fold.fold(events))

    @property
    def operation(self) -> Operation | None:
        return next(reversed(self.book.operations.by_id.values()), None)

    def judge(self, kind: str, before: list[Event]) -> Result:
        """`before`: what was durable when the process died."""
        kept = [event.SerializeToString(deterministic=True) for event in self.events]
        result = Result("", lost=max(0, len(before) - len(kept)))
        for event, now in zip(before, kept, strict=False):
            result.corrupt += event.SerializeToString(deterministic=True) != now
        verdict = verify(self.home.log)
        result.failures += [] if verdict.ok else [f"verify: {verdict.problem}"]
        result.failures += [f"operation {one.id} is under way for ever" for one in self.book.operations.under_way()]
        done = self.operation is not None and self.operation.stage == OPERATION_STAGE_COMPLETED
        found = STATES[kind](self)
        if found is not done:
            state = {True: "new", False: "old", None: "neither the old nor the new"}[found]
            result.failures.append(f"the operation {'was' if done else 'was not'} completed, and the state is {state}")
        result.failures += [*self._versions(), *self._latest(), *self._backups()]
        return result

    def _versions(self) -> list[str]:
        artifacts = Artifacts(self.home.artifacts)
        wrong = [
            f"{version.name} lost {file.path}"
            for version in self.book.versions.versions
            for file in version.files
            if not artifacts.is_whole(file.sha256)
        ]
        for version in self.book.versions.versions:
            folder = (self.home.trash if version.deleted_at_us else self.home.versions) / version.name
            other = (self.home.versions if version.deleted_at_us else self.home.trash) / version.name
            if other.exists() or not self._laid_out(version, folder):
                wrong.append(f"the folder of {version.name} is not as the log has it")
        return wrong

    def _laid_out(self, version: Version, folder: Path) -> bool:
        artifacts = Artifacts(self.home.artifacts)
        paths = [folder / file.path for file in version.files]
        return (folder / "metadata.json").exists() and all(
            path.exists() and path.read_bytes() == artifacts.path(file.sha256).read_bytes()
            for path, file in zip(paths, version.files, strict=True)
        )

    def _latest(self) -> list[str]:
        link = self.home.versions / "latest"
        shown = link.readlink().name if link.is_symlink() else ""
        meant = self.book.versions.latest
        return [] if shown == meant else [f"the link says that {shown} is the latest, and the log {meant}"]

    def _backups(self) -> list[str]:
        """Each that lies at the place, and each that the log knows of."""
        place, wrong, there = Place(str(self.home.backups)), [], set()
        for name, found in backup.backups(place):
            there.add(name)
            wrong += backup.verify(place, found) if isinstance(found, Manifest) else [str(found)]
        for one in self.book.backups.by_place.values():
            if (one.id in there) == bool(one.pruned_at_us):
                wrong.append(f"the log says that {one.id} is {'gone' if one.pruned_at_us else 'there'}, and it is not")
        return wrong


def _deleted(state: KeptState) -> bool | None:
    one, two = state.book.versions.versions
    return _either((one.name, True), (two.name, False), (state.book.versions.latest, bool(two.deleted_at_us)))


def _rolled_back(state: KeptState) -> bool | None:
    one, two = state.book.versions.versions
    return _either(one.name, two.name, state.book.versions.latest)


def _consolidated(state: KeptState) -> bool | None:
    """A merged version that came too late for its operation is a version like any other, and not the latest."""
    old = state.book.versions.versions[1].name
    merged = [version.name for version in state.book.versions.versions[2:]]
    return _either(merged[-1] if merged else None, old, state.book.versions.latest)


def _switched(state: KeptState) -> bool | None:
    return _either("mine", "", state.book.base_models.used)


def _configured(state: KeptState) -> bool | None:
    return _either(NEW_CONFIG, OLD_CONFIG, state.home.config.read_text())


def _pruned(state: KeptState) -> bool | None:
    """The first two of three were past the rules; the log tells when one was removed."""
    gone = [bool(one.pruned_at_us) for one in state.book.backups.by_place.values()]
    return _either([True, True, False], [False] * 3, gone[:3])


def _either(new: object, old: object, found: object) -> bool | None:
    """Whether something is as it should be afterwards, or as it was; None: neither."""
    return found == new if found in (new, old) else None


# kind -> whether the state is the new one; None where it is neither the new nor the old
STATES: dict[str, Callable[[KeptState], bool | None]] = {
    "delete-version": _deleted,
    "rollback": _rolled_back,
    "consolidate": _consolidated,
    "switch-base-model": _switched,
    "change-config": _configured,
    "prune-backups": _pruned,
}
