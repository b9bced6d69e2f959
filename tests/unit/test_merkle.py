"""Merkle trees against the vectors of Certificate Transparency, a naive reading of RFC 6962, and the script in docs/."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guessbook.store import merkle
from guessbook.store.merkle import EMPTY_ROOT, Frontier, Span, leaf_hash, node_hash

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_proof.py"

# The eight leaves of the test data of Certificate Transparency's reference implementations, and the roots over the first 1 … 8.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
NODE_01 = ROOTS[1]
NODE_23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
NODE_4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
INCLUSION = {  # (index, size): path
    (0, 1): [],
    (0, 8): [LEAF_1, NODE_23, NODE_4567],
    (5, 8): [LEAF_4, NODE_67, ROOTS[3]],
    (2, 3): [NODE_01],
    (1, 5): [ROOTS[0], NODE_23, LEAF_4],
}
CONSISTENCY = {  # (old size, new size): path
    (1, 1): [],
    (1, 8): [LEAF_1, NODE_23, NODE_4567],
    (6, 8): [NODE_45, NODE_67, ROOTS[3]],
    (2, 5): [NODE_23, LEAF_4],
}

leaves = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def naive_inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*naive_inclusion(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_inclusion(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_consistency(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*naive_consistency(old, leaves[:split], whole), naive_root(leaves[split:])]
    return [*naive_consistency(old - split, leaves[split:], False), naive_root(leaves[:split])]


def hashed(spans: list[Span], leaves: list[bytes]) -> list[bytes]:
    return [naive_root(leaves[start:end]) for start, end in spans]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert Frontier(map(leaf_hash, LEAVES[:size])).root().hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_the_inclusion_paths_are_those_of_certificate_transparency(index: int, size: int) -> None:
    path = hashed(merkle.inclusion_spans(index, size), LEAVES)
    assert [node.hex() for node in path] == INCLUSION[index, size]
    assert merkle.included(leaf_hash(LEAVES[index]), index, size, path, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_the_consistency_paths_are_those_of_certificate_transparency(old: int, new: int) -> None:
    path = hashed(merkle.consistency_spans(old, new), LEAVES)
    assert [node.hex() for node in path] == CONSISTENCY[old, new]
    roots = [bytes.fromhex(ROOTS[size - 1]) for size in (old, new)]
    assert merkle.consistent(old, roots[0], new, roots[1], path)


@given(leaves)
def test_a_frontier_has_the_root_of_every_size_on_its_way(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for size, leaf in enumerate(leaves, start=1):
        frontier.append(leaf_hash(leaf))
        assert frontier.root() == naive_root(leaves[:size])


@given(leaves, st.data())
def test_an_inclusion_path_proves_its_leaf_alone(
    script: dict[str, Any], leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    size, root = len(leaves), naive_root(leaves)
    path = hashed(merkle.inclusion_spans(index, size), leaves)
    assert path == naive_inclusion(index, leaves)
    node = leaf_hash(leaves[index])
    assert merkle.included(node, index, size, path, root)
    assert script["climb"](index, size - 1, node, path)[1] == root
    assert not merkle.included(leaf_hash(leaves[index] + b"!"), index, size, path, root)
    assert not merkle.included(node, index, size, [*path, root], root)
    if path:
        assert not merkle.included(node, index, size, path[1:], root)
        assert not merkle.included(node, index, size, [leaf_hash(b"other"), *path[1:]], root)


@given(leaves, st.data())
def test_a_consistency_path_proves_that_the_tree_only_grew(
    script: dict[str, Any], leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    new, old_root, root = len(leaves), naive_root(leaves[:old]), naive_root(leaves)
    path = hashed(merkle.consistency_spans(old, new), leaves)
    assert path == naive_consistency(old, leaves)
    assert merkle.consistent(old, old_root, new, root, path)
    assert script["consistent"](old, old_root, new, root, list(path))
    changed = naive_root([*leaves[: old - 1], leaves[old - 1] + b"!"])
    assert not merkle.consistent(old, changed, new, root, path)
    assert not merkle.consistent(old, old_root, new, leaf_hash(b"other"), path)
    assert not merkle.consistent(old, old_root, new, root, [*path, root])


def test_what_is_outside_of_a_tree_has_no_path() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.inclusion_spans(3, 3)
    with pytest.raises(ValueError, match="no beginning"):
        merkle.consistency_spans(4, 3)
    assert not merkle.included(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)
    assert not merkle.consistent(0, EMPTY_ROOT, 3, EMPTY_ROOT, [])
