"""Attack: `kill -9` of the server while producers write, again and again, and what was acknowledged must be there after each."""

import random
import time
from pathlib import Path

from durability.inspection import inspect
from durability.ledger import Ledger, Result
from durability.sender import Sender
from server_process import ServerProcess

SENDERS = 4
UPTIME_S = (0.01, 0.25)  # until the kill


def attack(folder: Path, rounds: int, seed: int) -> Result:
    """Each round: start, write, kill at a random moment, read everything back. The last one ends in peace."""
    dice = random.Random(seed)
    result = Result("kill -9 of the server")
    ledger = Ledger()
    server = ServerProcess(folder / "home").start()
    senders = [Sender(f"p{number}", server.address, ledger) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(rounds):
            time.sleep(dice.uniform(*UPTIME_S))  # the moment of the kill is the attack
            server.kill()
            result.add(inspect(server.home.log, ledger.positions()))
            result.rounds += 1
            server.start()
    finally:
        for sender in senders:
            sender.stop()
        server.stop()
    result.add(inspect(server.home.log, ledger.positions()))
    result.corrupt += ledger.moved
    result.acknowledged = ledger.events
    return result
