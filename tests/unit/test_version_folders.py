"""A version's folder: whole or not at all, made again when it is gone, with metadata that tells the truth."""

import json
from pathlib import Path

import pytest
from made_events import RUN, beginning, numbered
from rich.console import Console

from guessbook.clients.cli import version_view
from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.projections.version_metadata import metadata, metadata_text
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import ListVersionsResponse
from guessbook.server import version_folders
from guessbook.store.artifacts import Artifacts, MissingArtifact
from guessbook.store.home import Home


def _book(files: list[e.File], baseline: float = 0.25) -> Book:
    body = e.VersionCreated(
        slug="facts",
        run=RUN,
        dataset="d" * 64,
        base_model="tiny",
        files=files,
        steps=9,
        final_loss=0.5,
        baseline_accuracy=baseline,
        final_accuracy=0.75,
    )
    return book_fold.fold(numbered([*beginning(3), Event(subject=f"run/{RUN}", version_created=body)]))


def _lay_out(home: Home, artifacts: Artifacts, book: Book) -> Path:
    version = book.versions.versions[0]
    return version_folders.lay_out(home, artifacts, version, metadata_text(book, version))


def test_a_folder_has_the_files_and_the_metadata(tmp_path: Path) -> None:
    home, artifacts = Home(tmp_path), Artifacts(tmp_path / "artifacts")
    sha256 = artifacts.write([b"weights"])
    book = _book([e.File(path="adapter_model.safetensors", sha256=sha256, bytes=7)])
    folder = _lay_out(home, artifacts, book)
    assert folder.name == "v001_19700101_facts"
    assert (folder / "adapter_model.safetensors").read_bytes() == b"weights"
    told = json.loads((folder / "metadata.json").read_text())
    assert told["version"] == folder.name
    assert told["training_data"] == {"file": "facts.jsonl", "examples": 3, "md5": "", "sha256": "d" * 64}
    assert told["performance"] == {"baseline_accuracy": 0.25, "final_accuracy": 0.75, "improvement": 0.5}
    assert (told["training_config"]["steps"], told["training_config"]["final_loss"]) == (9, 0.5)
    version_folders.point_latest(home, folder.name)
    version_folders.point_latest(home, folder.name)
    assert (home.versions / "latest").resolve() == folder
    assert _lay_out(home, artifacts, book) == folder


def test_without_snapshots_there_is_no_accuracy(tmp_path: Path) -> None:
    book = _book([], baseline=-1)
    told = metadata(book, book.versions.versions[0])
    assert told["performance"] == {"baseline_accuracy": None, "final_accuracy": 0.75, "improvement": None}


def test_an_adapter_says_what_it_was_consolidated_into_as_long_as_that_is_there() -> None:
    book = _book([])
    adapter = book.versions.versions[0]
    merged = e.VersionCreated(slug="merged", parent=adapter.name, run="run-0002", consolidation=e.Consolidation())
    made = numbered([Event(subject="run/run-0002", version_created=merged)], start=book.position + 1)
    book = book_fold.apply(book, made[0])
    name = book.versions.versions[1].name
    assert metadata(book, adapter)["consolidated_into"] == name
    assert metadata(book, book.versions.versions[1])["consolidated_into"] is None
    shown = version_view.tree(ListVersionsResponse(versions=reversed(book.versions.versions)))
    console = Console(width=120)
    with console.capture() as told:
        console.print(shown)
    assert told.get().count("consolidated into v002") == 1
    gone = numbered([Event(subject=f"version/{name}", version_deleted=e.VersionDeleted())], start=book.position + 1)
    assert metadata(book_fold.apply(book, gone[0]), adapter)["consolidated_into"] is None


@pytest.mark.parametrize(
    ("file", "error"),
    [(e.File(path="a", sha256="0" * 64), MissingArtifact), (e.File(path="../../a", sha256="0" * 64), ValueError)],
)
def test_what_can_not_be_laid_out_leaves_nothing(tmp_path: Path, file: e.File, error: type[Exception]) -> None:
    home = Home(tmp_path)
    with pytest.raises(error):
        _lay_out(home, Artifacts(tmp_path / "artifacts"), _book([file]))
    assert list(home.versions.iterdir()) == []
