"""Proofs as a person gets them: from a server, by the command line, checked by the script in docs/ that knows nothing of Guessbook."""

import asyncio
import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_events import beginning, step
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid
from guessbook.clients.producer import Producer
from guessbook.server.live_book import LiveBook
from guessbook.server.notary import Notary
from guessbook.store import signed_checkpoints
from guessbook.store.home import Home
from guessbook.store.log import Append, Log
from guessbook.store.verify import verify

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_proof.py"
DEADLINE_S = 60


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tmp_path: Path, outside: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home", options=["--checkpoint-dir", str(outside)]) as process:
        yield process


def record(book: Guessbook, spool: Path, first: int, last: int) -> None:
    producer = Producer("p", spool, book.address)
    producer.start()
    for number in range(first, last + 1):
        producer.record(step(number))
    assert producer.flush(DEADLINE_S)
    producer.close()


def check(proof: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The script's verdict, in a Python that sees neither this folder nor the environment."""
    command = [sys.executable, "-I", str(SCRIPT), str(proof), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_S, cwd=proof.parent)


def guessbook(server: ServerProcess, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "guessbook.clients.cli.main", *words]
    environment = {**os.environ, "GUESSBOOK_HOME": str(server.home.root), "GUESSBOOK_ADDRESS": ""}
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)


def prove(server: ServerProcess, file: Path, *words: str) -> dict[str, Any]:
    done = guessbook(server, "prove", *words, "--out", str(file))
    assert done.returncode == 0, done.stderr
    proof: dict[str, Any] = json.loads(file.read_text())
    return proof


def test_a_proof_is_checked_without_guessbook(
    server: ServerProcess, book: Guessbook, tmp_path: Path, outside: Path
) -> None:
    record(book, tmp_path / "spool", 1, 40)
    served = next(event for event in book.read() if event.step_completed.step == 17)
    position = served.position
    proof = prove(server, tmp_path / "proof.json", str(position))
    assert proof["leaf"] == served.SerializeToString(deterministic=True).hex()
    assert proof["event"]["step_completed"]["step"] == 17
    done = check(tmp_path / "proof.json")
    assert done.returncode == 0, done.stderr
    assert f"PROVEN: event {position} about run/" in done.stdout
    server.stop()
    [key] = outside.glob("*.pub")
    assert check(tmp_path / "proof.json", str(key)).returncode == 0


