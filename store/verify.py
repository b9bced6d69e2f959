"""Walks a whole log and names the first bad position. Opens it read-only, beside a running server if need be.

A program of its own (`python -m guessbook.store.verify LOG`): LMDB ends the whole process when it meets a file that is damaged in its structure.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lmdb

from guessbook.store import frame
from guessbook.store.index import SubjectIndex, position_of
from guessbook.store.log import FORMAT

FRAMES_PER_TRANSACTION = 1000


@dataclass(frozen=True)
class Verdict:
    ok: bool
    head: int  # the last position found good
    first_bad_position: int | None
    problem: str
    chain_hash: str  # hex; of the head, empty where the log is damaged
    log_id: str


def verify(folder: Path, progress: Callable[[int], None] = lambda position: None) -> Verdict:
    """Checks every frame's checksum and chain, that positions have no gap, and the subject index.

    In transactions of 1,000 frames, so that a server that writes meanwhile is not held up.
    """
    env = lmdb.open(str(folder), readonly=True, max_dbs=8, create=False, map_size=0)
    try:
        meta, frames = env.open_db(b"meta", create=False), env.open_db(b"frames", create=False)
        index = SubjectIndex(env.open_db(b"subjects", dupsort=True, dupfixed=True, create=False))
        with env.begin() as transaction:
            found = transaction.get(b"format", db=meta)
            log_id = (transaction.get(b"log_id", db=meta) or b"").decode()
        if found != FORMAT:
            return Verdict(False, 0, 1, f"this is {found!r}, not a log that this program reads", "", log_id)
        chain_hash, head = frame.genesis(log_id), 0
        try:
            while True:
                with env.begin() as transaction:
                    last, chain_hash = _walk(transaction, frames, index, head, chain_hash)
                if last == head:
                    return Verdict(True, head, None, "", chain_hash.hex(), log_id)
                head = last
                progress(head)
        except frame.DamagedFrame as damage:
            return Verdict(False, damage.position - 1, damage.position, str(damage), "", log_id)
    finally:
        env.close()


def _walk(transaction: Any, frames: Any, index: SubjectIndex, head: int, chain_hash: bytes) -> tuple[int, bytes]:
    cursor = transaction.cursor(frames)
    if not cursor.set_range((head + 1).to_bytes(8, "big")):
        return head, chain_hash
    for _, (key, data) in zip(range(FRAMES_PER_TRANSACTION), cursor.iternext(), strict=False):
        first_position = position_of(key)
        if first_position != head + 1:
            raise frame.DamagedFrame(head + 1, f"it is missing; the next one begins at {first_position}")
        found = frame.decode(data, first_position, chain_hash)
        for position, event in enumerate(found.events, start=first_position):
            if event.position != position:
                raise frame.DamagedFrame(position, f"its event says that it is at {event.position}")
            if not index.has(transaction, event.subject, first_position):
                raise frame.DamagedFrame(position, f"the subject index does not name it under {event.subject}")
        head, chain_hash = position, found.chain_hash
    return head, chain_hash


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path, help="the log's folder")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, progress on standard error"
    )
    arguments = parser.parse_args()
    try:
        verdict = verify(arguments.log, lambda position: print(f"checked {position}", file=sys.stderr, flush=True))
    except lmdb.Error as error:
        verdict = Verdict(False, 0, 1, f"{arguments.log} can't be opened as a log: {error}", "", "")
    if arguments.json:
        print(json.dumps({**asdict(verdict), "checked": verdict.head}))
    elif verdict.ok:
        print(f"ok: {verdict.head:,} events, chain hash {verdict.chain_hash}")
    else:
        print(f"damaged from position {verdict.first_bad_position}: {verdict.problem}")
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
