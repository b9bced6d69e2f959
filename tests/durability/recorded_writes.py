"""From a trace of a program's writes to what a disk may hold after a power cut. Knows files and syncs, not what is in them.

The model is that of a POSIX file system: what was written before a sync that ended is there. Of everything after it any part may be there, in
sectors, in any order; so may names that were given before their folder was synced.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from durability import strace

CALLS = (
    *("openat", "close", "mkdir", "rename", "lseek", "write", "pwrite64", "writev", "pwritev"),
    *("fdatasync", "fsync", "ftruncate"),
)
OPTIONS = ("-xx", "-s", str(16 * 1024 * 1024))
SECTOR = 512
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True)
class Write:
    offset: int
    data: bytes


@dataclass
class Disk:
    """One file and the names of it, as the disk has them and as the program believes them to be."""

    durable: bytes = b""
    pending: list[Write] = field(default_factory=list)
    name: str = ""  # of the folder that the file is in
    durable_names: set[str] = field(
        default_factory=set
    )  # what the folder may be called after a cut; empty: it isn't there
    acknowledged: list[str] = field(default_factory=list)

    def image(self, dice: random.Random, torn: float) -> bytes:
        """The file after a cut now: of each write that was not synced nothing, all, or with the probability `torn` some sectors."""
        content = bytearray(self.durable)
        for write in self.pending:
            if dice.random() < torn:
                for sector in _sectors(write):
                    if dice.random() < 0.5:
                        _put(content, sector)
            elif dice.random() < 0.5:
                _put(content, write)
        return bytes(content)

    def sync(self) -> None:
        content = bytearray(self.durable)
        for write in self.pending:
            _put(content, write)
        self.durable, self.pending = bytes(content), []


def replay(trace: Path, file: str) -> Iterator[Disk]:
    """The disk right before each sync ended, each synchronous write, each rename and each acknowledgement: the moments at which a cut matters."""
    disk = Disk()
    opened: dict[int, tuple[str, bool]] = {}  # descriptor -> path, synchronous
    offsets: dict[int, int] = {}
    for call in strace.calls(trace):
        if call.result < 0:
            continue
        strings = _strings(call.arguments)
        numbers = re.sub(r"\[.*\]|\"[^\"]*\"", "", call.arguments).split(",")
        descriptor = int(numbers[0]) if numbers[0].strip().isdigit() else -1
        path, synchronous = opened.get(descriptor, ("", False))
        if call.name == "openat":
            opened[call.result] = (strings[0].decode(), "SYNC" in call.arguments)
            if strings[0].decode().endswith("/" + file) and not disk.name:
                disk.name = str(Path(strings[0].decode()).parent)
        elif call.name == "close":
            opened.pop(descriptor, None)
        elif call.name == "lseek":
            offsets[descriptor] = call.result
        elif call.name == "rename" and strings[0].decode() == disk.name:
            disk.durable_names |= {disk.name, strings[1].decode()}
            disk.name = strings[1].decode()
            yield disk
        elif call.name in ("fsync", "fdatasync") and path == str(Path(disk.name or "/").parent):
            disk.durable_names = {disk.name}
            yield disk
        elif call.name == "write" and descriptor == 1:
            disk.acknowledged += strings[0].decode().split("\n")[:-1]
            yield disk
        elif path.endswith("/" + file):
            yield from _on_file(disk, call, strings, numbers, offsets.get(descriptor, 0), synchronous)


def _on_file(
    disk: Disk, call: strace.Call, strings: list[bytes], numbers: list[str], offset: int, synchronous: bool
) -> Iterator[Disk]:
    if call.name in ("fsync", "fdatasync"):
        yield disk
        disk.sync()
    elif call.name in ("write", "pwrite64", "writev", "pwritev"):
        if call.name.startswith("p"):
            offset = int(numbers[-1])
        data = b"".join(strings)
        if len(data) != call.result:
            raise ValueError(f"{call.name} wrote {call.result} bytes, the trace has {len(data)}")
        disk.pending.append(Write(offset, data))
        if synchronous:  # it alone is on the disk when it ends; what was pending before it still is
            yield disk
            write = disk.pending.pop()
            content = bytearray(disk.durable)
            _put(content, write)
            disk.durable = bytes(content)
    elif call.name == "ftruncate":
        raise ValueError("the trace cuts the file; this model has no word for that")


def _strings(arguments: str) -> list[bytes]:
    found = []
    for text, cut in _STRING.findall(arguments):
        if cut:
            raise ValueError("the trace has a string that was cut")
        found.append(bytes.fromhex(text.replace("\\x", "")))
    return found


def _sectors(write: Write) -> Iterator[Write]:
    start = 0
    while start < len(write.data):
        end = min(len(write.data), start + SECTOR - (write.offset + start) % SECTOR)
        yield Write(write.offset + start, write.data[start:end])
        start = end


def _put(content: bytearray, write: Write) -> None:
    end = write.offset + len(write.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[write.offset : end] = write.data
