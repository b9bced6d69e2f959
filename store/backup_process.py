"""Makes, lists, verifies and restores backups, as a program of its own: `python -m guessbook.store.backup_process create HOME PLACE`.

One JSON document on standard output, also for an error: `{"error", "hint", "damaged"}`, the last whether the backup itself is what is wrong. Progress goes to
standard error. A program of its own, since LMDB ends the whole process when it meets a file that is damaged in its structure; it ends when the process that
started it does. Knows what to tell whom, not how backups are made.
"""

import argparse
import fcntl
import getpass
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from guessbook.store import backup, config, prune, restore
from guessbook.store.backup import NoSuchBackup, NotWhole, SeveralBackups
from guessbook.store.home import Home
from guessbook.store.manifest import Manifest
from guessbook.store.place import BackupFailed, BadPlace, DamagedBackup, Place
from guessbook.store.restore import NoRoom, RestoreFailed
from guessbook.store.sealing import BadKey, Sealer, make_key, read_key

EXIT_FAILED, EXIT_INVALID, EXIT_MISSING = 1, 2, 4
LOOK_S = 0.5  # between two looks whether the process that started this one is alive

_SAFE = "Earlier backups and the data folder are as they were."
# error -> (exit code, what is safe and what to do)
_TABLE: dict[type[Exception], tuple[int, str]] = {
    BadPlace: (EXIT_INVALID, "Make the folder or mount its disk; for other kinds of places install what fsspec names."),
    NoSuchBackup: (
        EXIT_MISSING,
        "`guessbook backup list --place PLACE` tells the ids; the first characters are enough.",
    ),
    SeveralBackups: (EXIT_INVALID, "Give the id of one, or as many of its first characters as tell it apart."),
    NotWhole: (
        EXIT_FAILED,
        f"{_SAFE} An earlier backup may have the file: restore that one and copy the file from its artifacts/. `backup create --place FOLDER --skip-missing` does without.",
    ),
    DamagedBackup: (
        EXIT_FAILED,
        f"{_SAFE} Use another backup. Where only this place is damaged, remove the file named above and make a new backup: what is missing is copied again.",
    ),
    BackupFailed: (EXIT_FAILED, f"{_SAFE} Remove the cause and run it again."),
    NoRoom: (
        EXIT_FAILED,
        "Nothing was found wrong with the backup, and nothing is left of the attempt. Make room (a drill is made in $TMPDIR) and run it again.",
    ),
    RestoreFailed: (EXIT_FAILED, "Nothing was restored, and nothing is left of the attempt."),
    OSError: (EXIT_FAILED, f"{_SAFE} Check the path, its permissions and the free disk space."),
}


def _summary(made: Manifest) -> dict[str, Any]:
    told = asdict(made)
    del told["segments"], told["format"]
    return {**told, "files": len(made.files), "bytes": made.size}


