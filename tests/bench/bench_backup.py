"""`make bench-backup`: what backups, restores and consolidation cost on this machine, beside `cp -r` + `sha256sum` and PEFT's bare merge.

Backups are made by the process that the server starts for them. Figures go to standard error as they come; the last line of standard output is one JSON
object. The disk's cache is written out before each measurement, so that none pays for the one before.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from made_events import run_start

from guessbook.proto.events_pb2 import DatasetRegistered, Event
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.store.log import Append, Log

LARGE, LARGE_MB = 4, 100  # files, and MB (10^6 bytes) of each: as the shards of a model
SMALL, SMALL_BYTES = 10_000, 1_000
PIECE = 1_000_000


@dataclass
class Ran:
    """What a process told and took."""

    told: dict[str, Any]
    seconds: float
    rss_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-merge", action="store_true", help="only backups: no model is loaded")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-", dir=".") as name:
        folder = Path(name).absolute()
        result = _large(folder)
        result["unchanged_s"] = _unchanged(folder)
        if not asked.without_merge:
            result |= _merges(folder)
    print(json.dumps(result))
    return 0


def _large(folder: Path) -> dict[str, float]:
    """A first backup of large files, its restore, and the same files by `cp -r` + `sha256sum`."""
    home = Home(folder / "large")
    _fill(home, [LARGE_MB] * LARGE, PIECE)
    (folder / "place").mkdir()
    made = _backup_process("create", str(home.root), str(folder / "place"))
    megabytes = made.told["bytes"] / 1e6
    _say("MB/s of a first backup, each file read back", megabytes / made.seconds)
    verified = _backup_process("verify", str(folder / "place"), "latest")
    _say("MB/s of reading it back once more", megabytes / verified.seconds)
    copying = f"cp -r {home.artifacts} {folder}/copy && find {folder}/copy -type f | xargs sha256sum"
    seconds = _seconds(["sh", "-c", copying])
    _say("MB/s of cp -r and sha256sum", megabytes / seconds)
    _say("the same, MB/s, with sync", megabytes / _seconds(["sh", "-c", f"rm -r {folder}/copy; {copying} && sync"]))
    restored = _backup_process("restore", str(folder / "place"), "latest", "--to", str(folder / "back"))
    _say("MB/s of the restore", megabytes / restored.seconds)
    rss_mb = max(made.rss_mb, verified.rss_mb, restored.rss_mb)
    _say("MB of memory at most", rss_mb)
    for left in ("large", "place", "copy", "back"):
        shutil.rmtree(folder / left)
    return {
        "backup_mb_s": round(megabytes / made.seconds, 1),
        "cp_sha256_mb_s": round(megabytes / seconds, 1),
        "restore_mb_s": round(megabytes / restored.seconds, 1),
        "rss_mb": round(rss_mb, 1),
    }


def _unchanged(folder: Path) -> float:
    """Seconds of a second backup, of many small files."""
    home = Home(folder / "small")
    _fill(home, [1] * SMALL, SMALL_BYTES)
    (folder / "place").mkdir()
    first = _backup_process("create", str(home.root), str(folder / "place"))
    _say(f"s of a first backup of {SMALL:,} small files", first.seconds)
    second = _backup_process("create", str(home.root), str(folder / "place"))
    assert second.told["new_bytes"] == 0
    _say("s of an unchanged second one", second.seconds)
    return round(second.seconds, 2)


def _merges(folder: Path) -> dict[str, float]:
    """Each in a process of its own: what one loaded makes the other faster."""
    bare, ours = (
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.merges", which, str(folder / "merges")],
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
        )
        for which in ("bare", "ours")
    )
    for told, what in ((bare, "PEFT's bare merge"), (ours, "consolidation, without its backup")):
        for stage, seconds in told.items():
            _say(f"s of {what}: {stage}", seconds)
    return {"consolidate_s": round(ours["all"], 2), "bare_merge_s": round(bare["all"], 2)}


def _fill(home: Home, pieces: Sequence[int], size: int) -> None:
    """Artifacts of so many pieces each, of random bytes, and a log that refers to them."""
    artifacts = Artifacts(home.artifacts)
    names = [artifacts.write(os.urandom(size) for _ in range(count)) for count in pieces]
    log = Log(home.log)
    epoch = log.join("p", 0).epoch
    events = [Event(subject=f"dataset/{name}", dataset_registered=DatasetRegistered(sha256=name)) for name in names]
    log.commit([Append([run_start(3), *events], "bench", producer="p", epoch=epoch, sequence=1)], 1)
    log.close()


def _backup_process(*words: str) -> Ran:
    os.sync()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "guessbook.store.backup_process", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout
    told = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: {told}")
    return Ran(told, time.perf_counter() - begin, used.ru_maxrss * 1024 / 1e6)


def _seconds(command: Sequence[str]) -> float:
    os.sync()
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _say(what: str, value: float) -> None:
    print(f"{value:10.2f}  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
