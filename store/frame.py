"""The bytes of one commit. Nothing else knows them.

    magic "GBF1" · first position u64 · count u32 · codec u8 · raw size u32 · chain hash 32 bytes · body      (big endian)

The body is a serialised `Frame` message (log.proto), as one zstd frame (codec 1) or as it is where zstd doesn't shrink it (codec 0). The chain hash is
SHA-256 over the chain hash of the frame before, this header without its hash, and the body as stored. LMDB checks no data: a flipped bit comes back as good,
so every read checks this hash.
"""

import hashlib
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import zstandard

from guessbook.proto import log_pb2, raw_pb2
from guessbook.proto.events_pb2 import Event
from guessbook.store.recorded import events_of

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
class Part:
    """Events of one append, in the bytes that were sent: a serialised `Events` message."""

    actor: str
    count: int
    raw: bytes


@dataclass(frozen=True)
class Frame:
    first_position: int
    count: int
    chain_hash: bytes  # 32 bytes
    raw: bytes  # a serialised `Frame` message

    @property
    def last_position(self) -> int:
        return self.first_position + self.count - 1

    @cached_property
    def message(self) -> log_pb2.Frame:
        return log_pb2.Frame.FromString(self.raw)

    @cached_property
    def events(self) -> list[Event]:
        """Its events with position, recorded time and actor."""
        return events_of(self.message)


class _Codecs(threading.local):
    """zstd objects must not be shared between threads."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self.decompress = zstandard.ZstdDecompressor()


_codecs = _Codecs()


def encode(
    first_position: int, recorded_at_us: int, parts: Sequence[Part], previous_hash: bytes
) -> tuple[bytes, bytes]:
    """The bytes of a frame and its chain hash. Raises ValueError above RAW_LIMIT."""
    message = raw_pb2.Frame(
        first_position=first_position,
        recorded_at_us=recorded_at_us,
        parts=[raw_pb2.Part(actor=part.actor, count=part.count, events=part.raw) for part in parts],
    )
    raw = message.SerializeToString()
    if len(raw) > RAW_LIMIT:
        raise ValueError(f"a frame of {len(raw):,} bytes is over the limit of {RAW_LIMIT:,}")
    body, codec = _codecs.compress.compress(raw), _ZSTD
    if len(body) >= len(raw):
        body, codec = raw, _STORED
    header = _HEADER.pack(MAGIC, first_position, sum(part.count for part in parts), codec, len(raw))
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
    return Frame(first_position, count, chain_hash, _raw(body, codec, raw_size, key))


def _raw(body: bytes, codec: int, raw_size: int, key: int) -> bytes:
    if raw_size > RAW_LIMIT:
        raise DamagedFrame(key, f"it declares {raw_size:,} bytes")
    if codec == _STORED:
        return body
    if codec != _ZSTD:
        raise DamagedFrame(key, f"unknown codec {codec}")
    try:
        # A frame's own declared size is what gets allocated: compare it before (python-zstandard#332).
        if zstandard.frame_content_size(body) != raw_size:
            raise DamagedFrame(key, "its two sizes differ")
        return _codecs.decompress.decompress(body, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedFrame(key, str(error)) from error


def _chain(previous_hash: bytes, header: bytes, body: bytes) -> bytes:
    digest = hashlib.sha256(previous_hash)
    digest.update(header)
    digest.update(body)
    return digest.digest()
