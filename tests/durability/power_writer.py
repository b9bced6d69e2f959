"""The program that `power_cuts` records: writes batches through the log's writer and says on standard output what was acknowledged.

python -m durability.power_writer LOG BATCHES [--without-sync]
"""

import functools
import os
import sys
from pathlib import Path

import lmdb
from durability.ledger import batch

from guessbook.store.log import Append, Log
from guessbook.store.writer import Writer

PRODUCERS = ("a", "b", "c")


def main(folder: Path, batches: int) -> None:
    log = Log(folder)
    writer = Writer(log, lambda events: None, lambda failed: os._exit(1))
    epochs = {name: writer.join(name, 0).result().epoch for name in PRODUCERS}
    for sequence in range(1, batches + 1):
        waiting = [
            (
                name,
                writer.append(Append(batch(name, sequence), "a", producer=name, epoch=epochs[name], sequence=sequence)),
            )
            for name in PRODUCERS
        ]
        for name, future in waiting:
            os.write(1, f"ack {name} {sequence} {future.result().first_position}\n".encode())
    writer.close()
    log.close()


if __name__ == "__main__":
    if "--without-sync" in sys.argv:  # what the attack must find
        lmdb.open = functools.partial(lmdb.open, sync=False)  # type: ignore[assignment]
    main(Path(sys.argv[1]), int(sys.argv[2]))
