"""The spool: numbers go on over restarts, and what the server has is dropped."""

from pathlib import Path

import pytest

from guessbook.store.spool import NoRoom, Spool, SpoolInUse


def _content(spool: Spool) -> list[tuple[int, bytes]]:
    rows, sequence = [], -1
    while row := spool.next_after(sequence):
        rows.append(row)
        sequence = row[0]
    return rows


def test_batches_stay_until_they_are_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path) as spool:
        assert [spool.append(b"a"), spool.append(b"b"), spool.append(b"c")] == [1, 2, 3]
        spool.join(0)
        spool.acknowledge(1)
    with Spool(path) as spool:
        assert _content(spool) == [(2, b"b"), (3, b"c")]
        assert spool.append(b"d") == 4
        spool.acknowledge(4)
        assert len(spool) == 0
        assert spool.append(b"e") == 5


def test_joining_drops_what_the_server_has(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.join(0)
        for payload in (b"a", b"b", b"c"):
            spool.append(payload)
        spool.join(2)
        assert _content(spool) == [(3, b"c")]


def test_a_new_file_goes_on_behind_what_the_server_knows(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.append(b"a")
        spool.append(b"b")
        spool.join(7)
        assert _content(spool) == [(8, b"a"), (9, b"b")]
        assert spool.append(b"c") == 10


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path), pytest.raises(SpoolInUse, match="another process"):
        Spool(path)


def test_it_knows_its_size_and_a_full_disk_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "p.sqlite"
    with Spool(path) as spool:
        assert spool.append(b"x" * 1000) == 1
        assert spool.append(b"y" * 500) == 2
        assert (len(spool), spool.size_bytes) == (2, 1500)
        spool._database.execute("PRAGMA max_page_count = 1")  # what a full disk is to SQLite
        with pytest.raises(NoRoom):
            spool.append(b"z" * 1_000_000)
        assert (len(spool), spool.size_bytes, spool.last_sequence) == (2, 1500, 2)
        spool._database.execute("PRAGMA max_page_count = 1000000")
        assert spool.append(b"z") == 3
        spool.acknowledge(1)
        assert (len(spool), spool.size_bytes) == (2, 501)
    with Spool(path) as again:
        assert (len(again), again.size_bytes) == (2, 501)
        again.join(10)  # the first time: numbered behind what the server has
        assert (len(again), again.size_bytes) == (2, 501)
        again.join(13)
        assert (len(again), again.size_bytes) == (0, 0)