def _create(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    with _held(arguments.home, fcntl.LOCK_SH):
        made = backup.create(
            Home(arguments.home),
            place,
            kind=arguments.kind,
            reason=arguments.reason,
            actor=arguments.actor or _user(),
            skip_missing=arguments.skip_missing,
            identity=arguments.id,
            say=_say,
        )
    return _summary(made)


def _list(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    listed = [
        {**_summary(found), "problem": ""} if isinstance(found, Manifest) else {"id": name, "problem": str(found)}
        for name, found in backup.backups(place)
    ]
    return {"backups": listed}


def _verify(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    notes: list[str] = []
    found = backup.find(place, arguments.id, notes.append)
    problems = backup.verify(place, found, _say)
    return {**_summary(found), "ok": not problems, "problems": problems, "notes": notes}


def _restore(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    notes: list[str] = []
    found = backup.find(place, arguments.id, notes.append)
    restored = restore.restore(
        place,
        found,
        arguments.to,
        actor=_user(),
        reason=arguments.reason,
        position=arguments.to_position,
        say=_say,
    )
    notes += [f"not in the backup: the artifact {name}" for name in restored.absent]
    notes += [f"{path} is of a restore that was killed: remove it" for path in restore.unfinished(arguments.to)]
    return {"id": found.id, "to": str(arguments.to), **asdict(restored), "notes": notes}


def _drill(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    notes: list[str] = []
    found = backup.find(place, arguments.id, notes.append)
    drilled = restore.drill(place, found, _say)
    notes += [f"not in the backup, as was told when it was made: the artifact {name}" for name in drilled.absent]
    return {"id": found.id, "ok": True, **asdict(drilled), "notes": notes}


def _remove(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    with _held(arguments.home, fcntl.LOCK_EX):
        return {"id": arguments.id, "removed": prune.remove(place, arguments.id)}


@contextmanager
def _held(home: Path, how: int) -> Iterator[None]:
    """Backups of a data folder may be made beside each other, but none is removed meanwhile: it may have what one under way found at the place and doesn't copy.

    The kernel lets go of it when the process ends, however that comes.
    """
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, how | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting until another backup of this data folder is made or removed")
            fcntl.flock(folder, how)
        yield
    finally:
        os.close(folder)


_TASKS = {"remove": _remove, "create": _create, "list": _list, "verify": _verify, "restore": _restore, "drill": _drill}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _place(text: str) -> Place:
    """A folder, a URL, or `PATH/config.yaml#NAME`: a place of that config, with what is secret of it. Raises BadPlace."""
    file, sharp, name = text.rpartition("#")
    if not sharp or not file.endswith("config.yaml"):
        return Place(text)
    try:
        found = next(one for one in config.read(Path(file))[0].backup.places if one.name == name)
        sealer = Sealer(read_key(Path(found.key_file))) if found.key_file else None
    except StopIteration:
        raise BadPlace(f"{file} has no place {name}") from None
    except (config.BadConfig, BadKey) as error:
        raise BadPlace(str(error)) from error
    return Place(found.url, found.options, sealer)


def _kind(text: str) -> str:
    if not re.fullmatch("[a-z_]+", text):
        raise ValueError
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    create, remove = tasks.add_parser("create"), tasks.add_parser("remove")
    for task in (create, remove):
        task.add_argument("home", type=Path, help="the data folder")
    create.add_argument("--id", default="", help="what to call it; else the time")
    create.add_argument("--actor", default="", help="who asked; else the user")
    create.add_argument("--kind", type=_kind, default="manual", help="what it is for; also the folder it is listed in")
    create.add_argument("--skip-missing", action="store_true", help="name what is not whole, instead of failing")
    tasks.add_parser("key").add_argument("file", type=Path)
    restoring = tasks.add_parser("restore")
    for name, task in [("create", create), ("remove", remove), ("restore", restoring)] + [
        (name, tasks.add_parser(name)) for name in ("list", "verify", "drill")
    ]:
        task.add_argument("place", help="a folder, a URL, or PATH/config.yaml#NAME")
        if name not in ("create", "list"):
            task.add_argument("id")
        task.add_argument("--reason", default="")
    restoring.add_argument("--to", type=Path, required=True)
    restoring.add_argument("--to-position", type=int)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    try:
        if arguments.task == "key":
            make_key(arguments.file)
            print(json.dumps({"key": str(arguments.file)}))
            return 0
        told = _TASKS[arguments.task](arguments, _place(arguments.place))
    except tuple(_TABLE) as error:
        code, hint = next(row for kind, row in _TABLE.items() if isinstance(error, kind))
        damaged = isinstance(error, DamagedBackup | RestoreFailed) and not isinstance(error, NoRoom)
        print(json.dumps({"error": str(error), "hint": hint, "damaged": damaged}))
        return code
    print(json.dumps(told, ensure_ascii=False))
    return EXIT_FAILED if told.get("problems") else 0


def _end_with(parent: int) -> None:
    """Ends this process soon after the one that started it: what nobody waits for any more is not to go on beside the next one."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # leaves nothing half made behind
    main_thread = threading.get_ident()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        signal.pthread_kill(main_thread, signal.SIGTERM)  # that thread, so that it also leaves a call that waits

    threading.Thread(target=look, name="parent", daemon=True).start()


if __name__ == "__main__":
    _end_with(os.getppid())
    sys.exit(main())
