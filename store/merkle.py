"""Merkle trees as RFC 6962, section 2.1, has them: roots, inclusion and consistency proofs. Pure; knows no event and no file.

The tree over n leaves splits at the largest power of two below n. A span (start, end) is the subtree over the leaves start … end-1. A proof's path
is a list of spans, from the bottom up: whoever keeps hashes decides which of them to compute again.
"""

import hashlib
from collections.abc import Iterable, Sequence

Span = tuple[int, int]

EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree, of which only the roots of its complete subtrees are kept, the largest first: log2(size) hashes."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._roots: list[bytes] = []
        for one in leaf_hashes:
            self.append(one)

    @classmethod
    def of(cls, size: int, roots: Sequence[bytes]) -> "Frontier":
        """The tree over `size` leaves whose complete subtrees have these roots. Raises ValueError where there can't be so many."""
        if len(roots) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(roots)}")
        tree = cls()
        tree.size, tree._roots = size, list(roots)
        return tree

    @property
    def roots(self) -> list[bytes]:
        """The roots of its complete subtrees, the largest first."""
        return self._roots.copy()

    def append(self, leaf_hash: bytes) -> None:
        self.size += 1
        node, complete = leaf_hash, self.size
        while complete % 2 == 0:
            node = node_hash(self._roots.pop(), node)
            complete //= 2
        self._roots.append(node)

    def root(self) -> bytes:
        if not self._roots:
            return EMPTY_ROOT
        node = self._roots[-1]
        for left in self._roots[-2::-1]:
            node = node_hash(left, node)
        return node


def middle(start: int, end: int) -> int:
    """Where the subtree over two leaves or more splits."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The siblings on the way from a leaf to the root of a tree of `size` leaves. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    start, end = 0, size
    spans: list[Span] = []
    while end - start > 1:
        split = middle(start, end)
        if index < split:
            spans.append((split, end))
            end = split
        else:
            spans.append((start, split))
            start = split
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """What shows that the tree of `old` leaves is the beginning of that of `new`. Raises ValueError."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {new}")
    start, end = 0, new
    spans: list[Span] = []
    while end > old:
        split = middle(start, end)
        if old <= split:
            spans.append((split, end))
            end = split
        else:
            spans.append((start, split))
            start = split
    if start > 0:  # else this subtree is the old tree, whose root the verifier has
        spans.append((start, end))
    return spans[::-1]


def included(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from this leaf, at this index, to the root."""
    if not 0 <= index < size:
        return False
    spans = inclusion_spans(index, size)
    if len(spans) != len(path):
        return False
    node = leaf_hash
    for (start, _), sibling in zip(spans, path, strict=True):
        node = node_hash(node, sibling) if start > index else node_hash(sibling, node)
    return node == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path shows that the tree with the old root is the beginning of the one with the new."""
    if not 0 < old <= new:
        return False
    spans = consistency_spans(old, new)
    if len(spans) != len(path):
        return False
    links = list(zip(spans, path, strict=True))
    old_node = new_node = links.pop(0)[1] if spans and spans[0][1] == old else old_root
    for (start, _), sibling in links:
        if start < old:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
        else:
            new_node = node_hash(new_node, sibling)
    return old_node == old_root and new_node == new_root
