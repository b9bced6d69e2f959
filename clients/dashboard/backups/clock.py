"""Times as the page tells them: in one time zone, which it names. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True)
class Clock:
    """`said`: the zone in words. `now`: in that zone; of a page about the past the moment it is about."""

    zone: tzinfo
    said: str
    now: datetime

    @classmethod
    def of(cls, configured: str, browser: str, now_us: int) -> "Clock":
        """The zone that the backups' schedule names, else the browser's; IANA names, and may be empty or unknown."""
        for name, said in ((configured, "the time zone of config.yaml"), (browser, "the time zone of this browser")):
            try:
                zone = ZoneInfo(name) if name else None
            except (ZoneInfoNotFoundError, ValueError):
                zone = None
            if zone:
                return cls(zone, f"{name}, {said}", datetime.fromtimestamp(now_us / 1e6, zone))
        return cls(UTC, "UTC", datetime.fromtimestamp(now_us / 1e6, UTC))

    def at(self, microseconds: int) -> datetime:
        return datetime.fromtimestamp(microseconds / 1e6, self.zone)

    def day(self, microseconds: int) -> date:
        return self.at(microseconds).date()

    def moment(self, microseconds: int) -> str:
        """ "today 03:00", "17 Nov 03:00", "17 Nov 2025 03:00"; a dash for none."""
        if not microseconds:
            return "–"
        there = self.at(microseconds)
        if there.date() == self.now.date():
            return f"today {there:%H:%M}"
        year = "" if there.year == self.now.year else f" {there.year}"
        return f"{there.day} {there:%b}{year} {there:%H:%M}"

    def exact(self, microseconds: int) -> str:
        return f"{self.at(microseconds):%Y-%m-%d %H:%M:%S %Z}" if microseconds else ""

    def next(self, time_of_day: str) -> datetime:
        """The next moment at which the clock shows HH:MM."""
        hour, minute = map(int, time_of_day.split(":"))
        then = self.now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return then if then > self.now else then + timedelta(days=1)
