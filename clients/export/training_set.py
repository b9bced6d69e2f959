"""The lines of a dataset file that belong to chosen examples, byte for byte. Knows how examples are counted, not what a line says."""

from collections.abc import Container, Iterable, Iterator


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A file's lines, each with its line feed, from the pieces that it comes in."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def chosen(lines: Iterable[bytes], skipped: Container[int], wanted: Container[int]) -> Iterator[bytes]:
    """The lines of the wanted examples. `skipped`: lines that were left out when the file was registered; line 1 is the first.

    Example 0 is the first line that is neither blank nor skipped.
    """
    index = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip() or number in skipped:
            continue
        if index in wanted:
            yield line
        index += 1
