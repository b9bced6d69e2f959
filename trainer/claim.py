"""Whose a run's checkpoints are. Knows one small file beside them, no server: it holds while none can be asked.

Trainers of one data folder share the checkpoints of a run. One that was stopped in the middle of a step, and lost its job meanwhile, may wake up before it
learns of that, and would save and prune among the checkpoints of the trainer that has the job now. So each writes its name there when it takes the run up, and
looks for it before it saves (a fencing token; Kleppmann, "How to do distributed locking", 2016).
"""

from pathlib import Path

from guessbook.clients.errors import Displaced
from guessbook.trainer.durable import write_durably

FILE = "holder"


class Claim:
    """On the folder of a run. `holder` names one process of one trainer: its name and epoch. The newest claim counts."""

    def __init__(self, folder: Path, holder: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE
        self._holder = holder
        write_durably(self._file, holder)

    def check(self) -> None:
        """Raises Displaced when another process has taken the run up since."""
        try:
            holder = self._file.read_text()
        except FileNotFoundError:  # the checkpoints were removed, and so is what could be harmed
            return
        if holder != self._holder:
            raise Displaced(
                f"the run of {self._file.parent} was taken up by trainer {holder}; {self._holder} could not be reached for too long",
                "Nothing of the job is lost or double: its checkpoints are that trainer's.",
            )
