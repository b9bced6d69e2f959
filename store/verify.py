"""Walks a whole log and names the first bad position. Opens it read-only, beside a running server if need be.

A log that was cut off at its end, or written anew as a whole, is sound in itself: only a checkpoint that was signed before, kept where it could not be
changed, tells. So the walk computes the Merkle tree too, and compares it with the signed checkpoints it is given.

A program of its own (`python -m guessbook.store.verify LOG`): LMDB ends the whole process when it meets a file that is damaged in its structure.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import lmdb
from google.protobuf.message import DecodeError

from guessbook.proto.events_pb2 import HistoryArchived
from guessbook.store import batches, frame, signed_checkpoints
from guessbook.store.batches import Parts
from guessbook.store.errors import NotALog
from guessbook.store.home import Home
from guessbook.store.merkle import Frontier, leaf_hash
from guessbook.store.reader import LogReader
from guessbook.store.recorded import leaf
from guessbook.store.signed_checkpoints import Stored

EVENTS_PER_PROGRESS = 1000  # if LMDB ends this process, the last line tells how far the log was good


@dataclass(frozen=True)
class Compared:
    """One signed checkpoint beside the log."""

    file: str
    size: int  # events that were signed; 0 where the file is no signed checkpoint
    ok: bool
    problem: str
    note: str = ""  # what it says of events that are not here: given up in a restore, or archived elsewhere


@dataclass(frozen=True)
class Archived:
    """A part of the log's beginning that lies in a file of its own."""

    file: str
    first_position: int
    last_position: int
    sha256: str
    present: bool  # and then every byte of it is good; where it is absent, the chain was followed from its end on


@dataclass(frozen=True)
class Verdict:
    ok: bool
    head: int  # the last position found good
    first_bad_position: int | None
    problem: str
    chain_hash: str  # hex; of the head, empty where the log is damaged
    log_id: str
    merkle_root: str = ""  # hex; over all events, empty where the log is damaged
    checkpoints: list[Compared] = field(default_factory=list)
    archives: list[Archived] = field(default_factory=list)


def verify(
    folder: Path, checkpoints: Sequence[Path] | None = None, progress: Callable[[int], None] = lambda position: None
) -> Verdict:
    """Checks every frame's checksum and chain, that positions have no gap, the subject index, the producers' rows, the archives, and the log against
    signed checkpoints.

    `checkpoints` are files, or folders of them; None: those in the data folder that the log is in.
    """
    beside = Home(folder.parent).signed_checkpoints
    stored = [
        signed_checkpoints.read(file, beside)
        for place in ([beside] if checkpoints is None else checkpoints)
        for file in signed_checkpoints.files(place)
    ]
    try:
        reader = LogReader(folder)
    except NotALog as error:
        return Verdict(False, 0, 1, str(error), "", "")
    with reader:
        walk = Walk(reader, {one.checkpoint.size for one in stored if one.checkpoint})
        try:
            walk.run(progress)
        except frame.DamagedFrame as damage:
            good, bad = (damage.position - 1, damage.position) if damage.position else (walk.head, None)
            return Verdict(False, good, bad, str(damage), "", reader.log_id)
        except lmdb.Error as error:
            problem = f"behind position {walk.head} the file's structure is damaged: {error}"
            return Verdict(False, walk.head, walk.head + 1, problem, "", reader.log_id)
        return _judge(walk, stored)


class Walk:
    """One pass over a log: how far it is good, and its Merkle root and chain hash at certain sizes."""

    def __init__(self, reader: LogReader, sizes: set[int]) -> None:
        self.log_id = reader.log_id
        self.head = 0
        self.chain_hash = reader.genesis_hash
        self.tree = Frontier()
        self.roots: dict[int, bytes] = {}
        self.chain_hashes: dict[int, bytes] = {}
        self.shared: dict[
            str, int
        ] = {}  # logs that this one was restored from, and the last position that each shares with it
        self.archives: list[Archived] = []
        self.absent: list[tuple[int, int]] = []  # positions that were archived and are not here
        self.told: list[HistoryArchived] = []  # by the log's events
        self.parts = Parts()
        self._reader = reader
        self._sizes = sizes

    def run(self, progress: Callable[[int], None]) -> None:
        """Raises DamagedFrame at the first bad position, and lmdb.Error behind `head`."""
        archives = self._reader.archives()
        for archive in archives:
            told = archive.told
            if archive.is_there:
                archive.check()
                self._walk_to(told.last_position, progress)
            else:
                self._pass_over(told)
            there = Archived(str(archive.place), told.first_position, told.last_position, told.sha256, archive.is_there)
            self.archives.append(there)
        self._walk_to(None, progress)
        for number, archive in enumerate(archives):
            if archive.told not in self.told and all(later.present for later in self.archives[number + 1 :]):
                raise frame.DamagedFrame(
                    archive.told.first_position, f"no event says that {archive.place} was archived"
                )
        batches.check(self._reader, self.parts, self.head, self.absent)

    def _walk_to(self, last: int | None, progress: Callable[[int], None]) -> None:
        for found in self._reader.frames(self.head + 1):
            self._check(found)
            self.head, self.chain_hash = found.last_position, found.chain_hash
            if self.head in self._sizes:
                self.chain_hashes[self.head] = self.chain_hash
            if self.head // EVENTS_PER_PROGRESS > (found.first_position - 1) // EVENTS_PER_PROGRESS:
                progress(self.head)
            if self.head == last:
                return

    def _pass_over(self, told: HistoryArchived) -> None:
        """Goes on at the end of an archive that isn't here. What the log tells of the tree there is confirmed by checkpoints signed later."""
        self.absent.append((told.first_position, told.last_position))
        self.head, self.chain_hash = told.last_position, told.chain_hash_after
        self.tree = Frontier.of(told.last_position, told.subtrees)
        self.roots[self.head], self.chain_hashes[self.head] = self.tree.root(), self.chain_hash

    def _check(self, found: frame.Frame) -> None:
        try:
            events = found.events
        except DecodeError as error:
            raise frame.DamagedFrame(found.first_position, str(error)) from error
        if len(events) != found.count:
            raise frame.DamagedFrame(found.first_position, f"it holds {len(events)} events and says {found.count}")
        self.parts.add(found)
        subjects: set[str] = set()
        for position, event in enumerate(events, start=found.first_position):
            if event.position != position:
                raise frame.DamagedFrame(position, f"its event says that it is at {event.position}")
            if event.subject not in subjects and not self._reader.indexed(event.subject, found.first_position):
                raise frame.DamagedFrame(position, f"the subject index does not name it under {event.subject}")
            subjects.add(event.subject)
            if event.HasField("history_archived"):
                self.told.append(event.history_archived)
            if event.HasField("log_restored"):
                self.shared[event.log_restored.old_log_id] = event.log_restored.head
            self.tree.append(leaf_hash(leaf(event)))
            if position in self._sizes:
                self.roots[position] = self.tree.root()


