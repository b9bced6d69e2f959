"""Attack: the disk that backups go to is full, on a real small file system.

    python -m durability.full_place KIND MOUNTPOINT

runs in a mount namespace of its own, so that nothing stays mounted. Whoever makes a backup must be told, the earlier ones must stay whole, and when there is
room again the next one must work.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from data_folder import Data
from durability.full_disk import mount
from durability.ledger import Result

from guessbook.store import backup
from guessbook.store.place import BackupFailed, Place

TESTS = Path(__file__).parents[1]
TIMEOUT_S = 60
LEFT = (0, 4096, 65536, 1_000_000)  # bytes that the disk still takes: what fails is another thing each time


def attack(folder: Path, kind: str) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *user, sys.executable, "-m", "durability.full_place", kind, str(folder / "disk")]
    done = subprocess.run(command, check=False, cwd=TESTS, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode:
        return Result(f"backups to a full {kind}", failures=[done.stderr])
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def fill_and_free(disk: Path, data: Data, result: Result) -> None:
    """On a mounted disk."""
    place = Place(str(disk))
    for left in LEFT:
        result.rounds += 1
        kept = backup.create(data.home, place, actor="attack")
        result.acknowledged = kept.head
        data.dataset(os.urandom(3_000_000))
        _fill(disk / "ballast", left)
        try:
            backup.create(data.home, place, actor="attack")
            result.failures.append(f"{left} bytes left: a backup to a full disk is said to be made")
        except BackupFailed as failed:
            if "No space left" not in str(failed):
                result.failures.append(f"{left} bytes left: a full disk is told as: {failed}")
        if list(place.manifests())[-1] != kept.id or backup.verify(place, kept):
            result.failures.append(f"{left} bytes left: a backup that failed has harmed the one before")
        if list((disk / "incoming").iterdir()):
            result.failures.append(f"{left} bytes left: what was written in vain takes room")
        (disk / "ballast").unlink()


def _fill(ballast: Path, left: int) -> None:
    """Takes all that the disk has, then gives back some of it."""
    with ballast.open("wb", buffering=0) as file:
        for block in (1024 * 1024, 4096):
            with suppress(OSError):  # that is full
                while True:
                    file.write(bytes(block))
        file.truncate(file.tell() - left)
        os.fsync(file.fileno())


def main() -> None:
    kind, disk = sys.argv[1], Path(sys.argv[2])
    mount(kind, disk)
    (disk / "place").mkdir()
    result = Result(f"backups to a full {kind}")
    fill_and_free(disk / "place", Data(disk.parent / "data"), result)
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
