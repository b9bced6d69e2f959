"""A data folder made by hand, for tests that need no server."""

from pathlib import Path

from made_events import run_start, step

from guessbook.proto.events_pb2 import DatasetRegistered, Event
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.store.log import Append, Log, Receipt


class Data:
    """A data folder that grows. Its log is closed between two changes, as if the server were stopped."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.artifacts = Artifacts(self.home.artifacts)
        self.sequence = 0
        self.append([run_start(3)])

    def append(self, events: list[Event]) -> Receipt | Exception:
        """As the next batch of producer p."""
        self.sequence += 1
        return batch(self.home, self.sequence, events)

    def steps(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.append([step(number, examples=range(8), losses=[0.1 * number] * 8)])

    def dataset(self, content: bytes) -> str:
        sha256 = self.artifacts.write([content])
        self.append([Event(subject=f"dataset/{sha256}", dataset_registered=DatasetRegistered(sha256=sha256))])
        return sha256


def batch(home: Home, sequence: int, events: list[Event], epoch: int = 0) -> Receipt | Exception:
    """Appends a batch of producer p, by default as a process of it that has just joined."""
    log = Log(home.log)
    try:
        epoch = epoch or log.join("p", 0).epoch
        [answer], _ = log.commit([Append(events, "tester", producer="p", epoch=epoch, sequence=sequence)], 1)
        return answer
    finally:
        log.close()
