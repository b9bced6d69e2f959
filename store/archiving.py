"""Writes the archive of a log's beginning, up to a signed checkpoint. Reads the log beside the server that writes it; takes nothing out of it.

A program of its own (`python -m guessbook.store.archiving HOME`), so that reading and hashing take nothing from the process that appends. That process
records the archive afterwards, and only then are the frames taken out of the log.
"""

import argparse
import sys
from itertools import takewhile
from pathlib import Path

import lmdb

from guessbook.proto.events_pb2 import HistoryArchived
from guessbook.store import archive, signed_checkpoints
from guessbook.store.errors import LogError, NotArchived
from guessbook.store.frame import DamagedFrame
from guessbook.store.home import Home
from guessbook.store.merkle import Frontier
from guessbook.store.reader import LogReader
from guessbook.store.signing import Checkpoint
from guessbook.store.stored_frames import ARCHIVE_FOLDER

EXIT_FAILED, EXIT_IMPOSSIBLE = 1, 2


def plan(home: Home, reader: LogReader, to_position: int) -> tuple[HistoryArchived, Checkpoint]:
    """What would be archived: everything that isn't yet, up to the newest signed checkpoint at or before a position; 0: the newest there is.

    Without file, bytes, SHA-256 and subtrees. Raises NotArchived, DamagedFrame, lmdb.Error.
    """
    done = reader.archives()
    begin = done[-1].told.last_position + 1 if done else 1
    before = done[-1].told.chain_hash_after if done else reader.genesis_hash
    if 0 < to_position < begin:
        raise NotArchived(f"the log is archived up to position {begin - 1} already")
    signed = [
        stored.checkpoint
        for file in signed_checkpoints.files(home.signed_checkpoints, reader.log_id)
        if (stored := signed_checkpoints.read(file)).checkpoint
    ]
    fitting = [one for one in signed if begin <= one.size <= (to_position or one.size)]
    if not fitting:
        later = min((one.size for one in signed if one.size >= begin), default=0)
        hint = (
            f"The next one is at position {later}." if later else "`guessbook prove` has one signed at the log's end."
        )
        raise NotArchived(f"no checkpoint was signed at a position from {begin} to {to_position or 'the end'}. {hint}")
    chosen = max(fitting, key=lambda one: one.size)
    last = next(reader.frames(chosen.size), None)
    if last is None or (last.last_position, last.chain_hash) != (chosen.size, chosen.chain_hash):
        raise NotArchived(
            f"at position {chosen.size} the log is not what was signed {chosen.time}; run `guessbook verify`"
        )
    told = HistoryArchived(first_position=begin, last_position=chosen.size)
    told.chain_hash_before, told.chain_hash_after = before, chosen.chain_hash
    return told, chosen


def write(folder: Path, reader: LogReader, first: int, last: int) -> HistoryArchived:
    """The archive of the positions from one to another, which must be those of whole frames; durable and read back when this returns.

    Raises DamagedFrame, NotArchived, lmdb.Error, OSError.
    """
    done = reader.archives()
    tree = Frontier.of(first - 1, done[-1].told.subtrees if done else [])
    before = done[-1].told.chain_hash_after if done else reader.genesis_hash
    stored = takewhile(lambda each: each[0].first_position <= last, reader.stored_frames(first))
    return archive.write(
        folder / ARCHIVE_FOLDER, ((found.first_position, data) for found, data in stored), before, tree
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path, help="the data folder")
    parser.add_argument("--to-position", type=int, default=0, help="up to the newest signed checkpoint at or before it")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be archived")
    arguments = parser.parse_args()
    home = Home(arguments.home)
    try:
        with LogReader(home.log) as reader:
            told, signed = plan(home, reader, arguments.to_position)
            if not arguments.dry_run:
                told = write(home.log, reader, told.first_position, told.last_position)
                if Frontier.of(told.last_position, told.subtrees).root() != signed.root:
                    (home.log / ARCHIVE_FOLDER / told.file).unlink()
                    raise NotArchived(f"up to {signed.size} the log has other events than were signed {signed.time}")
            sys.stdout.buffer.write(told.SerializeToString())
    except NotArchived as error:
        print(error, file=sys.stderr)
        return EXIT_IMPOSSIBLE
    except (LogError, DamagedFrame, lmdb.Error, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
