"""The artifacts of a server that lies elsewhere: this folder is a cache of them. Knows the client, not what the files are."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from guessbook.clients.client import Guessbook
from guessbook.store.artifacts import Artifacts, DamagedArtifact


class UntilAnswered(Protocol):
    """Asks the server, again as long as it can't be reached."""

    def __call__(self, ask: Callable[[], Any]) -> Any: ...


class RemoteArtifacts(Artifacts):
    """For a trainer whose data folder is not the server's. What it lacks is fetched, and what it stores is at the server, too, before its hash is returned.

    Raises GuessbookError besides, NotFound for a file that the server doesn't have.
    """

    def __init__(self, root: Path, book: Guessbook, until_answered: UntilAnswered) -> None:
        super().__init__(root)
        self._book = book
        self._until_answered = until_answered

    def path(self, sha256: str) -> Path:
        if not self.exists(sha256):
            self._until_answered(lambda: self._fetch(sha256))
        return super().path(sha256)

    def write(self, blocks: Iterable[bytes]) -> str:
        sha256 = super().write(blocks)
        self._until_answered(lambda: self._book.upload(self.place(sha256)))
        return sha256

    def _fetch(self, sha256: str) -> None:
        with self.incoming() as file:
            for piece in self._book.download(sha256):
                file.add(piece)
            if (arrived := file.finish()) != sha256:
                raise DamagedArtifact(f"what came from the server as {sha256} has SHA-256 {arrived}")