def _compare(stored: Stored, walk: Walk, confirmed: int) -> tuple[str, int | None]:
    """What is wrong with a checkpoint or, by it, with the log, and from where on; empty: they agree.

    Up to `confirmed` the log agrees with an earlier checkpoint.
    """
    told = stored.checkpoint
    if told is None:
        return f"{stored.file} can't be relied on: {stored.problem}", None
    signed = f"{stored.file}, signed {told.time},"
    if told.log_id != walk.log_id and told.log_id not in walk.shared:
        return f"{signed} is of the log {told.log_id}, and this is {walk.log_id}: the log was replaced by another", 1
    if told.size > walk.head:
        cut = f"the last {told.size - walk.head} are gone"
        return f"the log ends at position {walk.head}, and {signed} has {told.size} events: {cut}", walk.head + 1
    anew = f"between the positions {confirmed + 1} and {told.size} the log was written anew after that"
    if walk.roots[told.size] != told.root:
        return f"{signed} has other events: {anew}", confirmed + 1
    if walk.chain_hashes.get(told.size) != told.chain_hash:
        return f"{signed} has the same events in other commits: {anew}", confirmed + 1
    return "", None


def _given_up(stored: Stored, walk: Walk) -> str:
    """Of a checkpoint of a log that this one was restored from: what was signed in it and is not in this one."""
    told = stored.checkpoint
    if told is None or told.size <= walk.shared.get(told.log_id, told.size):
        return ""
    head = walk.shared[told.log_id]
    return f"{stored.file}, signed {told.time}, has {told.size} events of the log that this one was restored from, and only {head} were restored"


def _absent(stored: Stored, walk: Walk) -> str:
    """Of a checkpoint that was signed over events that were archived, and are not here to be compared."""
    told = stored.checkpoint
    if told is None or told.size in walk.roots or not any(first <= told.size <= last for first, last in walk.absent):
        return ""
    return f"{stored.file}, signed {told.time}, is of events that were archived, and the archive is not here"


def _judge(walk: Walk, stored: Sequence[Stored]) -> Verdict:
    """The verdict on a log that is sound in itself."""
    compared: list[Compared] = []
    confirmed, first_bad, problem = 0, None, ""
    for one in sorted(stored, key=lambda one: one.checkpoint.size if one.checkpoint else 0):
        size = one.checkpoint.size if one.checkpoint else 0
        if note := _given_up(one, walk) or _absent(one, walk):
            compared.append(Compared(str(one.file), size, True, "", note))
            continue
        found, bad = _compare(one, walk, confirmed)
        compared.append(Compared(str(one.file), size, not found, found))
        if not found:
            confirmed = size
        elif not problem or (bad and bad < (first_bad or bad + 1)):
            problem, first_bad = found, bad
    return Verdict(
        ok=not problem,
        head=first_bad - 1 if first_bad else walk.head,
        first_bad_position=first_bad,
        problem=problem,
        chain_hash="" if problem else walk.chain_hash.hex(),
        log_id=walk.log_id,
        merkle_root="" if problem else walk.tree.root().hex(),
        checkpoints=compared,
        archives=walk.archives,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path, help="the log's folder")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        metavar="FILE",
        help="a signed checkpoint to compare with, or a folder of them, instead of those in the data folder; repeatable",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, progress on standard error"
    )
    arguments = parser.parse_args()

    def progress(position: int) -> None:
        print(f"checked {position}", file=sys.stderr, flush=True)

    try:
        verdict = verify(arguments.log, arguments.checkpoint, progress)
    except OSError as error:
        verdict = Verdict(False, 0, None, f"a signed checkpoint can't be read: {error}", "", "")
    if arguments.json:
        print(json.dumps({**asdict(verdict), "checked": verdict.head}))
    elif verdict.ok:
        agree = f"{sum(not one.note for one in verdict.checkpoints)} signed checkpoints agree"
        print(f"ok: {verdict.head:,} events, chain hash {verdict.chain_hash}, {agree}")
        for one in verdict.archives:
            state = "present and good" if one.present else "absent; the chain goes on behind it"
            print(f"positions {one.first_position:,} to {one.last_position:,} are archived in {one.file}: {state}")
    else:
        where = f" from position {verdict.first_bad_position}" if verdict.first_bad_position else ""
        print(f"damaged{where}: {verdict.problem}")
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
