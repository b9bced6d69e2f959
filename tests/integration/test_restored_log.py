"""A restored log behind a server: it goes on, and whoever wrote to the one before it is fenced. Backups are made beside the running server."""

import time
from pathlib import Path

import grpc
import pytest
from made_events import run_start, step
from server_process import ServerProcess

from guessbook.clients import connection
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Fenced
from guessbook.clients.producer import Producer
from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import Events
from guessbook.proto.history_pb2 import At
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store import backup
from guessbook.store.manifest import Manifest
from guessbook.store.place import BackupFailed, Place
from guessbook.store.restore import restore

PATIENCE_S = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def hot(server: ServerProcess, place: Path) -> Manifest:
    return backup.create(server.home, Place(str(place)), actor="tester")


def restored_server(place: Path, made: Manifest, root: Path) -> ServerProcess:
    restore(Place(str(place)), made, root, actor="tester", reason="test")
    return ServerProcess(root)


def test_a_backup_beside_the_server_has_what_was_acknowledged_before(
    server: ServerProcess, book: Guessbook, folder: Path, tmp_path: Path
) -> None:
    with Producer("p", tmp_path / "p.sqlite", server.address) as producer:
        producer.record(run_start(1))
        for number in range(1, 201):
            producer.record(step(number))
        assert producer.flush(PATIENCE_S)
        head = book.head()
        made = hot(server, folder)
        assert (made.head, made.chain_hash) == (head.position, head.chain_hash.hex())
        producer.record(step(201))
        assert producer.flush(PATIENCE_S)
    before = [event.SerializeToString() for event in book.read()]
    with restored_server(folder, made, tmp_path / "back") as again, again.client() as restored:
        assert [event.SerializeToString() for event in restored.read()][: made.head] == before[: made.head]
        assert restored.run("run-0001") == book.run("run-0001", at=At(position=made.head))
        assert restored.status().log_id == again.home.log_id() != book.status().log_id


def test_a_producer_from_before_a_restore_is_fenced_and_its_spool_kept(
    server: ServerProcess, folder: Path, tmp_path: Path
) -> None:
    spool = tmp_path / "spool" / "p.sqlite"
    old = Producer("p", spool, server.address)
    old.start()
    old.record(run_start(1))
    old.record(step(1))
    assert old.flush(PATIENCE_S)
    made = hot(server, folder)
    old.record(step(2))
    assert old.flush(PATIENCE_S)  # acknowledged, and not in the backup
    log_id = server.home.log_id()
    server.kill()
    for number in (3, 4):
        old.record(step(number))
    assert not old.flush(0.5)
    server.home.root.rename(tmp_path / "lost")
    restore(Place(str(folder)), made, server.home.root, actor="tester")
    server.start()
    with pytest.raises(Fenced, match="restored") as fenced:
        _until_failed(old)
    aside = spool.with_name(f"p.log-{log_id}.sqlite")
    assert str(aside) in fenced.value.hint
    old.close(0)
    assert aside.exists()
    assert not spool.exists()
    with Producer("p", spool, server.address) as new:
        assert new.wait_welcome(PATIENCE_S) > 1_000_000
        new.record(step(2))
        assert new.flush(PATIENCE_S)
    with server.client() as book:
        steps = [
            event.step_completed.step for event in book.read(subjects=["run/"]) if event.HasField("step_completed")
        ]
    assert steps == [1, 2]


def _until_failed(producer: Producer) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if producer.failure:
            raise producer.failure
        time.sleep(0.02)


def test_a_spool_that_was_never_emptied_is_not_sent_into_a_restored_log(
    server: ServerProcess, folder: Path, tmp_path: Path
) -> None:
    """The trainer's process ended before the restore; the next one finds its spool."""
    spool = tmp_path / "p.sqlite"
    with Producer("p", spool, server.address) as producer:
        producer.record(run_start(1))
        assert producer.flush(PATIENCE_S)
        made = hot(server, folder)
        server.kill()
        producer.record(step(1))
        assert not producer.close(0.5)
    server.home.root.rename(tmp_path / "lost")
    restore(Place(str(folder)), made, server.home.root, actor="tester")
    server.start()
    late = Producer("p", spool, server.address)
    late.start()
    with pytest.raises(Fenced, match="restored"):
        late.wait_welcome(PATIENCE_S)
    late.close(0)
    assert not spool.exists()


@pytest.mark.parametrize("tells_log", [True, False])
def test_a_stream_with_a_log_id_or_an_epoch_from_before_is_refused(
    server: ServerProcess, folder: Path, tmp_path: Path, tells_log: bool
) -> None:
    hello = log_pb2.Hello(producer="p")
    with connection.channel(server.address) as channel:
        requests = [
            log_pb2.AppendRequest(hello=hello),
            log_pb2.AppendRequest(batch=log_pb2.Batch(sequence=1, events=Events(events=[run_start(1)]))),
        ]
        answers = list(LogStub(channel).Append(iter(requests)))
    welcome = answers[0].welcome
    assert welcome.log_id == server.home.log_id()
    made = hot(server, folder)
    with restored_server(folder, made, tmp_path / "back") as again, connection.channel(again.address) as channel:
        log_id = welcome.log_id if tells_log else ""
        hello = log_pb2.Hello(producer="p", epoch=0 if tells_log else welcome.epoch, log_id=log_id)
        with pytest.raises(grpc.RpcError) as refused:
            list(LogStub(channel).Append(iter([log_pb2.AppendRequest(hello=hello)])))
        assert refused.value.code() == grpc.StatusCode.ABORTED
        other = log_pb2.Hello(producer="never heard of", epoch=1)
        with pytest.raises(grpc.RpcError) as refused:
            list(LogStub(channel).Append(iter([log_pb2.AppendRequest(hello=other)])))
        assert refused.value.code() == grpc.StatusCode.ABORTED


def test_a_log_whose_beginning_is_archived_is_backed_up_and_restored_as_a_whole(
    folder: Path, tmp_path: Path, server: ServerProcess
) -> None:
    with Producer("p", tmp_path / "p.sqlite", server.address) as producer:
        for event in [run_start(1), *map(step, range(1, 101))]:
            producer.record(event)
        assert producer.flush(PATIENCE_S)
    server.stop()  # signs a checkpoint
    server.start()
    with server.client() as book:
        told = book.archive(reason="tidy").archived
        events = [event.SerializeToString() for event in book.read()]
    first = hot(server, folder)
    archive = server.home.log / "archive" / told.file
    archive.rename(tmp_path / "moved away")
    assert hot(server, folder).head >= first.head  # nothing of it has to be read
    (folder / "second").mkdir()
    with pytest.raises(BackupFailed, match=told.file):
        hot(server, folder / "second")
    (tmp_path / "moved away").rename(archive)
    with restored_server(folder, first, tmp_path / "back") as again, again.client() as restored:
        assert [event.SerializeToString() for event in restored.read()][: first.head] == events[: first.head]
    assert not (again.home.log / "archive").exists()
