"""Attack: bytes that nobody would write, to everything that reads bytes from a disk or the network. Each gives a value or an error that is meant for it.

Good bytes are changed at random, some with their checksums made right again, so that what lies behind a check is reached too. In a process with a bound
on its memory: what allocates what a number in the bytes says fails.
"""

import contextlib
import hashlib
import random
import resource
import struct
from collections.abc import Callable
from pathlib import Path

from durability.inspection import apart
from durability.ledger import BATCH_STRIDE, Result, batch
from google.protobuf.message import DecodeError

from guessbook.proto import log_pb2, raw_pb2
from guessbook.proto.events_pb2 import Events, HistoryArchived
from guessbook.server import book_file
from guessbook.server.book_file import BadBooks
from guessbook.store import archive, frame
from guessbook.store.archive import Archive
from guessbook.store.frame import DamagedFrame, Part
from guessbook.store.merkle import Frontier

ROOM_BYTES = 256 * 1024**2  # of address space, more than what the process has at the start
CASES = 10_000  # of one process
PREVIOUS = b"\1" * 32
_HASH_AT, _BODY_AT = 21, 53  # in a frame

Reader = Callable[[bytes], None]


def attack(folder: Path, rounds: int, seed: int) -> Result:
    result = Result("bytes nobody would write")
    for begin in range(0, rounds, CASES):
        part = folder / str(begin)
        part.mkdir()
        cases = min(CASES, rounds - begin)
        found = apart(_attack, part, cases, seed + begin)
        result.rounds += cases
        result.add(found or Result("", failures=[f"the process that read them died, or hung, seed {seed + begin}"]))
    result.acknowledged = result.rounds
    return result


def _attack(folder: Path, rounds: int, seed: int) -> Result:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM_BYTES, used + ROOM_BYTES))
    result, dice = Result(""), random.Random(seed)
    targets = _targets(folder)
    for number in range(rounds):
        name, good, read = targets[number % len(targets)]
        data = _changed(good, dice)
        try:
            read(data)
        except Exception as error:  # noqa: BLE001 - that there is none is what is tried
            result.failures.append(f"{name}: {error!r} from {data[:200].hex()}")
    result.failures = result.failures[:10]
    return result


def _targets(folder: Path) -> list[tuple[str, bytes, Reader]]:
    events = Events(events=[event for sequence in range(1, 5) for event in batch("p", sequence)]).SerializeToString()
    stored, _ = frame.encode(1, BATCH_STRIDE, [Part("a", 3, events)], PREVIOUS)
    request = raw_pb2.AppendRequest(batch=raw_pb2.Batch(sequence=1, events=events)).SerializeToString()
    archived, told = _archive(folder)

    def read_archive(data: bytes) -> None:
        place = folder / "archive" / told.file
        place.chmod(0o644)
        place.write_bytes(data)
        said = HistoryArchived()
        said.CopyFrom(told)
        said.bytes = len(data)
        said.sha256 = hashlib.sha256(data).hexdigest()
        for ask in (Archive.check, lambda one: list(one.scan(2)), lambda one: one.hash_before(3)):
            with contextlib.suppress(DamagedFrame):
                ask(Archive(place.parent, said))

    def read_books(data: bytes) -> None:
        (folder / "books").write_bytes(book_file.MAGIC + hashlib.sha256(data).digest() + data)
        with contextlib.suppress(BadBooks):
            book_file.facts(folder / "books")

    books = b'{"log_id": "x", "position": 1, "chain_hash": "00", "code": "00"}\n\x80\x05]\x94.'
    return [
        ("frame", stored, _read_frame),
        ("frame with its hash made right", stored, lambda data: _read_frame(_with_hash(data))),
        ("request", request, _read_request),
        ("events", events, _read_request),
        ("archive", archived, read_archive),
        ("books", books, read_books),
    ]


def _archive(folder: Path) -> tuple[bytes, HistoryArchived]:
    frames, position, previous = [], 1, PREVIOUS
    for sequence in range(1, 4):
        raw = Events(events=batch("p", sequence))
        data, previous = frame.encode(position, 1, [Part("a", len(raw.events), raw.SerializeToString())], previous)
        frames.append((position, data))
        position += len(raw.events)
    told = archive.write(folder / "archive", frames, PREVIOUS, Frontier())
    return (folder / "archive" / told.file).read_bytes(), told


def _read_frame(data: bytes) -> None:
    with contextlib.suppress(DamagedFrame, DecodeError):
        found = frame.decode(data, 1, PREVIOUS)
        assert len(found.raw) <= frame.RAW_LIMIT
        assert found.events is not None


def _with_hash(data: bytes) -> bytes:
    header, body = data[:_HASH_AT], data[_BODY_AT:]
    return header + hashlib.sha256(PREVIOUS + header + body).digest() + body


def _read_request(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        request = raw_pb2.AppendRequest.FromString(data)
        Events.FromString(request.batch.events)
        log_pb2.AppendRequest.FromString(data)


def _changed(good: bytes, dice: random.Random) -> bytes:
    """Some bits, a number in place of others, a part left out, doubled, or cut off."""
    data = bytearray(good)
    for _ in range(dice.choice([1, 1, 2, 8])):
        place = dice.randrange(len(data) + 1)
        match dice.randrange(6):
            case 0 if place < len(data):
                data[place] ^= 1 << dice.randrange(8)
            case 1:
                data[place : place + 8] = struct.pack(">Q", dice.choice([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]))
            case 2:
                data[place : place + 4] = struct.pack(">I", dice.choice([0, 1, 2**20, 2**31, 2**32 - 1]))
            case 3:
                del data[place : place + dice.randrange(1, 64)]
            case 4:
                data[place:place] = data[place : place + dice.randrange(1, 64)]
            case _:
                del data[max(1, place) :]
    return bytes(data)
