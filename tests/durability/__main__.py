"""The whole harness, as one table: `make durability`. Exit 1 if a promise was broken.

python -m durability [--seed N] [ATTACK …]        (in tests/)
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durability import (
    archive_crashes,
    backups,
    bit_flips,
    dropped_acks,
    exact_resume,
    full_disk,
    fuzz,
    guarded_crashes,
    kills,
    power_cuts,
    subscription_cuts,
    syscall_faults,
)
from durability.ledger import Result, table

# name -> the attack, with its rounds; 0: all there are
ATTACKS: dict[str, Callable[[Path, int], Result]] = {
    "kills": lambda folder, seed: kills.attack(folder, 60, seed),
    "power": lambda folder, seed: power_cuts.attack(folder, 1500, seed),
    "syscalls": lambda folder, seed: syscall_faults.attack(folder, 0, seed),
    "flips": lambda folder, seed: bit_flips.attack(folder, 1500, seed),
    "acks": lambda folder, seed: dropped_acks.attack(folder, 250, seed),
    "archives": lambda folder, seed: archive_crashes.attack(folder, 0, seed),
    "subscriptions": lambda folder, seed: subscription_cuts.attack(folder, 1000, seed),
    "fuzz": lambda folder, seed: fuzz.attack(folder, 100_000, seed),
    "backups": lambda folder, seed: backups.attack(folder, 20, seed),
    "trainers": lambda folder, seed: exact_resume.attack(folder, 30, seed),
    "guarded": lambda folder, seed: guarded_crashes.attack(folder, 0, seed),
}
DISK_ROUNDS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of: {', '.join(ATTACKS)}, disk; none: all")
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        parser.error("needs strace; on Debian and Ubuntu: apt install strace")
    chosen = {name: attack for name, attack in {**ATTACKS, **_disks()}.items() if _wanted(name, arguments.attacks)}
    print(f"seed {arguments.seed}", file=sys.stderr)
    results = []
    for name, attack in chosen.items():
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="durability-") as folder:
            results.append(attack(Path(folder), arguments.seed))
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    print(table(results))
    return 0 if results and all(result.clean for result in results) else 1


def _wanted(name: str, attacks: list[str]) -> bool:
    return not attacks or name.partition(" ")[0] in attacks


def _disks() -> dict[str, Callable[[Path, int], Result]]:
    """On each small file system that may be mounted here. None: a row of zero rounds, which is no success."""
    kinds = full_disk.kinds()
    if not kinds:
        return {
            "disk": lambda folder, seed: Result(
                "disk full", failures=["nothing may be mounted here, not even in a namespace"]
            )
        }
    return {f"disk {kind}": partial(_disk, kind) for kind in kinds}


def _disk(kind: str, folder: Path, seed: int) -> Result:
    return full_disk.attack(folder, DISK_ROUNDS, seed, kind)


if __name__ == "__main__":
    sys.exit(main())
