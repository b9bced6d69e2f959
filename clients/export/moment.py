"""Times in exports: UTC, and as text ISO 8601 to the millisecond. Pure."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(microseconds: int) -> datetime:
    """Microseconds since 1970 as a time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def iso(time: datetime) -> str:
    """A time of `utc` as "2025-11-16T02:00:00.000Z"."""
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
