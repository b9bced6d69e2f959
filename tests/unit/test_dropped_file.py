"""Files that others put into our folders: what can be taken, and that no move ever replaces anything."""

import os
from pathlib import Path

import pytest

from guessbook.store import dropped_file
from guessbook.store.artifacts import Artifacts
from guessbook.store.dropped_file import StillWritten, Unfit, free_name


def test_a_plain_file_is_stored(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    artifacts = Artifacts(tmp_path / "artifacts")
    stored = dropped_file.store(tmp_path / "a", artifacts, 3)
    assert artifacts.path(stored.sha256).read_bytes() == b"abc"
    assert stored.owner == dropped_file.owner(tmp_path / "a")


def test_what_is_too_large_or_empty_is_not_stored(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").touch()
    artifacts = Artifacts(tmp_path / "artifacts")
    with pytest.raises(Unfit, match="it has 3 bytes; at most 2 are taken"):
        dropped_file.store(tmp_path / "a", artifacts, 2)
    with pytest.raises(Unfit, match="it is empty"):
        dropped_file.store(tmp_path / "b", artifacts, 2)
    assert [path for path in artifacts.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("content", "told"), [(b"x" * 11, "it has more than 10 bytes"), (b"a\xff", "its byte 2 is not UTF-8")]
)
def test_a_text_that_can_not_be_read_is_unfit(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Unfit, match=told):
        dropped_file.read_text(tmp_path / "a", 10)


def test_links_and_folders_are_unfit(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(Unfit, match="it is a link"):
        dropped_file.read_text(tmp_path / "link", 10)
    with pytest.raises(Unfit, match="it is a folder"):
        dropped_file.read_text(tmp_path, 10)


def test_a_file_that_is_open_for_writing_is_not_complete(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    with (tmp_path / "a").open("wb") as writer:
        writer.write(b"abc")
        writer.flush()
        with pytest.raises(StillWritten):
            dropped_file.store(tmp_path / "a", artifacts, 10)
    assert dropped_file.store(tmp_path / "a", artifacts, 10)


def test_a_move_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        dropped_file.move(tmp_path / "a", tmp_path / "b")
    dropped_file.move(tmp_path / "a", tmp_path / "new" / "a")
    assert ((tmp_path / "new" / "a").read_text(), (tmp_path / "b").read_text()) == ("a", "b")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system, /dev/shm")
def test_a_move_to_another_disk_is_a_whole_copy_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    target = Path("/dev/shm") / f"guessbook-{os.getpid()}" / "a"
    try:
        dropped_file.move(tmp_path / "a", target)
        assert target.read_bytes() == b"abc"
        assert not (tmp_path / "a").exists()
        assert [path.name for path in target.parent.iterdir()] == ["a"]
    finally:
        target.unlink(missing_ok=True)
        target.parent.rmdir()


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("a.jsonl", "a_3.jsonl"),
        ("b.jsonl", "b.jsonl"),
        ("x" * 300 + ".jsonl", "x" * 194 + ".jsonl"),
        ("a\nb\udcff.jsonl", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}.jsonl"),
    ],
)
def test_a_name_that_is_free(name: str, free: str) -> None:
    assert free_name(name, lambda one: one not in ("a.jsonl", "a_2.jsonl")) == free


def test_a_file_that_is_changed_or_replaced_is_another(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"abc")
    before = dropped_file.state(file)
    assert dropped_file.state(file) == before
    other.write_bytes(b"abc")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.rename(file)
    assert dropped_file.state(file) != before
    file.unlink()
    assert dropped_file.state(file) == ()


def test_a_file_of_ours_is_written_where_nothing_is(tmp_path: Path) -> None:
    dropped_file.write(tmp_path / "new" / "a", [b"ab", b"c"])
    with pytest.raises(FileExistsError):
        dropped_file.write(tmp_path / "new" / "a", [b"x"])
    assert (tmp_path / "new" / "a").read_bytes() == b"abc"


def test_a_name_that_can_be_no_file_is_unfit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    for path in (tmp_path / ("x" * 300), tmp_path / "a" / "b"):
        with pytest.raises(Unfit, match="there can't be a file of that name"):
            dropped_file.read_text(path, 10)
