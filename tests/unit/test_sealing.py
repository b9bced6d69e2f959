"""What is encrypted comes back whole, or not at all."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guessbook.store.sealing import CHUNK, TAG, BadKey, NotSealed, Sealer, make_key, plain_size, read_key

KEY = bytes(range(32))
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", SIZES)
def test_it_comes_back_and_its_size_is_known(size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    sealed = b"".join(Sealer(KEY).seal(pieces(data, 70_000)))
    assert b"".join(Sealer(KEY).unseal(pieces(sealed, 33_333))) == data
    assert plain_size(len(sealed)) == size


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.data())
def test_a_changed_or_shortened_one_is_refused(data: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(b"".join(Sealer(KEY).seal([data])))
    at = draw.draw(st.integers(0, len(sealed) - 1))
    if draw.draw(st.booleans()):
        sealed[at] ^= 1 << draw.draw(st.integers(0, 7))
    else:
        del sealed[at:]
    with pytest.raises(NotSealed):
        b"".join(Sealer(KEY).unseal([bytes(sealed)]))


def test_chunks_can_be_neither_swapped_nor_left_out_nor_cut_off() -> None:
    sealed = b"".join(Sealer(KEY).seal([bytes(3 * CHUNK)]))
    head, body = sealed[:15], sealed[15:]
    one, two, three = pieces(body, CHUNK + TAG)
    for changed in (two + one + three, one + three, one + two):
        with pytest.raises(NotSealed):
            b"".join(Sealer(KEY).unseal([head + changed]))


def test_another_key_opens_nothing() -> None:
    with pytest.raises(NotSealed):
        b"".join(Sealer(bytes(32)).unseal(Sealer(KEY).seal([b"secret"])))


def test_the_content_is_not_in_it() -> None:
    assert b"Ulaanbaatar" not in b"".join(Sealer(KEY).seal([b"Ulaanbaatar"]))


def test_a_key_is_its_owners_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "backup.key"
    make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(read_key(path)) == 32
    with pytest.raises(FileExistsError):
        make_key(path)


@pytest.mark.parametrize("content", [b"", b"short", b"not base64!", b"AAAA"])
def test_what_is_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(BadKey, match="key"):
        read_key(path)
