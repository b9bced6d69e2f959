"""Attack: a subscription is cut off again and again while events come at full rate, and goes on behind the last event it saw."""

import random
from pathlib import Path
from typing import Any

import grpc
from durability.ledger import Ledger, Result, compare
from durability.sender import Sender
from server_process import ServerProcess

from guessbook.clients import connection
from guessbook.proto.events_pb2 import Event
from guessbook.proto.log_pb2 import ReadRequest
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store.recorded import events_of

SENDERS = 2
CALL_S = 60.0
MOST_FRAMES = 30  # seen before a cut


def attack(folder: Path, rounds: int, seed: int) -> Result:
    """`rounds` cuts; then everything that was seen, in the order it was seen, against what was acknowledged."""
    dice, ledger = random.Random(seed), Ledger()
    seen: list[Event] = []
    with ServerProcess(folder / "home") as server:
        senders = [Sender(f"p{number}", server.address, ledger) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        with connection.channel(server.address) as channel:
            for _ in range(rounds):
                _follow(channel, seen, dice.randrange(MOST_FRAMES))
            for sender in senders:
                sender.stop()
            with server.client() as book:
                head = book.head().position
            while len(seen) < head:
                _follow(channel, seen, 1)
    positions = {key: position for key, position in ledger.positions().items() if position <= len(seen)}
    result = compare(positions, seen, whole_batches=False)
    result.attack, result.rounds, result.acknowledged = "subscriptions cut off", rounds, ledger.events
    if len(positions) < len(ledger.positions()):
        result.failures.append("not all that was acknowledged was seen")
    return result


def _follow(channel: grpc.Channel, seen: list[Event], frames: int) -> None:
    """Adds what so many frames hold to what was seen, and cuts the subscription off; within an answer too."""
    call: Any = LogStub(channel).Subscribe(ReadRequest(from_position=len(seen) + 1), timeout=CALL_S)
    try:
        while True:
            for frame in next(call).frames:
                # A frame is served whole: the one that was being read is come upon again.
                seen += [event for event in events_of(frame) if event.position > len(seen)]
                frames -= 1
                if frames <= 0:
                    return
    finally:
        call.cancel()
