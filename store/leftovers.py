"""What killed processes left half made: folders of drills and merges, files on their way into the data folder. Knows their names, and when nobody can be at work on
one any more.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from guessbook.store.home import Home
from guessbook.store.restore import DRILL

ABANDONED_S = 24 * 3600.0  # nothing in it was written for so long
IN_DATA_FOLDER = (
    "guessbook-merge-*",
    "artifacts/incoming-*.tmp",
    "signed-checkpoints/*/incoming-*.tmp",
    "models/versions/.v*",
)
IN_TEMPORARY_FILES = (f"{DRILL}*", "guessbook-adapter-*")


def abandoned(home: Home, now_s: float, temporary: Path | None = None) -> Iterator[Path]:
    """Those of this user that nothing was written in for a day, at a time in seconds since 1970. `temporary`: the folder for temporary files."""
    places = [(home.root, IN_DATA_FOLDER), (temporary or Path(tempfile.gettempdir()), IN_TEMPORARY_FILES)]
    for folder, patterns in places:
        for path in (path for pattern in patterns for path in sorted(folder.glob(pattern))):
            try:
                if path.lstat().st_uid == os.getuid() and _written(path) < now_s - ABANDONED_S:
                    yield path
            except FileNotFoundError:  # it was at work all the same, and has ended
                continue


def remove(path: Path) -> None:
    """Removes a file or a folder with all that is in it. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _written(path: Path) -> float:
    """When anything in it was written last, in seconds since 1970."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else []
    return max(one.lstat().st_mtime for one in (path, *inside))
