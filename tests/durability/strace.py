"""strace: whether it is there, how it is called, and its lines. Knows no attack.

`-D` makes the traced program the child of whoever starts it, so that it can be killed and waited for as without strace.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(.*)$")
_UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


@dataclass(frozen=True)
class Call:
    thread: int
    name: str
    arguments: str
    result: int
    injected: bool


def require() -> None:
    """Skips the test without strace; on CI, where it must be there, it fails."""
    if shutil.which("strace") is None:
        reason = "needs strace; on Debian and Ubuntu: apt install strace"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def command(
    output: Path, calls: Sequence[str], *, paths: Sequence[Path] = (), options: Sequence[str] = ()
) -> list[str]:
    """What to put before a command. `paths`: only calls that touch these files."""
    only = [word for path in paths for word in ("-P", str(path))]
    # What makes it fast loses the signals that are to be injected (strace 6.1).
    fast = [] if any("signal=" in word for word in options) else ["--seccomp-bpf"]
    return ["strace", "-D", "-f", *fast, "-o", str(output), "-e", f"trace={','.join(calls)}", *only, *options]


def calls(output: Path) -> Iterator[Call]:
    """The calls of a trace, each where it ended; one that a kill cut off is left out."""
    begun: dict[str, str] = {}
    for line in output.read_text(errors="replace").splitlines():
        if unfinished := _UNFINISHED.match(line):
            begun[unfinished[1]] = f"{unfinished[1]} {unfinished[2]}({unfinished[3]}"
            continue
        if resumed := _RESUMED.match(line):
            line = begun.pop(resumed[1], "") + resumed[3]
        if (found := _CALL.match(line)) and found[4] != "?":
            yield Call(int(found[1]), found[2], found[3], int(found[4]), "(INJECTED)" in found[5])
