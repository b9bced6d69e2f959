"""Who gets in, as whom, and what may be done: over real sockets, with and without TLS."""

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from certificates import Authority
from made_events import run_start, step, write_questions
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import (
    Forbidden,
    GuessbookError,
    Invalid,
    NotFound,
    Rejected,
    Unauthenticated,
    Unreachable,
)
from guessbook.clients.producer import Producer
from guessbook.proto import artifacts_pb2, history_pb2, log_pb2, raw_pb2
from guessbook.proto import events_pb2 as e
from guessbook.server.rights import RIGHTS
from guessbook.server.tokens import ROLES

PATIENCE_S = 30.0
Metadata = tuple[tuple[str, str | bytes], ...]

# Those whose request is a stream; the others take one message.
STREAMING = {"Append", "Upload", "ServerReflectionInfo"}
ENDLESS = {"Subscribe", "Watch"}


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def _same(message: bytes) -> bytes:
    return message


def ask(
    channel: grpc.Channel, method: str, metadata: Metadata, messages: Iterable[bytes] | None = None
) -> tuple[grpc.StatusCode, str]:
    """Any method, without its stub: the status that a call ends with; OK at the first answer of one that never ends."""
    if messages is None:
        messages = [] if method.rpartition("/")[2] in STREAMING else [b""]
    call: Any = channel.stream_stream(method, _same, _same)(iter(messages), metadata=metadata, timeout=PATIENCE_S)
    try:
        for _ in call:
            if method.rpartition("/")[2] in ENDLESS:
                break
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    finally:
        call.cancel()
    return grpc.StatusCode.OK, ""


@pytest.fixture
def plain(server: ServerProcess) -> Iterator[grpc.Channel]:
    """A channel that carries no token by itself."""
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_call_what_the_table_says_and_nothing_else(
    role: str, server: ServerProcess, plain: grpc.Channel
) -> None:
    token = (server.home.tokens / role).read_text().strip()
    for method, may in RIGHTS.items():
        code, said = ask(plain, method, bearer(token))
        assert code != grpc.StatusCode.UNAUTHENTICATED, method
        assert (code == grpc.StatusCode.PERMISSION_DENIED) == (ROLES[role] not in may), (method, code, said)


def test_nobody_calls_anything_without_a_token(server: ServerProcess, plain: grpc.Channel) -> None:
    good = server.home.token("admin")
    wrong: list[Metadata] = [
        (),
        bearer(""),
        bearer("x"),
        bearer(good[:-1]),
        bearer(good + "x"),
        (("authorization", good),),
        (("authorization", f"Basic {good}"),),
        bearer(good) * 2,
    ]
    for method in RIGHTS:
        for metadata in wrong:
            code, said = ask(plain, method, metadata)
            assert code == grpc.StatusCode.UNAUTHENTICATED, (method, metadata)
            assert "GUESSBOOK_TOKEN" in said
    assert ask(plain, "/guessbook.v1.Log/Head", bearer(good))[0] == grpc.StatusCode.OK
    assert ask(plain, "/guessbook.v1.Log/Nothing", bearer(good))[0] == grpc.StatusCode.UNIMPLEMENTED


def test_the_client_says_what_to_do(server: ServerProcess) -> None:
    with Guessbook(server.address, "wrong") as nobody, pytest.raises(Unauthenticated) as refused:
        nobody.status()
    assert "guessbook token create" in refused.value.hint
    with Guessbook(server.address, server.home.token("viewer")) as viewer:
        assert viewer.status().head
        with pytest.raises(Forbidden, match="viewer's and may not call PauseJob") as forbidden:
            viewer.pause()
        assert "operator or admin" in forbidden.value.hint
        with pytest.raises(Forbidden):
            viewer.tokens()


