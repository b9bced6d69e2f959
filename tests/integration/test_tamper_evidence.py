"""What somebody who may write the log's files can do to it, and who notices: verify by itself, or only with a signed checkpoint."""

import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from made_events import step

from guessbook.clients.cli.verify import check_log
from guessbook.proto.events_pb2 import Event
from guessbook.store import frame, signed_checkpoints
from guessbook.store.errors import Contradicted
from guessbook.store.home import Home
from guessbook.store.log import Append, Log
from guessbook.store.notary import Impossible, Notary
from guessbook.store.reader import LogReader
from guessbook.store.signing import BadCheckpoint
from guessbook.store.tree import CHUNK
from guessbook.store.verify import Verdict, verify

MAP = 64 * 1024 * 1024
COMMIT = 10  # events of a commit
PAGE = 4096
MIDDLE = 5001  # the first position of a commit

Frames = dict[int, bytes]  # first position → stored bytes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A data folder with a log of 100 events in ten commits."""
    made = Home(tmp_path / "home")
    made.root.mkdir()
    append(made, 100)
    assert verify(made.log).ok
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder for checkpoints that whoever changes the log can't reach."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def append(home: Home, count: int, now_us: int = 1_000_000) -> None:
    log = Log(home.log, map_bytes=MAP)
    for start in range(log.head.position + 1, log.head.position + count + 1, COMMIT):
        log.commit([Append([step(start + i) for i in range(COMMIT)], "local")], now_us=now_us)
    log.close()


def sign(home: Home, *folders: Path) -> str:
    with LogReader(home.log) as reader:
        return Notary(home, reader, folders).sign()


def change(home: Home, edit: Callable[[Frames], None]) -> None:
    """Edits the stored frames, as a program could that isn't this one."""
    env = lmdb.open(str(home.log), max_dbs=8, map_size=MAP)
    database = env.open_db(b"frames")
    with env.begin(write=True) as transaction:
        frames = {int.from_bytes(key, "big"): bytes(data) for key, data in transaction.cursor(database)}
        edit(frames)
        transaction.drop(database, delete=False)
        for position, data in frames.items():
            transaction.put(position.to_bytes(8, "big"), data, db=database)
    env.close()


def rewrite(home: Home, edit: Callable[[list[Event]], None], commit: int = COMMIT) -> None:
    """Edits the events and computes every hash anew: a log that is sound in itself, with the same id and index."""
    with LogReader(home.log) as reader:
        events, log_id = list(reader.events(1, 100)), reader.log_id
    edit(events)

    def write(frames: Frames) -> None:
        frames.clear()
        chain_hash = frame.genesis(log_id)
        for start in range(0, len(events), commit):
            first_position = start + 1
            bare = [Event.FromString(event.SerializeToString()) for event in events[start : start + commit]]
            for event in bare:
                event.ClearField("position")
                event.ClearField("recorded_at_us")
                event.ClearField("actor")
            part = frame.Part("local", len(bare), Append(bare, "local").raw)
            data, chain_hash = frame.encode(first_position, 1_000_000, [part], chain_hash)
            frames[first_position] = data

    change(home, write)


def worsen(events: list[Event]) -> None:
    events[56].step_completed.loss = 1e-9


def flip(frames: Frames) -> None:
    frames[41] = frames[41][:80] + bytes([frames[41][80] ^ 1]) + frames[41][81:]


def swap(frames: Frames) -> None:
    frames[41], frames[51] = frames[51], frames[41]


def cut_out(frames: Frames) -> None:
    del frames[41]


def cut_off(frames: Frames) -> None:
    for position in range(81, 101, COMMIT):
        del frames[position]


def cut_to_50(frames: Frames) -> None:
    for position in range(51, 101, COMMIT):
        del frames[position]


@pytest.mark.parametrize("edit", [flip, swap, cut_out])
def test_a_change_in_the_middle_is_named_by_position(home: Home, edit: Callable[[Frames], None]) -> None:
    change(home, edit)
    verdict = verify(home.log)
    assert not verdict.ok
    assert verdict.first_bad_position == 41
    assert verdict.head == 40
    assert "41" in verdict.problem


def test_damage_to_the_files_structure_is_found_behind_the_last_good_position(home: Home) -> None:
    append(home, 9_900)
    data = (home.log / "data.mdb").read_bytes()
    pages = [data[start : start + PAGE] for start in range(0, len(data), PAGE)]
    header = frame.MAGIC + MIDDLE.to_bytes(8, "big")
    assert any(header in page for page in pages)
    for harm in (b"\xa5" * PAGE, bytes(PAGE)):  # LMDB notices the one, and ends the process at the other
        (home.log / "data.mdb").write_bytes(b"".join(harm if header in page else page for page in pages))
        verdict = check_log(home)
        assert not verdict["ok"]
        assert MIDDLE // 2 < verdict["head"] < MIDDLE
        assert f"behind position {verdict['head']}" in verdict["problem"]


def test_a_log_that_lost_its_end_is_known_by_a_signed_checkpoint_alone(home: Home, outside: Path) -> None:
    sign(home, outside)
    change(home, cut_off)
    shutil.rmtree(home.signed_checkpoints)
    assert verify(home.log).ok  # in itself it is sound: nothing in it tells that it was longer
    assert_ends_at_80(verify(home.log, [outside]))
    [file] = signed_checkpoints.files(outside)
    assert_ends_at_80(verify(home.log, [file]))


def assert_ends_at_80(verdict: Verdict) -> None:
    assert not verdict.ok
    assert (verdict.head, verdict.first_bad_position) == (80, 81)
    assert "ends at position 80" in verdict.problem
    assert "the last 20 are gone" in verdict.problem