def test_every_change_of_a_proof_is_noticed(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    record(book, tmp_path / "spool", 1, 20)
    proof = prove(server, tmp_path / "proof.json", "5")

    def changed(**fields: Any) -> str:
        (tmp_path / "changed.json").write_text(json.dumps({**copy.deepcopy(proof), **fields}))
        done = check(tmp_path / "changed.json")
        assert done.returncode == 1
        return done.stderr

    other = prove(server, tmp_path / "other.json", "6")
    size = proof["checkpoint"].split("\n")[1]
    assert "not in the signed log" in changed(leaf=other["leaf"])
    assert "not in the signed log" in changed(leaf=proof["leaf"][:-2] + "00")
    assert "not in the signed log" in changed(leaf_index=5)
    assert "not in the signed log" in changed(path=other["path"])
    assert "too short" in changed(path=proof["path"][:-1])
    assert "too long" in changed(path=[*proof["path"], "00" * 32])
    assert "signature is wrong" in changed(checkpoint=proof["checkpoint"].replace(f"\n{size}\n", "\n99\n"))
    assert "not what `leaf` says" in changed(event={**proof["event"], "actor": "somebody else"})
    assert "no key that counts" in changed(public_keys=[])
    assert "can't be read" in changed(checkpoint="nothing")


def test_a_key_of_somebody_else_proves_nothing(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    proof = prove(server, tmp_path / "proof.json", "1")
    name, _, _ = proof["public_keys"][0].partition("+")
    (tmp_path / "other.pub").write_text(f"{name}+00000000+AQ==\n")
    done = check(tmp_path / "proof.json", str(tmp_path / "other.pub"))
    assert done.returncode == 1
    assert "no key that counts" in done.stderr


def test_without_cryptography_the_script_says_what_it_did_not_check(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    prove(server, tmp_path / "proof.json", "1")
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(tmp_path / "proof.json")]  # -S: the standard library alone
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 3
    assert "NOT CHECKED" in done.stdout
    assert "PROVEN" in done.stdout


def test_a_log_that_grew_is_proven_to_have_only_grown(
    server: ServerProcess, book: Guessbook, tmp_path: Path, outside: Path
) -> None:
    record(book, tmp_path / "spool", 1, 30)
    server.stop()
    [old] = signed_checkpoints.files(outside)
    server.start()
    record(book, tmp_path / "spool", 31, 50)
    file = tmp_path / "proof.json"
    proof = prove(server, file, "--consistency", str(old))
    done = check(file)
    assert done.returncode == 0, done.stderr
    assert "has only grown" in done.stdout
    file.write_text(json.dumps({**proof, "path": ["11" * 32, *proof["path"][1:]]}))
    assert "written anew" in check(file).stderr


def test_a_checkpoint_is_signed_at_the_stop_in_every_folder(
    server: ServerProcess, book: Guessbook, tmp_path: Path, outside: Path
) -> None:
    record(book, tmp_path / "spool", 1, 5)
    server.stop()
    head = server.verify().head
    for folder in (outside, server.home.signed_checkpoints):
        [file] = signed_checkpoints.files(folder)
        stored = signed_checkpoints.read(file)
        assert stored.checkpoint
        assert stored.checkpoint.size == head
        root = stored.checkpoint.root
    done = guessbook(server, "verify", "--checkpoint", str(outside), "--json")
    verdict = json.loads(done.stdout)
    assert [one["ok"] for one in verdict["checkpoints"]] == [True]
    assert bytes.fromhex(verdict["merkle_root"]) == root
    assert "agrees with 1 signed" in guessbook(server, "verify").stdout


def test_verify_names_where_a_log_was_cut_off(tmp_path: Path, outside: Path) -> None:
    server = ServerProcess(tmp_path / "cut", options=["--checkpoint-dir", str(outside)]).start()
    server.stop()
    shutil.copytree(server.home.log, tmp_path / "copy")
    server.start()
    server.stop()
    shutil.rmtree(server.home.log)
    shutil.copytree(tmp_path / "copy", server.home.log)
    done = guessbook(server, "verify", "--checkpoint", str(outside))
    assert done.returncode == 1
    assert "are gone" in done.stderr
    assert "damaged at position" in done.stderr
    server.start()
    try:
        with (
            server.client() as book,
            pytest.raises(GuessbookError, match=r"signed checkpoint of .* has . events, and the log"),
        ):
            book.prove(1)
    finally:
        server.stop()
    assert "no checkpoint was signed" in (server.home.root / "server.log").read_text()


def test_a_server_does_not_start_without_its_checkpoint_folder(tmp_path: Path) -> None:
    missing = tmp_path / "not-mounted"
    with pytest.raises(RuntimeError, match="not-mounted is no folder"):
        ServerProcess(tmp_path / "home", options=["--checkpoint-dir", str(missing)]).start()
    assert not missing.exists()
    assert verify(tmp_path / "home" / "log").ok


def test_what_there_is_not_has_no_proof(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no position 99"):
        book.prove(99)
    with pytest.raises(Invalid, match="no signed checkpoint"):
        book.prove_consistency("anything")
    assert guessbook(server, "prove").returncode == 2
    assert guessbook(server, "prove", "1", "--consistency", "x").returncode == 2
    assert guessbook(server, "prove", "--consistency", str(tmp_path / "missing")).returncode == 2


def test_new_events_are_signed_from_time_to_time(tmp_path: Path, outside: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()

    async def signed(sizes: list[int]) -> list[int]:
        while True:
            found = [stored.checkpoint.size for stored in map(signed_checkpoints.read, files()) if stored.checkpoint]
            if len(found) >= len(sizes):
                return found
            await asyncio.sleep(0.05)

    def files() -> list[Path]:
        return signed_checkpoints.files(outside)

    async def run() -> None:
        live = LiveBook(Log(home.log), lambda error: None)
        notary = Notary(live, home, [outside], look_s=0.05, sign_s=0.0)
        notary.watch()
        try:
            await live.append(Append(beginning(), "local"))
            async with asyncio.timeout(DEADLINE_S):
                assert await signed([5]) == [5]
                await live.append(Append([step(1)], "local"))
                assert await signed([5, 6]) == [5, 6]
        finally:
            live.close()
            await notary.close(sign=True)
        assert await signed([5, 6]) == [5, 6]

    asyncio.run(run())
    assert verify(home.log, [outside]).ok
