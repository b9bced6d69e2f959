"""Tells which entries of some folders nobody is changing any more. Knows names, sizes and times, not contents, and changes nothing.

The system tells of changes. It can lose some (a network file system, a folder that was put in another's place), so all is looked at from time to time too.
"""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from watchfiles import awatch

RESCAN_S = 60.0
WITHOUT_NOTICES_S = 5.0  # between two looks where the system tells of no changes
DEBOUNCE_MS = 200
QUIET_MS = 1000  # until the system says that nothing has changed

_log = logging.getLogger(__name__)
logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each change

_State = tuple[object, ...]


def nothing_beside(path: Path) -> Iterable[Path]:
    return ()


class FolderWatch:
    """`wanted`: by an entry's name, whether it is looked at. `beside`: the files that belong to an entry; it has settled when they have too."""

    def __init__(
        self,
        folders: Sequence[Path],
        wanted: Callable[[str], bool],
        settled_s: float,
        beside: Callable[[Path], Iterable[Path]] = nothing_beside,
    ) -> None:
        self.settled_s = settled_s
        self._folders = folders
        self._wanted = wanted
        self._beside = beside
        self._seen: dict[Path, tuple[_State, float]] = {}  # as it was, and since when
        self._put_off: dict[Path, tuple[_State, float]] = {}  # as long as it is as it was, until then
        self._notice = asyncio.Event()
        self._next_look = 0.0
        self._rescan_s = RESCAN_S
        self._listener = asyncio.create_task(self._listen())

    async def settled(self) -> list[Path]:
        """Waits for a change or for the next look, and returns what has not changed for `settled_s`, the oldest first; perhaps nothing.

        Whoever asks moves these away or puts them off. Raises OSError for a folder that can't be made or read.
        """
        await self._until_next_look()
        try:
            found = await asyncio.to_thread(self._look)
        finally:
            self._next_look = time.monotonic() + self._rescan_s
        now = time.monotonic()
        self._seen = {path: _since(state, self._seen.get(path), now) for path, state in found.items()}
        self._put_off = {path: one for path, one in self._put_off.items() if found.get(path) == one[0]}
        due = {
            path: max(since + self.settled_s, self._put_off.get(path, ((), 0.0))[1])
            for path, (_, since) in self._seen.items()
        }
        self._next_look = min([self._next_look, *(time for time in due.values() if time > now)])
        return sorted((path for path in due if due[path] <= now), key=lambda path: self._seen[path][1])

    def put_off(self, path: Path, seconds: float) -> None:
        """Tells of an entry again only then, unless somebody changes it before."""
        due = time.monotonic() + seconds
        self._put_off[path] = self._seen[path][0], due
        self._next_look = min(self._next_look, due)

    def wake(self) -> None:
        """Has `settled` look now."""
        self._notice.set()

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _until_next_look(self) -> None:
        try:
            async with asyncio.timeout(max(0.0, self._next_look - time.monotonic())):
                await self._notice.wait()
        except TimeoutError:
            pass  # it is time
        self._notice.clear()

    async def _listen(self) -> None:
        try:
            await asyncio.to_thread(self._make_folders)
            watched = False
            changes = awatch(
                *self._folders,
                watch_filter=lambda change, path: self._wanted(os.path.basename(path)),
                debounce=DEBOUNCE_MS,
                recursive=False,
                rust_timeout=QUIET_MS,
                yield_on_timeout=True,
            )
            async for found in changes:
                # The first answer, of a quiet folder too, says that it is watched by now: what came before is looked for.
                if found or not watched:
                    self._notice.set()
                watched = True
        except (OSError, RuntimeError) as error:
            self._rescan_s = WITHOUT_NOTICES_S
            self._notice.set()
            told = ", ".join(str(folder) for folder in self._folders)
            _log.warning("no notices of changes in %s (%s); it is looked at every %g s", told, error, self._rescan_s)

    def _make_folders(self) -> None:
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)

    def _look(self) -> dict[Path, _State]:
        self._make_folders()
        paths = (path for folder in self._folders for path in folder.iterdir() if self._wanted(path.name))
        return {path: state for path in paths if (state := self._whole_state(path))}

    def _whole_state(self, path: Path) -> _State:
        state = _state(path)
        return state and (state, *(_state(one) for one in self._beside(path)))


def _since(state: _State, before: tuple[_State, float] | None, now: float) -> tuple[_State, float]:
    return before if before and before[0] == state else (state, now)


def _state(path: Path) -> _State:
    """What is another one as soon as somebody changes the entry, or anything in it; empty: it is gone."""
    try:
        told = path.lstat()
        inside = sorted(path.iterdir()) if stat.S_ISDIR(told.st_mode) else []
    except FileNotFoundError:
        return ()
    except PermissionError:
        inside = []  # what can't be looked into is told of all the same
    return (told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns, *(_state(one) for one in inside))
