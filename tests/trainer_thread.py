"""A trainer at work in a thread of the test, and a small job for it."""

import json
import threading
from pathlib import Path
from typing import Any, Self

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Fenced
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.home import Home
from guessbook.trainer.daemon import Daemon

PATIENCE_S = 60


class Working:
    """A trainer at work in a thread of its own."""

    def __init__(self, home: Home, book: Guessbook, *, once: bool = False) -> None:
        self.daemon = Daemon(home, book.address, "box", once=once)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.leave()
        self.join()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.daemon.run()
        except Fenced as error:
            self.error = error


def submit(book: Guessbook, home: Home, model: Path, **config: Any) -> str:
    data = home.root / "sums.jsonl"
    data.write_text("".join(json.dumps({"question": f"{i}+{i}?", "answer": str(2 * i)}) + "\n" for i in range(8)))
    fields: dict[str, Any] = {
        "base_model": str(model),
        "max_steps": 6,
        "save_steps": 2,
        "snapshot_steps": [3],
        "max_new_tokens": 4,
    }
    return book.submit(data, config=TrainingConfig(**(fields | config))).job.id
