"""The versions: their tree, notes, trash, and which one is the latest.

The n-th VersionCreated of the log is version n, so that numbers have no gaps and none is given twice.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Version

SUBJECT = "version/"


@dataclass
class Versions:
    versions: list[Version] = field(default_factory=list)
    name_of_run: dict[str, str] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)  # of each name in `versions`
    latest: str = ""

    def fork(self) -> "Versions":
        """The same versions; a change in either is not in the other. A version is replaced, never changed."""
        return Versions(self.versions.copy(), self.name_of_run.copy(), self.place.copy(), self.latest)

    def get(self, name: str) -> Version | None:
        place = self.place.get(name)
        return None if place is None else self.versions[place]

    def find(self, name: str) -> Version | None:
        """By its name, its number ("v002", "2") or "latest"."""
        if name == "latest":
            return self.get(self.latest)
        number = re.fullmatch(r"v?0*(\d{1,9})", name)
        if number and 0 < int(number[1]) <= len(self.versions):
            return self.versions[int(number[1]) - 1]
        return self.get(name)

    def children(self, name: str) -> list[Version]:
        return [version for version in self.versions if version.parent == name]

    def merged_base(self, version: Version) -> Version | None:
        """The merged version whose model an adapter was trained on: without its files the adapter can't be loaded. None: there is none."""
        if version.HasField("consolidation"):
            return None
        parent = self.get(version.parent)
        while parent and not parent.HasField("consolidation"):
            above = self.get(parent.parent)
            parent = above if above and above.number < parent.number else None  # a trainer says what came from what
        return parent

    def dependants(self, name: str) -> list[Version]:
        """Those that are not in the trash and came from a version, or can't be loaded without it."""
        living = (version for version in self.versions if not version.deleted_at_us)
        return [version for version in living if name in (version.parent, self._merged_base_name(version))]

    def _merged_base_name(self, version: Version) -> str:
        base = self.merged_base(version)
        return base.name if base else ""

    def consolidated_into(self, name: str) -> str:
        """The newest version that an adapter was merged into and that is not in the trash; empty: none."""
        return consolidations(self.versions).get(name, "")


def consolidations(versions: Iterable[Version]) -> dict[str, str]:
    """adapter → the version that it was merged into, the newest that is not in the trash. `versions`: oldest first."""
    return {
        version.parent: version.name
        for version in versions
        if version.HasField("consolidation") and not version.deleted_at_us
    }


def version_name(number: int, created_at_us: int, slug: str) -> str:
    """`v002_20251117_math_fixes`; the day is that of UTC."""
    day = datetime.fromtimestamp(created_at_us / 1e6, tz=UTC)
    return f"v{number:03d}_{day:%Y%m%d}_{re.sub('[^a-z0-9_]+', '_', slug.lower())[:60] or 'run'}"


def _created(state: Versions, event: Event, body: events.VersionCreated) -> None:
    number = len(state.versions) + 1
    name = version_name(number, event.recorded_at_us, body.slug)
    version = Version(
        name=name,
        number=number,
        parent=body.parent,
        job=body.job,
        run=body.run,
        dataset=body.dataset,
        base_model=body.base_model,
        created_at_us=event.recorded_at_us,
        steps=body.steps,
        final_loss=body.final_loss,
        baseline_accuracy=body.baseline_accuracy,
        final_accuracy=body.final_accuracy,
        files=body.files,
        position=event.position,
        base_model_sha256=body.base_model_sha256,
    )
    if body.HasField("consolidation"):
        version.consolidation.CopyFrom(body.consolidation)
    else:
        state.latest = name  # a merged one becomes the latest when its proof was checked
    state.name_of_run[body.run] = name
    state.place[name] = len(state.versions)
    state.versions.append(version)


def _change(state: Versions, event: Event, change: Callable[[Version], None]) -> None:
    name = event.subject.removeprefix(SUBJECT)
    if name not in state.place:
        raise Misplaced(f"there is no version {name}")
    version = Version()
    version.CopyFrom(state.versions[state.place[name]])
    change(version)
    state.versions[state.place[name]] = version


def _noted(state: Versions, event: Event, body: events.VersionNoted) -> None:
    def note(version: Version) -> None:
        version.notes = body.text

    _change(state, event, note)


def _deleted(state: Versions, event: Event, body: events.VersionDeleted) -> None:
    def delete(version: Version) -> None:
        version.deleted_at_us, version.purge_after_us = event.recorded_at_us, body.purge_after_us

    _change(state, event, delete)


def _restored(state: Versions, event: Event, body: events.VersionRestored) -> None:
    def restore(version: Version) -> None:
        version.deleted_at_us = version.purge_after_us = 0

    _change(state, event, restore)


def _purged(state: Versions, event: Event, body: events.VersionPurged) -> None:
    def purge(version: Version) -> None:
        version.purged = True

    _change(state, event, purge)


def _latest_moved(state: Versions, event: Event, body: events.LatestMoved) -> None:
    if body.to and body.to not in state.place:
        raise Misplaced(f"there is no version {body.to}")
    state.latest = body.to


HANDLERS: Handlers = {
    "version_created": _created,
    "version_noted": _noted,
    "version_deleted": _deleted,
    "version_restored": _restored,
    "version_purged": _purged,
    "latest_moved": _latest_moved,
}
