"""When something is expected or happened, near now, in the time zone of the machine that the dashboard runs on. Pure."""

from datetime import datetime


def near(microseconds: int, now_us: int) -> str:
    """ "14:05", on another day "Nov 18, 03:00"."""
    there, now = datetime.fromtimestamp(microseconds / 1e6), datetime.fromtimestamp(now_us / 1e6)
    return f"{there:%H:%M}" if there.date() == now.date() else f"{there:%b} {there.day}, {there:%H:%M}"


def span(starts_us: int, ends_us: int, now_us: int) -> str:
    """When a job is expected to start and to end, as far as that is known (0: it is not)."""
    start = f"starts about {near(starts_us, now_us)}" if starts_us else ""
    end = f"ends about {near(ends_us, now_us)}" if ends_us else ""
    return ", ".join(part for part in (start, end) if part)
