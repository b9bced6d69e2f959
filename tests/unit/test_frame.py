"""The bytes of a frame: what goes in comes out, and no changed byte goes unnoticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_events import step

from guessbook.proto.events_pb2 import Events
from guessbook.store import frame

GENESIS = frame.genesis("a log")


def _part(count: int) -> frame.Part:
    events = [step(number, examples=[1, 2], losses=[0.5, 0.25]) for number in range(1, count + 1)]
    return frame.Part("me", count, Events(events=events).SerializeToString())


def _encode(count: int) -> tuple[bytes, bytes]:
    return frame.encode(1, 5, [_part(count)], GENESIS)


@pytest.mark.parametrize("count", [1, 2, 300])
def test_what_was_encoded_is_decoded(count: int) -> None:
    data, chain_hash = frame.encode(17, 5, [_part(count), _part(1)], GENESIS)
    found = frame.decode(data, 17, GENESIS)
    assert (found.first_position, found.count, found.chain_hash) == (17, count + 1, chain_hash)
    assert found.last_position == 17 + count
    assert frame.chain_hash_of(data) == chain_hash
    assert [event.position for event in found.events] == list(range(17, 18 + count))
    assert [event.step_completed.step for event in found.events] == [*range(1, count + 1), 1]
    assert {(event.actor, event.recorded_at_us) for event in found.events} == {("me", 5)}


@given(place=st.integers(min_value=0), bit=st.integers(0, 7), count=st.sampled_from([1, 40]))
def test_a_flipped_bit_is_never_served(place: int, bit: int, count: int) -> None:
    data, _ = _encode(count)
    damaged = bytearray(data)
    damaged[place % len(data)] ^= 1 << bit
    with pytest.raises(frame.DamagedFrame):
        frame.decode(bytes(damaged), 1, GENESIS)


@given(size=st.integers(min_value=0, max_value=200))
def test_a_cut_frame_is_never_served(size: int) -> None:
    data, _ = _encode(3)
    with pytest.raises(frame.DamagedFrame):
        frame.decode(data[: min(size, len(data) - 1)], 1, GENESIS)


def test_a_frame_stands_only_behind_the_one_it_was_written_behind() -> None:
    data, _ = _encode(3)
    with pytest.raises(frame.DamagedFrame, match="frame before"):
        frame.decode(data, 1, frame.genesis("another log"))
    with pytest.raises(frame.DamagedFrame, match="begins at 1"):
        frame.decode(data, 2, GENESIS)


def test_a_declared_size_is_checked_before_it_is_allocated() -> None:
    data, _ = _encode(100)
    header = frame._HEADER.pack(frame.MAGIC, 1, 100, frame._ZSTD, frame.RAW_LIMIT + 1)
    body = data[len(header) + 32 :]
    forged = header + frame._chain(GENESIS, header, body) + body
    with pytest.raises(frame.DamagedFrame, match="declares"):
        frame.decode(forged, 1, GENESIS)


def test_more_than_a_frame_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        frame.encode(1, 5, [frame.Part("me", 1, bytes(frame.RAW_LIMIT))], GENESIS)
