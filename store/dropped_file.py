"""A file that somebody else put into a folder of ours: who, whether it can be read as it is, and moving it without ever replacing another.

Knows files, not what is in them. Links are not followed: what they point to is not the owner's of the link to give.
"""

import errno
import fcntl
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from guessbook.store.artifacts import BLOCK, Artifacts, sync_folder

State = tuple[int, ...]

NAME_BYTES = 200  # of the 255 that file systems take: a time and other suffixes are to fit in too
_F_SETSIG = 10  # Linux, fcntl.h


class Unfit(Exception):
    """It can't be taken as it is. The message says why."""


class StillWritten(Exception):
    """Somebody writes to it."""


class Stored(NamedTuple):
    sha256: str  # hex
    owner: str


class Text(NamedTuple):
    content: str
    owner: str


def owner(path: Path) -> str:
    """The name of the account that a file belongs to, or its number. Raises OSError."""
    return _account(path.lstat().st_uid)


def state(path: Path) -> State:
    """What is another one as soon as somebody changes a file or puts another in its place; empty: it is gone. Raises OSError."""
    try:
        told = path.lstat()
    except FileNotFoundError:
        return ()
    return told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns


def store(path: Path, artifacts: Artifacts, max_bytes: int) -> Stored:
    """Stores a copy of a file. Raises Unfit, StillWritten, and OSError if it can't be stored."""
    with _opened(path) as file, artifacts.incoming() as copy:
        before = _state(file)
        if not before[0]:
            raise Unfit("it is empty")
        if before[0] > max_bytes:
            raise Unfit(f"it has {before[0]:,} bytes; at most {max_bytes:,} are taken (inbox.max_bytes in config.yaml)")
        if _has_writer(file):
            raise StillWritten(f"{path} is open for writing")
        while copy.size <= before[0] and (block := file.read(BLOCK)):
            copy.add(block)
        if _state(file) != before or copy.size != before[0]:
            raise StillWritten(f"{path} was changed while it was read")
        return Stored(copy.finish(), _owner(file))


def read_text(path: Path, max_bytes: int) -> Text:
    """A small file's text. Raises Unfit."""
    with _opened(path) as file:
        content, owner = file.read(max_bytes + 1), _owner(file)
    if content is None or len(content) > max_bytes:
        raise Unfit(f"it has more than {max_bytes:,} bytes")
    try:
        return Text(content.decode(), owner)
    except UnicodeDecodeError as error:
        raise Unfit(f"its byte {error.start + 1} is not UTF-8") from error


def move(source: Path, target: Path) -> None:
    """To a place where nothing is yet, also on another disk; durable when this returns. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "another file is there", str(target))
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_to_other_disk(source, target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def write(target: Path, blocks: Iterable[bytes]) -> None:
    """A file of ours at a place where nothing is yet: there whole or not at all, durable when this returns. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = target.with_name(f".{target.name}.part")
    with copy.open("wb") as file:
        file.writelines(blocks)
        file.flush()
        os.fsync(file.fileno())
    move(copy, target)


def free_name(name: str, is_free: Callable[[str], bool]) -> str:
    """The name, or the name with a number in front of its last suffix: the first that is free. Printable, UTF-8 and short enough to be added to."""
    shown = name.encode(errors="surrogateescape").decode(errors="replace")
    stem, suffix = os.path.splitext("".join(one if one.isprintable() else "�" for one in shown))
    room = NAME_BYTES - len(suffix.encode())
    stem = stem.encode()[:room].decode(errors="ignore") if room > 0 else "file"
    free, number = f"{stem}{suffix}", 1
    while not is_free(free):
        number += 1
        free = f"{stem}_{number}{suffix}"
    return free


def _move_to_other_disk(source: Path, target: Path) -> None:
    """The copy is whole and durable before the source goes."""
    copy = target.with_name(f".{target.name}.part")
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, copy, symlinks=True, dirs_exist_ok=True)
        copy.rename(target)
        shutil.rmtree(source)
        return
    shutil.copy2(source, copy, follow_symlinks=False)
    if not copy.is_symlink():
        with copy.open("rb") as file:
            os.fsync(file.fileno())
    copy.rename(target)
    source.unlink()


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _owner(file: FileIO) -> str:
    return _account(os.fstat(file.fileno()).st_uid)


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """A plain file, open for reading. Raises Unfit."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise Unfit("the server may not read it (permission denied)") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unfit("it is a link; put the file itself here") from error
        if error.errno == errno.ENXIO:
            raise Unfit("it is no plain file") from error
        if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
            raise Unfit(f"there can't be a file of that name: {error.strerror}") from error
        raise
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise Unfit("it is a folder, not a file" if stat.S_ISDIR(mode) else "it is no plain file")
    with FileIO(handle, "rb") as file:
        yield file


def _state(file: FileIO) -> tuple[int, int]:
    told = os.fstat(file.fileno())
    return told.st_size, told.st_mtime_ns


def _has_writer(file: FileIO) -> bool:
    """Whether any process has it open for writing: a copy that stalls looks complete. False where the system can't tell (only Linux, local disks,
    and files of our own can be asked about)."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # Who opens the file for writing before the lease is given back causes a signal to us; this one is ignored by default.
        fcntl.fcntl(file, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