def test_an_old_copy_in_the_logs_place_is_known_by_a_signed_checkpoint(home: Home, tmp_path: Path) -> None:
    shutil.copytree(home.log, tmp_path / "copy")
    append(home, 50)
    sign(home)
    shutil.rmtree(home.log)
    shutil.copytree(tmp_path / "copy", home.log)
    verdict = verify(home.log)
    assert (verdict.ok, verdict.head, verdict.first_bad_position) == (False, 100, 101)
    assert "the last 50 are gone" in verdict.problem


def test_a_log_written_anew_with_every_hash_right_is_known_by_a_signed_checkpoint(home: Home) -> None:
    change(home, cut_to_50)
    sign(home)
    append(home, 50)
    sign(home)
    rewrite(home, worsen)
    assert verify(home.log, []).ok
    verdict = verify(home.log)
    assert (verdict.ok, verdict.head, verdict.first_bad_position) == (False, 50, 51)
    assert "between the positions 51 and 100" in verdict.problem
    assert [one.ok for one in verdict.checkpoints] == [True, False]


def test_the_same_events_in_other_commits_are_noticed(home: Home) -> None:
    sign(home)
    rewrite(home, lambda events: None, commit=2 * COMMIT)
    verdict = verify(home.log)
    assert (verdict.ok, verdict.head, verdict.first_bad_position) == (False, 0, 1)
    assert "in other commits" in verdict.problem


def test_another_log_in_the_logs_place_is_noticed(home: Home) -> None:
    sign(home)
    shutil.rmtree(home.log)
    append(home, 100)
    verdict = verify(home.log)
    assert (verdict.ok, verdict.head, verdict.first_bad_position) == (False, 0, 1)
    assert "replaced" in verdict.problem


def test_a_changed_checkpoint_is_not_relied_on(home: Home, outside: Path) -> None:
    sign(home, outside)
    [file] = signed_checkpoints.files(outside)
    file.chmod(0o644)
    file.write_text(file.read_text().replace("\n100\n", "\n90\n"))
    verdict = verify(home.log, [file])
    assert not verdict.ok
    assert "changed after it was signed" in verdict.problem
    assert verdict.head == 100


def test_agreement_is_told_too(home: Home, outside: Path) -> None:
    sign(home, outside)
    append(home, 10)
    sign(home, outside)
    append(home, 10)
    verdict = verify(home.log, [outside])
    assert verdict.ok
    assert [one.size for one in verdict.checkpoints] == [100, 110]
    assert verdict.head == 120


def test_nothing_is_signed_or_proven_over_a_log_that_lost_its_end(home: Home) -> None:
    old = sign(home)
    change(home, cut_off)
    with LogReader(home.log) as reader:
        notary = Notary(home, reader)
        with pytest.raises(Contradicted, match="its end is gone"):
            notary.sign()
        with pytest.raises(Contradicted, match="its end is gone"):
            notary.prove(5)
        with pytest.raises(Contradicted, match="its end is gone"):
            notary.extends(old)
    assert len(signed_checkpoints.files(home.signed_checkpoints)) == 1


def test_nothing_is_signed_over_a_log_written_anew(home: Home, outside: Path) -> None:
    sign(home, outside)
    shutil.rmtree(home.signed_checkpoints)
    rewrite(home, worsen)
    with LogReader(home.log) as reader, pytest.raises(Contradicted, match="written anew"):
        Notary(home, reader, [outside]).sign()


def test_a_checkpoint_is_written_where_it_can_be_when_a_folder_is_gone(home: Home, outside: Path) -> None:
    with LogReader(home.log) as reader, pytest.raises(OSError, match="gone"):
        Notary(home, reader, [outside / "gone", outside]).sign()
    assert len(signed_checkpoints.files(outside)) == len(signed_checkpoints.files(home.signed_checkpoints)) == 1
    (outside / "gone").mkdir()
    sign(home, outside / "gone", outside)
    assert len(signed_checkpoints.files(outside / "gone")) == 1


def test_what_is_not_in_the_log_has_no_proof(home: Home) -> None:
    note = sign(home)
    with LogReader(home.log) as reader:
        notary = Notary(home, reader)
        for position in (0, 101):
            with pytest.raises(Impossible, match="1 to 100"):
                notary.prove(position)
        with pytest.raises(BadCheckpoint, match="no signed checkpoint"):
            notary.extends("anything")
        with pytest.raises(BadCheckpoint, match="changed after"):
            notary.extends(note.replace("\n100\n", "\n90\n"))


@pytest.mark.parametrize("harm", ["delete", "flip", "tear", "lengthen"])
def test_the_cache_of_hashes_can_be_harmed_without_harm(home: Home, harm: str) -> None:
    append(home, 2 * CHUNK)
    first = sign(home)
    [cache] = home.cache.iterdir()
    data = cache.read_bytes()
    assert len(data) == 2 * 36
    append(home, COMMIT)
    if harm == "delete":
        cache.unlink()
    elif harm == "flip":
        cache.write_bytes(data[:3] + bytes([data[3] ^ 1]) + data[4:])
    elif harm == "tear":
        cache.write_bytes(data[:-5])
    else:
        cache.write_bytes(data * 5)
    second = sign(home)
    assert first != second
    assert cache.read_bytes() == data
    assert verify(home.log).ok  # it computes the roots without the cache


def test_the_cache_of_another_history_is_dropped(home: Home) -> None:
    append(home, CHUNK)
    sign(home)
    [cache] = home.cache.iterdir()
    shutil.rmtree(home.signed_checkpoints)
    shutil.rmtree(home.log)
    append(home, 2 * CHUNK, now_us=2_000_000)
    with LogReader(home.log) as reader:
        cache.rename(home.cache / f"merkle-{reader.log_id}")
    sign(home)
    assert verify(home.log).ok
