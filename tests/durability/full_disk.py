"""Attack: the disk is full, on a real small file system: a tmpfs and, where root may, an ext4 on a loop device.

    python -m durability.full_disk KIND MOUNTPOINT ROUNDS SEED

runs in a mount namespace of its own, so that nothing stays mounted. When the disk is full, whoever writes must be told so, whoever reads must go on, and
when there is room again writing must go on by itself.
"""

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import grpc
from durability.inspection import inspect
from durability.ledger import Ledger, Result, compare
from durability.sender import Sender
from server_process import ServerProcess

TESTS = Path(__file__).parents[1]
DISK_MB = 64
ROOM = (0, 256 * 1024)  # bytes left when the disk is filled up; the log's own growth takes the rest
PATIENCE_S = 20.0
TIMEOUT_S = 600


def kinds() -> list[str]:
    """What this user may mount: nothing, a tmpfs in a namespace of his own, or an ext4, too."""
    may = {kind: _in_namespace("-c", _TRY, kind).returncode == 0 for kind in ("tmpfs", "ext4")}
    return [kind for kind, works in may.items() if works]


_TRY = "import sys, tempfile; from pathlib import Path; from durability.full_disk import mount; mount(sys.argv[1], Path(tempfile.mkdtemp()))"


def attack(folder: Path, rounds: int, seed: int, kind: str) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    done = _in_namespace("-m", "durability.full_disk", kind, str(folder / "disk"), str(rounds), str(seed))
    if done.returncode:
        return Result(f"disk full ({kind})", failures=[done.stderr])
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def _in_namespace(*arguments: str) -> subprocess.CompletedProcess[str]:
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *user, sys.executable, *arguments]
    return subprocess.run(command, check=False, cwd=TESTS, capture_output=True, text=True, timeout=TIMEOUT_S)


def mount(kind: str, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", place], check=True)
        return
    image = place.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(DISK_MB * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)


def fill_and_free(place: Path, rounds: int, seed: int, result: Result) -> None:
    """On a mounted disk."""
    dice = random.Random(seed)
    ledger = Ledger()
    server = ServerProcess(place / "home").start()
    sender = Sender("p", server.address, ledger)
    sender.start()
    try:
        for number in range(rounds):
            sender.refused.clear()
            _fill(place / "ballast", dice.randrange(*ROOM))
            failures = _full(server, sender, ledger)
            (place / "ballast").unlink()
            if not server.running:
                server.start()
            failures += _room_again(sender)
            result.failures += [f"round {number}: {failure}" for failure in failures]
            result.rounds += 1
    finally:
        sender.stop()
        server.kill()
    result.add(inspect(server.home.log, ledger.positions()))
    result.corrupt += ledger.moved
    result.acknowledged = ledger.events


def _room_again(sender: Sender) -> list[str]:
    goal = sender.acknowledged + 5
    deadline = time.monotonic() + PATIENCE_S
    while sender.acknowledged < goal and time.monotonic() < deadline:
        time.sleep(0.02)
    return [] if sender.acknowledged >= goal else ["there is room again, and nothing is written"]


def _full(server: ServerProcess, sender: Sender, ledger: Ledger) -> list[str]:
    """Waits until the sender is refused; what is not as promised then."""
    if not sender.refused.wait(PATIENCE_S):
        return ["the disk is full and nobody is told"]
    failures = []
    time.sleep(0.2)  # some more attempts on the full disk
    codes = {code for code, _ in sender.refusals}
    texts = {text for _, text in sender.refusals}
    sender.refusals.clear()
    if codes != {grpc.StatusCode.RESOURCE_EXHAUSTED}:
        failures.append(f"the disk is full, and writers are told {codes} {texts}")
    if not server.running:
        return [*failures, "the disk is full, and the server stopped"]
    with server.client() as book:
        positions = ledger.positions()
        if not compare(positions, book.read()).unharmed:
            failures.append("the disk is full, and not all is read")
    return failures


def _fill(ballast: Path, room: int) -> None:
    """Writes zeros until only `room` bytes are free."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while (left := _free(ballast) - room) > 0:
                file.write(bytes(min(left, 1024 * 1024)))
                os.fsync(file.fileno())
        except OSError:  # full sooner than it said
            return


def _free(path: Path) -> int:
    told = os.statvfs(path)
    return told.f_bavail * told.f_frsize


def main() -> None:
    kind, place, rounds, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    mount(kind, place)
    result = Result(f"disk full ({kind})")
    fill_and_free(place, rounds, seed, result)
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
