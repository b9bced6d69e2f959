"""Files by content: whole or not at all, and never served changed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    content = b"a" * 3_000_000
    sha256 = artifacts.write([content[:1000], content[1000:]])
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert b"".join(artifacts.read(sha256)) == content
    assert artifacts.put(artifacts.path(sha256)) == sha256


def test_a_write_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError("the source went away")

    with pytest.raises(OSError, match="went away"):
        artifacts.write(broken())
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    path = artifacts.path(artifacts.write([b"content"]))
    path.chmod(0o644)
    path.write_bytes(b"CONTENT")
    with pytest.raises(DamagedArtifact):
        list(artifacts.read(path.name))


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_what_is_not_there_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingArtifact):
        Artifacts(tmp_path).path(name)