def test_the_actor_is_the_tokens_name_whatever_the_payload_says(server: ServerProcess, tmp_path: Path) -> None:
    with server.client() as admin:
        anna = admin.create_token("anna", e.ROLE_OPERATOR).secret
        box = admin.create_token("box", e.ROLE_TRAINER).secret
        with Guessbook(server.address, anna) as book:
            book.submit(write_questions(tmp_path / "sums.jsonl", 2), config=e.TrainingConfig(base_model="tiny"))
        producer = Producer("p", tmp_path / "p.sqlite", server.address, token=box)
        producer.start()
        producer.record(run_start(1))
        assert producer.close(PATIENCE_S)
        liar = Producer("liar", tmp_path / "liar.sqlite", server.address, token=box)
        liar.start()
        lie = step(1)
        lie.actor = "admin"
        liar.record(lie)
        liar.flush(PATIENCE_S)
        liar.close(0)
        actors = {event.WhichOneof("body"): event.actor for event in admin.read()}
    assert actors["job_queued"] == "anna"
    assert actors["run_started"] == "box"
    assert actors["token_created"] == "admin"
    assert actors["server_started"] == "server"
    assert actors.get("step_completed") in (None, "box")


def test_a_token_is_made_listed_and_revoked_and_all_of_it_is_in_the_log(server: ServerProcess, book: Guessbook) -> None:
    secret = book.create_token("anna", e.ROLE_VIEWER).secret
    with Guessbook(server.address, secret) as anna:
        assert anna.head().position
        with pytest.raises(Rejected, match="already"):
            book.create_token("anna", e.ROLE_ADMIN)
        with pytest.raises(Invalid):
            book.create_token("server", e.ROLE_ADMIN)
        assert not book.tokens().tokens[-1].revoked_at_us
        book.revoke_token("anna")
        assert book.tokens().tokens[-1].revoked_at_us
        with pytest.raises(Unauthenticated):
            anna.head()
        with pytest.raises(NotFound):
            book.revoke_token("anna")
        server.kill()
        server.start()
        with pytest.raises(Unauthenticated):
            anna.head()
    with server.client() as again:
        told = [(event.WhichOneof("body"), event.actor) for event in again.read(subjects=["token/anna"])]
        assert told == [("token_created", "admin"), ("token_revoked", "admin")]
        assert not [event for event in again.read() if secret.encode() in event.SerializeToString()]
    assert secret not in (server.home.root / "server.log").read_text()


