"""What a backup is written as: segments, manifests, names at a place. Anything else is refused by name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guessbook.store import manifest, segment
from guessbook.store.artifacts import DamagedArtifact
from guessbook.store.frame import DamagedFrame
from guessbook.store.manifest import Copied, Manifest, Segment
from guessbook.store.place import BackupFailed, BadPlace, DamagedBackup, Place

MADE = Manifest(
    id="20251117T103000Z-000001",
    kind="manual",
    created="2025-11-17T10:30:00+00:00",
    reason="before the move",
    actor="anna",
    version="0.1.0",
    log_id="a",
    origin="a",
    head=7,
    chain_hash="00" * 32,
    segments=[Segment(1, 7, "00" * 32, "aa" * 32, 99)],
    files=[Copied("config.yaml", "bb" * 32, 10)],
    missing=[],
    new_bytes=109,
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest.parse(json.loads(MADE.text()), "it") == MADE
    assert MADE.objects == {"aa" * 32: 99, "bb" * 32: 10}


def test_a_manifest_that_was_changed_is_none() -> None:
    told = json.loads(MADE.text())
    for key in told:
        with pytest.raises(DamagedBackup):
            manifest.parse({**told, key: "other"}, "it")
        with pytest.raises(DamagedBackup):
            manifest.parse({name: value for name, value in told.items() if name != key}, "it")
    nothings: list[object] = [[], "text", None, {}]
    for nothing in nothings:
        with pytest.raises(DamagedBackup):
            manifest.parse(nothing, "it")


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "artifacts/../../outside", ""])
def test_a_manifest_names_no_file_outside_of_the_data_folder(path: str) -> None:
    bad = replace(MADE, files=[Copied(path, "bb" * 32, 10)])
    with pytest.raises(DamagedBackup, match="outside"):
        manifest.parse(json.loads(bad.text()), "it")


@pytest.mark.parametrize(
    "data", [b"", b"GBS0", b"GBS1\x01", b"GBS1\x09\x00\x01\x00\x00\x00\x01ab", b"GBS1\x01\xff\xff\xff\xff\xff\xff"]
)
def test_bytes_that_are_no_segment_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedFrame):
        segment.parse(data)


def test_a_place_keeps_each_content_once_and_reads_it_back(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    sha256, size = place.write_object("id", [b"some ", b"bytes"])
    assert place.write_object("id", [b"some bytes"]) == (sha256, size) == (sha256, 10)
    assert place.objects() == {sha256: 10}
    assert b"".join(place.read_object(sha256)) == b"some bytes"
    with pytest.raises(DamagedArtifact):
        place.write_object("id", [b"other bytes"], sha256)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [sha256]


def test_a_damaged_object_is_never_given_and_is_put_aside_by_a_whole_one(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    sha256, _ = place.write_object("id", [b"some bytes"])
    [file] = tmp_path.rglob(sha256)
    file.write_bytes(b"some bytez")
    with pytest.raises(DamagedBackup, match="were changed"):
        list(place.read_object(sha256))
    place.write_object("id", [b"some bytes"])
    assert b"".join(place.read_object(sha256)) == b"some bytes"
    assert [path.read_bytes() for path in tmp_path.rglob("*.damaged-*")] == [b"some bytez"]


def test_what_was_left_behind_long_ago_is_removed(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name in ("20200101T000000Z-000001-abcd", "29990101T000000Z-000001-abcd", "something"):
        (incoming / name).write_bytes(b"torn")
    place.clean()
    assert sorted(path.name for path in incoming.iterdir()) == ["29990101T000000Z-000001-abcd", "something"]


def test_a_manifest_is_never_overwritten(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    place.write_manifest("manual", "id", b"{}")
    with pytest.raises(BackupFailed, match="is there already"):
        place.write_manifest("manual", "id", b"[]")
    assert place.read_manifest(place.manifests()["id"]) == {}


def test_a_place_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BadPlace, match="there is no folder"):
        Place(str(tmp_path / "unmounted"))
    with pytest.raises(BadPlace, match="no place"):
        Place("nonsense://host/path")
    (tmp_path / "disk").mkdir()
    place = Place(str(tmp_path / "disk"))
    (tmp_path / "disk").rmdir()
    with pytest.raises(BackupFailed, match="is gone"):
        place.write_object("id", [b"x"])
    assert not (tmp_path / "disk").exists()


def test_a_place_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(BadPlace) as refused:
        Place("nonsense://anna:secret@host/path")
    assert "secret" not in str(refused.value)
