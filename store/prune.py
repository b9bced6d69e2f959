"""Removes a backup from its place, with the objects that no other backup there needs. Knows places and manifests, not which backups may go."""

from guessbook.store import backup, manifest
from guessbook.store.manifest import Manifest
from guessbook.store.place import BackupFailed, Place


def remove(place: Place, name: str) -> int:
    """Returns how many objects were removed. Where there is no such backup any more nothing is wrong: what a crash left of an earlier removal is removed.

    Raises BackupFailed, with nothing removed, if another backup's manifest can't be read: what that one needs is not known.
    """
    needed: set[str] = set()
    for other, found in backup.backups(place):
        if other == name:
            continue
        if not isinstance(found, Manifest):
            raise BackupFailed(f"what the backup {other} at {place.name} needs can't be read: {found}")
        needed |= found.objects.keys()
    if path := place.manifests().get(name):
        place.give_up(path)
    removed = 0
    for given_up in place.given_up():
        objects = manifest.parse(place.read_manifest(given_up), given_up).objects.keys() - needed
        place.forget(given_up, objects)
        removed += len(objects)
    return removed
