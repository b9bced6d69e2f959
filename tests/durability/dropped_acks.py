"""Attack: the connection is cut after k bytes of the server's answers, for many k: at every point of an acknowledgement, of the welcome, of the handshake.

Whoever sends must end with every event stored once, and where it was stored first. Two kinds send: a Sender, which checks the positions it is told, and the Producer that
trainers use.
"""

import random
from pathlib import Path

from durability.inspection import inspect
from durability.ledger import Ledger, Result, batch
from durability.proxy import Proxy
from durability.sender import Sender
from server_process import ServerProcess

from guessbook.clients.producer import Producer

BATCHES = 4
FIRST_CUT, LAST_CUT = 9, 500  # bytes; a conversation of four batches is within
PATIENCE_S = 30.0
PRODUCER_EVERY = 5  # rounds; it waits before it connects again


def attack(folder: Path, rounds: int, seed: int) -> Result:
    dice = random.Random(seed)
    result = Result("dropped acknowledgements")
    ledger = Ledger()
    cuts = 0
    server = ServerProcess(folder / "home").start()
    for number in range(rounds):
        cut = FIRST_CUT + (LAST_CUT - FIRST_CUT) * number // max(rounds - 1, 1)
        # The first connection is cut there, the next ones later and later: a retry is cut, too.
        limits = [cut, cut + dice.randrange(1, 60), None]
        with Proxy(server.address, lambda n, limits=limits: limits[min(n, 2)]) as proxy:  # type: ignore[misc]
            if number % PRODUCER_EVERY == 0:
                result.lost += _record(proxy.address, folder / f"{number}.sqlite", f"q{number}", ledger)
            else:
                result.lost += _send(proxy.address, f"p{number}", ledger)
            cuts += proxy.connections - 1
        result.rounds += 1
        if number % 20 == 10:
            server.kill()
            server.start()
    server.stop()
    result.add(inspect(server.home.log, ledger.positions(), whole_batches=False))
    result.corrupt += ledger.moved
    result.acknowledged = ledger.events
    result.note = f"{cuts} connections cut"
    return result


def _send(address: str, name: str, ledger: Ledger) -> int:
    """Batches that were never acknowledged."""
    sender = Sender(name, address, ledger, last=BATCHES)
    sender.start()
    sender.join(PATIENCE_S)
    sender.stop()
    return BATCHES - sender.acknowledged


def _record(address: str, spool: Path, name: str, ledger: Ledger) -> int:
    """Events that the producer kept in its spool. It tells no positions."""
    producer = Producer(name, spool, address)
    producer.start()
    for sequence in range(1, BATCHES + 1):
        for event in batch(name, sequence):
            producer.record(event)
    kept = 0 if producer.flush(PATIENCE_S) else producer.pending
    producer.close(0)
    for sequence in range(1, BATCHES + 1):
        ledger.acknowledge(name, sequence, 0)
    return kept
