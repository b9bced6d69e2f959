"""A book in which every page of the dashboard has something to show. Knows no page."""

from pathlib import Path

import yaml
from e2e.scripted import ScriptedTrainer
from made_events import write_questions
from made_versions import ScriptedTrainer as VersionMaker
from operations import carried_out
from server_process import ServerProcess

from guessbook.clients.client import Guessbook

MANY = 24
PAGES = {
    "/": "",
    "/evolution": "",
    "/example": "example=1",
    "/versions": "version=v002&with=v001",
    "/audit": "",
    "/backups": "",
}


def furnish(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, folder: Path) -> None:
    """Two versions, one with a copy in two places, one deleted; a run that learns, forgets and goes on; a job that waits."""
    second = folder / "second-disk"
    second.mkdir()
    places = [{"name": "second-disk", "url": str(second)}]
    server.home.config.write_text(yaml.safe_dump({"backup": {"places": places}}))
    maker = VersionMaker(server, folder, "maker")
    first = maker.version(book, "first")
    book.note_version(first, "the one to compare with")
    maker.version(book, "second", parent=first)
    dropped = maker.version(book, "dropped")
    maker.close()
    book.create_backup()
    carried_out(book, "delete-version", dropped, reason="it was a mistake")
    book.submit(write_questions(folder / "now.jsonl", MANY), name="now.jsonl")
    trainer.take(total_steps=200, examples=MANY)
    for step, right in ((0, 0), (10, 12), (20, 20), (30, 16)):
        trainer.steps(step - 9 if step else 1, step, [2.0 / (1 + step)] * MANY)
        guesses = [str(2 * i) if i < right else f"{i} or so" for i in range(MANY)]
        correct = [i < right for i in range(MANY)]
        trainer.snapshot(
            step, guesses, correct, [0.05 if ok else 3.0 / (1 + i + step / 9) for i, ok in enumerate(correct)]
        )
    book.submit(write_questions(folder / "later.jsonl", 6), name="later.jsonl")
