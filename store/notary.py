"""Signs checkpoints of a log, and proves what is in it. Reads the log beside the server that writes it; knows no gRPC.

A program of its own (`python -m guessbook.store.notary HOME …`), so that hashing takes nothing from the process that appends.

    sign                 signs the log as it is now, unless it is signed already
    prove POSITION       a ProveResponse on standard output: the event is in the log that a checkpoint signs
    extends              the same for the checkpoint on standard input: the log has only grown since
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import lmdb

from guessbook.proto.log_pb2 import ProveResponse
from guessbook.store import merkle, signed_checkpoints, signing
from guessbook.store.errors import Contradicted, HistoryAbsent, NotALog
from guessbook.store.frame import DamagedFrame
from guessbook.store.home import Home
from guessbook.store.reader import LogReader
from guessbook.store.recorded import leaf
from guessbook.store.signing import BadCheckpoint, BadKey, Checkpoint, SigningKey
from guessbook.store.tree import Tree

EXIT_FAILED, EXIT_IMPOSSIBLE, EXIT_CONTRADICTED = 1, 2, 3


class Impossible(Exception):
    """There is no such proof: the position or the checkpoint isn't of this log."""


class Notary:
    """The log of a data folder and its key. `folders` are places outside of it where every checkpoint is written too; they must be there."""

    def __init__(self, home: Home, reader: LogReader, folders: Sequence[Path] = ()) -> None:
        """Raises DamagedFrame, BadKey, OSError."""
        home.signed_checkpoints.mkdir(exist_ok=True)
        self._folders = [home.signed_checkpoints, *folders]
        self._reader = reader
        self._key = SigningKey(home.signing_key)
        self._public = self._key.public(reader.log_id)
        self._tree = Tree(reader, home.cache)

    def sign(self) -> str:
        """The signed checkpoint of the log as it is now, written to every folder. Raises Contradicted, OSError, Impossible if it is empty."""
        if not self._tree.size:
            raise Impossible("the log is empty; there is nothing to sign")
        newest = ""
        for note in filter(None, map(self._newest, self._folders)):
            signed = signing.parse(note)
            self._compare(signed, "a signed checkpoint")
            if signed.size == self._tree.size:
                newest = note
        note = newest or self._key.sign(self._checkpoint())
        self._write(note)
        return note

    def prove(self, position: int) -> ProveResponse:
        """That the event at a position is in the log. Raises Impossible, Contradicted, OSError."""
        if not 1 <= position <= self._tree.size:
            raise Impossible(f"the log has the positions 1 to {self._tree.size}; there is no {position}")
        note = self._newest(self._folders[0])
        if not note or signing.parse(note).size < position:
            note = self.sign()
        signed = signing.parse(note)
        self._compare(signed, "the signed checkpoint")
        event = next(self._reader.events(position, position))
        path = [self._tree.hash(span) for span in merkle.inclusion_spans(position - 1, signed.size)]
        if not merkle.included(merkle.leaf_hash(leaf(event)), position - 1, signed.size, path, signed.root):
            raise Contradicted(f"the event at position {position} is not the one that was signed {signed.time}")
        return ProveResponse(
            leaf=leaf(event), leaf_index=position - 1, path=path, checkpoint=note, public_keys=self._public_keys()
        )

    def extends(self, old_note: str) -> ProveResponse:
        """That the log of an older checkpoint is the beginning of this one. Raises Impossible, Contradicted, BadCheckpoint, OSError."""
        old = signing.check(old_note, self._public_keys())
        if old.log_id != self._reader.log_id:
            raise Impossible(f"the checkpoint is of the log {old.log_id}, and this is {self._reader.log_id}")
        self._compare(old, "the checkpoint")
        note = self.sign()
        path = [self._tree.hash(span) for span in merkle.consistency_spans(old.size, self._tree.size)]
        return ProveResponse(path=path, old_checkpoint=old_note, checkpoint=note, public_keys=self._public_keys())

    def _checkpoint(self) -> Checkpoint:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        size = self._tree.size
        return Checkpoint(self._reader.log_id, size, self._tree.root(size), self._tree.chain_hash, now)

    def _compare(self, signed: Checkpoint, name: str) -> None:
        size, told = self._tree.size, f"{name} of {signed.time} has {signed.size} events"
        if signed.size > size:
            raise Contradicted(f"{told}, and the log ends at position {size}: its end is gone")
        if self._tree.root(signed.size) != signed.root:
            raise Contradicted(f"{told}, and the log has others: it was written anew behind it")

    def _newest(self, folder: Path) -> str:
        files = signed_checkpoints.files(folder, self._reader.log_id)
        if not files:
            return ""
        stored = signed_checkpoints.read(files[-1], self._folders[0])
        if stored.checkpoint is None:
            raise Contradicted(f"{stored.file} can't be relied on: {stored.problem}")
        return stored.note

    def _write(self, note: str) -> None:
        """To every folder that can be written; what failed is raised when the others have it."""
        failed: list[OSError] = []
        for folder in self._folders:
            try:
                signed_checkpoints.write(folder, note, self._public)
            except OSError as error:
                failed.append(error)
        if failed:
            raise OSError("; ".join(map(str, failed)))

    def _public_keys(self) -> list[str]:
        return sorted({self._public, *signed_checkpoints.public_keys(self._folders[0])})


def _carry_out(arguments: argparse.Namespace) -> None:
    home = Home(arguments.home)
    with LogReader(home.log) as reader:
        notary = Notary(home, reader, arguments.folder)
        if arguments.task == "sign":
            print(signing.parse(notary.sign()).size)
        elif arguments.task == "prove":
            sys.stdout.buffer.write(notary.prove(arguments.position).SerializeToString())
        else:
            note = sys.stdin.buffer.read().decode(errors="replace")
            sys.stdout.buffer.write(notary.extends(note).SerializeToString())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path, help="the data folder")
    parser.add_argument(
        "--folder", type=Path, action="append", default=[], help="write checkpoints there too; repeatable"
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("sign")
    tasks.add_parser("prove").add_argument("position", type=int)
    tasks.add_parser("extends")
    arguments = parser.parse_args()
    if arguments.task == "sign":
        os.nice(10)  # nobody waits for it
    try:
        _carry_out(arguments)
    except HistoryAbsent as error:
        print(f"a proof is made from every event before it, and {error}", file=sys.stderr)
        return EXIT_IMPOSSIBLE
    except (Impossible, BadCheckpoint) as error:
        print(error, file=sys.stderr)
        return EXIT_IMPOSSIBLE
    except (Contradicted, DamagedFrame, lmdb.Error) as error:
        print(error, file=sys.stderr)
        return EXIT_CONTRADICTED
    except (NotALog, BadKey, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
