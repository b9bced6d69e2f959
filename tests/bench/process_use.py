"""What processes use, as Linux tells it: CPU time and memory. Knows /proc, nothing of what the processes do."""

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of the process since it began, in the kernel and outside."""
    user, system = _after_name(pid)[11:13]
    return (int(user) + int(system)) * _TICK_S


def resident_mb(pid: int) -> float:
    """Memory of the process, in MB of 10^6 bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6


def descendants(pid: int, name: str) -> list[int]:
    """All processes below `pid`, at any depth, whose name begins so."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _after_name(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, below = [], list(children.get(pid, ()))
    while below:
        child = below.pop()
        below += children.get(child, ())
        if _name(child).startswith(name):
            found.append(child)
    return found


def _after_name(pid: int) -> list[str]:
    """The fields of its stat file from the state on; empty: it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
