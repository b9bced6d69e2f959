"""Attack: backups beside a server that is written to at full rate, each restored elsewhere; the process that makes one is killed now and then.

Every restored log must hold all that was acknowledged before its backup began, each batch whole and once, and must be sound. The last one is served: the same
batches sent again must get their first positions, new ones go on behind them, and whoever wrote to the old log must be refused.
"""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import grpc
from durability.inspection import inspect
from durability.ledger import Ledger, Result
from durability.sender import Sender
from server_process import ServerProcess

from guessbook.clients import connection
from guessbook.proto import log_pb2
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store import backup
from guessbook.store.manifest import Manifest
from guessbook.store.place import Place
from guessbook.store.restore import restore

SENDERS = 4
KILLED = 0.25  # of the backups
LONGEST_S = 1.0  # until the kill
AGAIN_S = 60.0
MORE = 20  # batches that a producer sends into the restored log


def attack(folder: Path, rounds: int, seed: int) -> Result:
    dice, result, ledger = random.Random(seed), Result("backup and restore"), Ledger()
    (folder / "place").mkdir(parents=True)
    place = Place(str(folder / "place"))
    server = ServerProcess(folder / "home").start()
    senders = [Sender(f"p{number}", server.address, ledger) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    made: Manifest | None = None
    try:
        for _ in range(rounds):
            acknowledged = ledger.positions()
            result.rounds += 1
            if not _backed_up(server.home.root, folder / "place", dice.random() < KILLED, dice):
                continue
            made = backup.find(place, "latest")
            to = folder / "restored"
            restored = restore(place, made, to, actor="attack")
            result.add(inspect(to / "log", acknowledged))
            result.failures += (
                [] if restored.chain_hash == made.chain_hash else ["a restored log has another chain hash"]
            )
            shutil.rmtree(to)
    finally:
        for sender in senders:
            sender.stop()
        server.stop()
    result.acknowledged = ledger.events
    result.corrupt += ledger.moved
    if made is None:
        return result
    restore(place, made, folder / "served", actor="attack")
    with ServerProcess(folder / "served") as again:
        result.add(_served(again, ledger, made.head))
    return result


def _backed_up(home: Path, place: Path, kill: bool, dice: random.Random) -> bool:
    """Whether a backup was made; False where its process was killed before."""
    command = [sys.executable, "-m", "guessbook.store.backup_process", "create", str(home), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if kill:
            time.sleep(dice.uniform(0, LONGEST_S))  # the moment of the kill is the attack
            process.kill()
        output, _ = process.communicate()
    if process.returncode not in (0, -9):
        raise RuntimeError(f"a backup ended with code {process.returncode}: {output.decode()}")
    return process.returncode == 0


def _served(server: ServerProcess, old: Ledger, head: int) -> Result:
    """The restored log behind a server: sent again, sent on, and refused."""
    result, ledger = Result(""), Ledger()
    for (producer, sequence), position in old.positions().items():
        if position <= head:
            ledger.acknowledge(producer, sequence, position)
    for name in sorted({producer for producer, _ in old.positions()}):
        if _accepted(server.address, name, epoch=1):
            result.failures.append(f"{name} goes on with an epoch of the old log")
        stored = max((sequence for producer, sequence in ledger.positions() if producer == name), default=0)
        sender = Sender(name, server.address, ledger, last=stored + MORE)  # from batch 1 on
        sender.start()
        sender.join(AGAIN_S)
        if sender.acknowledged < stored + MORE:
            result.failures.append(f"{name} can't go on: {sender.refusals}")
    server.kill()
    result.add(inspect(server.home.log, ledger.positions()))
    result.corrupt += ledger.moved
    return result


def _accepted(address: str, producer: str, epoch: int) -> bool:
    with connection.channel(address) as channel:
        hello = log_pb2.AppendRequest(hello=log_pb2.Hello(producer=producer, epoch=epoch))
        try:
            return bool(list(LogStub(channel).Append(iter([hello]))))
        except grpc.RpcError:
            return False
