"""When a job is expected to begin and to be done, in words. Pure."""

from guessbook.clients.dashboard.clock import Clock


def span(starts_us: int, ends_us: int, clock: Clock) -> str:
    """When a job is expected to start and to end, as far as that is known (0: it is not)."""
    start = f"starts about {clock.moment(starts_us)}" if starts_us else ""
    end = f"ends about {clock.moment(ends_us)}" if ends_us else ""
    return ", ".join(part for part in (start, end) if part)