def test_revoking_ends_the_streams_that_are_open(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    viewer, box = (book.create_token(name, role).secret for name, role in (("v", e.ROLE_VIEWER), ("b", e.ROLE_TRAINER)))
    with Guessbook(server.address, viewer) as reader:
        answers = reader.subscribe(book.head().position + 1)
        ended: list[BaseException] = []

        def follow() -> None:
            try:
                for _ in answers:
                    pass
            except GuessbookError as error:
                ended.append(error)

        following = threading.Thread(target=follow)
        following.start()
        producer = Producer("p", tmp_path / "p.sqlite", server.address, token=box)
        producer.start()
        producer.record(run_start(1))
        assert producer.flush(PATIENCE_S)
        others = book.subscribe(book.head().position + 1, ["token/"])
        book.revoke_token("v")
        book.revoke_token("b")
        following.join(PATIENCE_S)
        assert [type(error) for error in ended] == [Unauthenticated]
        producer.record(step(1))
        assert not producer.flush(PATIENCE_S)
        assert isinstance(producer.failure, Unauthenticated)
        assert producer.pending  # kept in the spool
        producer.close(0)
        assert next(answer for answer in others if answer.events)


def test_a_stop_ends_streams_at_once_and_they_can_come_back(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    producer = Producer("p", tmp_path / "p.sqlite", server.address)
    producer.start()
    producer.record(run_start(1))
    assert producer.flush(PATIENCE_S)
    call = book._log.Subscribe(log_pb2.ReadRequest(from_position=book.head().position + 1))
    assert server.stop() == 0
    with pytest.raises(grpc.RpcError) as ended:
        for _ in call:
            pass
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "the server stops" in (ended.value.details() or "")
    producer.record(step(1))
    server.start()
    assert producer.flush(PATIENCE_S)
    producer.close()
    with server.client() as again:
        assert [event.WhichOneof("body") for event in again.read(subjects=["run/"])] == [
            "run_started",
            "step_completed",
        ]


def test_commands_of_many_clients_that_leave_at_once_hurt_nobody(server: ServerProcess, book: Guessbook) -> None:
    """Each cancels its call while the commit may be under way."""
    metadata = bearer(server.home.token("admin"))
    with grpc.insecure_channel(server.address) as channel:
        create = channel.unary_unary("/guessbook.v1.Control/CreateToken", _same, _same)
        for number in range(50):
            request = e.TokenCreated(name=f"t{number}", role=e.ROLE_VIEWER).SerializeToString()
            call: Any = create.future(request, metadata=metadata, timeout=PATIENCE_S)
            if number % 2:
                call.cancel()
            else:
                call.result()
    assert book.head().position
    assert book.create_token("after", e.ROLE_VIEWER).secret


# ---- TLS ----


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


def tls(authority: Authority, *more: str) -> list[str]:
    certificate, key = authority.issue("localhost")
    return ["--tls-cert", str(certificate), "--tls-key", str(key), *more]


def test_with_client_certificates_the_actor_is_the_certificates_name(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = tls(authority, "--tls-client-ca", str(authority.file))
    monkeypatch.setenv("GUESSBOOK_TLS_CA", str(authority.file))
    with ServerProcess(tmp_path / "home", options=options) as server:
        token = server.home.token("admin")
        with Guessbook(server.address, token) as nobody, pytest.raises(Unreachable):
            nobody.head()
        stranger = Authority(tmp_path / "other").issue("anna")
        for certificate, key, name in ((*authority.issue("anna"), "anna"), (*stranger, ""), (*authority.issue(""), "")):
            monkeypatch.setenv("GUESSBOOK_TLS_CERT", str(certificate))
            monkeypatch.setenv("GUESSBOOK_TLS_KEY", str(key))
            with Guessbook(server.address, token) as book:
                if name:
                    book.create_token("new", e.ROLE_VIEWER)
                    assert next(event.actor for event in book.read(subjects=["token/new"])) == name
                    with Guessbook(server.address, "wrong") as robbed, pytest.raises(Unauthenticated):
                        robbed.head()
                else:
                    with pytest.raises((Unreachable, Unauthenticated)):
                        book.head()


def test_with_tls_it_listens_on_all_addresses_and_to_nobody_without(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ServerProcess(tmp_path / "home", options=[*tls(authority), "--host", "0.0.0.0"]) as server:
        assert server.address.startswith("localhost:")
        with grpc.insecure_channel(server.address) as plain:
            code, _ = ask(plain, "/guessbook.v1.Log/Head", bearer(server.home.token()))
            assert code == grpc.StatusCode.UNAVAILABLE
        monkeypatch.setenv("GUESSBOOK_TLS_CA", str(authority.file))
        with server.client() as book:
            assert book.status().head


@pytest.mark.parametrize(
    "words",
    [
        ["--host", "0.0.0.0"],
        ["--host", "::"],
        ["--host", "192.0.2.1"],
        ["--host", "example.org"],
        ["--host", "0.0.0.0", "--tls-cert", "cert.pem"],
        ["--host", "0.0.0.0", "--tls-client-ca", "ca.pem"],
    ],
)
def test_it_refuses_to_listen_elsewhere_without_tls(words: list[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "guessbook.server.app", "--home", str(home), "--port", "0", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--tls-cert" in done.stderr
    assert not home.exists()


@pytest.mark.parametrize("address", ["example.org:7430", "192.0.2.1:7430", "0.0.0.0:7430", "[2001:db8::1]:7430"])
def test_a_client_sends_no_token_in_the_clear_to_another_machine(address: str) -> None:
    with pytest.raises(Invalid, match="without TLS") as refused:
        Guessbook(address, "secret")
    assert "GUESSBOOK_TLS_CA" in refused.value.hint


# ---- what is no message ----


def rubbish(chance: random.Random) -> bytes:
    """Bytes at random, or a message of another kind with some of its bytes changed or its end cut off."""
    if chance.random() < 0.5:
        return chance.randbytes(chance.choice((0, 1, 2, 13, 100, 5_000)))
    at = history_pb2.At(run_step=history_pb2.RunStep(run="run-1" * chance.randrange(500), step=2**63))
    messages = [
        history_pb2.ListExamplesRequest(run="latest", at=at, search="(" * 1000, offset=2**32 - 1, limit=2**32 - 1),
        log_pb2.ReadRequest(from_position=2**64 - 1, subjects=["x" * 10_000, "\0", "/"]),
        e.Events(events=[run_start(3), step(2**40)]),
        log_pb2.AppendRequest(hello=log_pb2.Hello(producer="\0" * chance.randrange(300), epoch=2**64 - 1)),
        e.TokenCreated(name="a/../b", role=17),  # type: ignore[arg-type]
    ]
    data = bytearray(chance.choice(messages).SerializeToString())
    for _ in range(chance.randrange(4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randrange(len(data) + 1)])


def test_no_bytes_bring_it_down_or_fill_its_memory(server: ServerProcess, book: Guessbook) -> None:
    seed = int(os.environ.get("GUESSBOOK_SEED", random.randrange(2**32)))
    print(f"GUESSBOOK_SEED={seed}")
    chance = random.Random(seed)
    metadata = bearer(server.home.token("admin"))
    before = server.resident_mb()
    hello = log_pb2.AppendRequest(hello=log_pb2.Hello(producer="p")).SerializeToString()
    with grpc.insecure_channel(server.address, options=[("grpc.max_send_message_length", -1)]) as channel:
        for method in RIGHTS:
            for _ in range(3 if method.endswith(("/Verify", "/Prove")) else 25):
                messages = [rubbish(chance) for _ in range(3 if method.rpartition("/")[2] in STREAMING else 1)]
                if method.endswith("/Append"):
                    batches = [raw_pb2.Batch(sequence=chance.randrange(4), events=events) for events in messages]
                    messages = [hello, *(raw_pb2.AppendRequest(batch=batch).SerializeToString() for batch in batches)]
                code, said = ask(channel, method, metadata, messages)
                assert "the server failed" not in said, (method, messages)
                assert code not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE), (method, messages)
            code, _ = ask(channel, method, metadata, [bytes(5 * 1024 * 1024)])
            assert code == grpc.StatusCode.RESOURCE_EXHAUSTED, method
    assert book.head().position
    grown = server.resident_mb() - before
    print(f"{grown:.0f} MB")
    assert grown < 300


def test_uploads_that_stall_hold_up_nobody(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    """More than the server has threads."""
    metadata, hold = bearer(server.home.token("operator")), threading.Event()

    def stalled() -> Iterator[bytes]:
        yield artifacts_pb2.UploadRequest(data=b"begun").SerializeToString()
        hold.wait(PATIENCE_S)

    with grpc.insecure_channel(server.address) as channel:
        upload = channel.stream_unary("/guessbook.v1.Artifacts/Upload", _same, _same)
        calls: list[Any] = [upload.future(stalled(), metadata=metadata) for _ in range(50)]
        incoming = server.home.artifacts
        while len(list(incoming.glob("incoming-*"))) < len(calls):
            book.head()
        path = write_questions(tmp_path / "sums.jsonl", 2)
        sha256 = book.upload(path)
        assert b"".join(book.download(sha256)) == path.read_bytes()
        for call in calls:
            call.cancel()
        hold.set()
        while list(incoming.glob("incoming-*")):  # what broke off leaves nothing behind
            book.head()


def test_a_connection_that_speaks_no_grpc_is_dropped(server: ServerProcess, book: Guessbook) -> None:
    host, _, port = server.address.rpartition(":")
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 10_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(5_000)):
        # It may hang up at the first wrong byte.
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as line, suppress(OSError):
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
    assert book.head().position
