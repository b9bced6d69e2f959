"""The bytes of one commit. Nothing else knows them.

    magic "GBF1" · first position u64 · count u32 · codec u8 · raw size u32 · chain hash 32 bytes · body      (big endian)

The body is a serialised `Events` message, as one zstd frame (codec 1) or as it is where zstd doesn't shrink it (codec 0). The chain hash is
SHA-256 over the chain hash of the frame before, this header without its hash, and the body as stored. LMDB checks no data: a flipped bit comes back as good,
so every read checks this hash.
"""

import hashlib
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import zstandard
from google.protobuf.message import DecodeError

from guessbook.proto.events_pb2 import Event, Events

MAGIC = b"GBF1"
RAW_LIMIT = 8 * 1024 * 1024  # bytes of one frame's events; a declared size above it is damage, not data
_HEADER = struct.Struct(">4sQIBI")
_HASH = 32
_STORED, _ZSTD = 0, 1
_LEVEL = 3


class DamagedFrame(Exception):
    """A frame's bytes are not what was written. `position` is its first position, as far as known."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"the frame at position {position} is damaged: {reason}")
        self.position = position


@dataclass(frozen=True)
class Frame:
    first_position: int
    count: int
    chain_hash: bytes  # 32 bytes
    events: list[Event]


class _Codecs(threading.local):
    """zstd objects must not be shared between threads."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self.decompress = zstandard.ZstdDecompressor()


_codecs = _Codecs()


def encode(first_position: int, events: Sequence[Event], previous_hash: bytes) -> tuple[bytes, bytes]:
    """The bytes of a frame and its chain hash. Raises ValueError above RAW_LIMIT."""
    raw = Events(events=events).SerializeToString()
    if len(raw) > RAW_LIMIT:
        raise ValueError(f"a frame of {len(raw):,} bytes is over the limit of {RAW_LIMIT:,}")
    body, codec = _codecs.compress.compress(raw), _ZSTD
    if len(body) >= len(raw):
        body, codec = raw, _STORED
    header = _HEADER.pack(MAGIC, first_position, len(events), codec, len(raw))
    chain_hash = _chain(previous_hash, header, body)
    return header + chain_hash + body, chain_hash


def genesis(log_id: str) -> bytes:
    """The hash that the first frame of a log is chained to."""
    return hashlib.sha256(b"guessbook log " + log_id.encode()).digest()


def chain_hash_of(data: bytes) -> bytes:
    """The hash a frame carries, unchecked: the link that the next frame is checked against."""
    return data[_HEADER.size : _HEADER.size + _HASH]


def decode(data: bytes, key: int, previous_hash: bytes) -> Frame:
    """The frame stored under position `key`. Raises DamagedFrame unless every byte is as it was written, behind `previous_hash`."""
    if len(data) < _HEADER.size + _HASH:
        raise DamagedFrame(key, f"it has only {len(data)} bytes")
    header, body = data[: _HEADER.size], data[_HEADER.size + _HASH :]
    magic, first_position, count, codec, raw_size = _HEADER.unpack(header)
    chain_hash = chain_hash_of(data)
    if magic != MAGIC:
        raise DamagedFrame(key, "it does not begin as a frame does")
    if first_position != key:
        raise DamagedFrame(key, f"it says that it begins at {first_position}")
    if _chain(previous_hash, header, body) != chain_hash:
        raise DamagedFrame(key, "its hash does not follow from its bytes and the frame before")
    events = _events(body, codec, raw_size, key)
    if len(events) != count:
        raise DamagedFrame(key, f"it holds {len(events)} events and says {count}")
    return Frame(first_position, count, chain_hash, events)


def _events(body: bytes, codec: int, raw_size: int, key: int) -> list[Event]:
    if raw_size > RAW_LIMIT:
        raise DamagedFrame(key, f"it declares {raw_size:,} bytes")
    if codec == _ZSTD:
        # A frame's own declared size is what gets allocated: compare it before (python-zstandard#332).
        if zstandard.frame_content_size(body) != raw_size:
            raise DamagedFrame(key, "its two sizes differ")
        try:
            raw = _codecs.decompress.decompress(body, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise DamagedFrame(key, str(error)) from error
    elif codec == _STORED:
        raw = body
    else:
        raise DamagedFrame(key, f"unknown codec {codec}")
    try:
        return list(Events.FromString(raw).events)
    except DecodeError as error:
        raise DamagedFrame(key, str(error)) from error


def _chain(previous_hash: bytes, header: bytes, body: bytes) -> bytes:
    digest = hashlib.sha256(previous_hash)
    digest.update(header)
    digest.update(body)
    return digest.digest()
