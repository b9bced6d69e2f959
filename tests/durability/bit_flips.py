"""Attack: bits of the log's file flip, and it is cut short. What was damaged must be an error, never an answer.

Each round damages a copy of a small log at one place, all kinds of pages in turn, and then asks it everything, in a process of its own, as LMDB may end it: all events, the
events of each subject, and the first answers to batches that are sent again. A process that dies has served nothing. Damage that no question meets
must be found by `verify`, or be in bytes that hold nothing.
"""

import random
import shutil
from collections import Counter, defaultdict
from pathlib import Path

from durability.inspection import apart
from durability.ledger import Result, batch, compare

from guessbook.store.log import Append, Log, Receipt
from guessbook.store.verify import verify

PRODUCERS = ("a", "b", "c")
BATCHES = 30
PAGE = 4096
_KINDS = {1: "branch", 2: "leaf", 4: "overflow", 8: "meta"}
TRUNCATIONS = "truncation"

Anchor = tuple[int, str]  # head and chain hash (hex) as they were noted elsewhere


def attack(folder: Path, rounds: int, seed: int) -> Result:
    dice = random.Random(seed)
    result = Result("bit flips and truncations")
    folder.mkdir(parents=True, exist_ok=True)
    positions = _write(folder / "log")
    verdict = verify(folder / "log")
    anchor = (verdict.head, verdict.chain_hash)
    original = (folder / "log" / "data.mdb").read_bytes()
    regions = _regions(original)
    kinds = [*sorted(regions), TRUNCATIONS]
    outcomes: Counter[str] = Counter()
    for number in range(rounds):
        kind = kinds[number % len(kinds)]
        damaged = _damaged(original, kind, regions, dice)
        outcome, found = _judge(folder / "copy", damaged, positions, anchor)
        outcomes[outcome] += 1
        result.rounds += 1
        result.add(found)
        if not found.unharmed:
            result.failures.append(f"round {number}, {kind}: {outcome} {found}")
    result.acknowledged = sum(len(batch(*key)) for key in positions)
    result.note = ", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items()))
    return result


def _write(folder: Path) -> dict[tuple[str, int], int]:
    log = Log(folder)
    positions = {}
    for name in PRODUCERS:
        log.join(name, 0)
    for sequence in range(1, BATCHES + 1):
        for name in PRODUCERS:
            append = Append(batch(name, sequence), "a", producer=name, epoch=1, sequence=sequence)
            answer = log.commit([append], now_us=sequence)[0][0]
            assert isinstance(answer, Receipt)
            positions[name, sequence] = answer.first_position
    log.close()
    return positions


def _regions(data: bytes) -> dict[str, list[int]]:
    """Offsets of pages by kind. What follows an overflow page belongs to it and has no header."""
    regions: dict[str, list[int]] = defaultdict(list)
    page = 0
    while page < len(data):
        flags = int.from_bytes(data[page + 10 : page + 12], "little")
        kind = next((name for bit, name in _KINDS.items() if flags & bit), "other")
        pages = int.from_bytes(data[page + 12 : page + 16], "little") if kind == "overflow" else 1
        for _ in range(max(pages, 1)):
            regions[kind].append(page)
            page += PAGE
    return regions


def _damaged(original: bytes, kind: str, regions: dict[str, list[int]], dice: random.Random) -> bytes:
    if kind == TRUNCATIONS:
        return original[: dice.randrange(len(original))]
    data = bytearray(original)
    # The headers of pages are small and steer everything: every second flip goes there.
    place = dice.choice(regions[kind]) + dice.randrange(dice.choice([160, PAGE]))
    data[place] ^= 1 << dice.randrange(8)
    return bytes(data)


def _judge(folder: Path, data: bytes, positions: dict[tuple[str, int], int], anchor: Anchor) -> tuple[str, Result]:
    found: Result | None = apart(ask, _lay_out(folder, data), positions)
    if found is None:
        return "refused, or the process died", Result("")
    named = not apart(intact, _lay_out(folder, data), anchor)
    if found.lost and named and not found.corrupt:
        # An older, whole state of the log: only who knows where it was can tell, and `verify` against a noted head does.
        return "rolled back, found by the noted head", Result("")
    return ("served whole, found by verify" if named else "served whole, nothing to find"), found


def _lay_out(folder: Path, data: bytes) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "data.mdb").write_bytes(data)
    return folder


def intact(folder: Path, anchor: Anchor) -> bool:
    verdict = verify(folder)
    return verdict.ok and (verdict.head, verdict.chain_hash) == anchor


def ask(folder: Path, positions: dict[tuple[str, int], int]) -> Result:
    """Every question; an error ends the process, which is the right answer. What comes back must be right."""
    log = Log(folder)
    result = compare(positions, log.read_all())
    for name in PRODUCERS:
        steps = sum(len(batch(*key)) for key in positions if key[0] == name)
        result.corrupt += not result.lost and len(list(log.read_all(subjects=[f"run/{name}"]))) != steps
    for (name, sequence), first_position in positions.items():
        answer = log.commit([Append(batch(name, sequence), "a", producer=name, epoch=1, sequence=sequence)], 1)[0][0]
        if isinstance(answer, Receipt):
            result.doubled += not answer.duplicate and not result.lost
            result.corrupt += answer.duplicate and answer.first_position != first_position
    log.close()
    return result
