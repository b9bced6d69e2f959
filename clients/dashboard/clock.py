"""Times as the pages tell them: in one form, in one time zone, which the title of each time names. Pure, but for `Clock.here`, which reads the time."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dash import html
from dash.development.base_component import Component


@dataclass(frozen=True)
class Clock:
    """`zone`: None is that of the machine that the dashboard runs on. `said`: the zone in words. `now`: in that zone; of a page about the past the
    moment it is about."""

    zone: tzinfo | None
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
                return cls(zone, f"{name}, {said}", _at(now_us, zone))
        return cls(UTC, "UTC", _at(now_us, UTC))

    @classmethod
    def here(cls, now_us: int | None = None) -> "Clock":
        """That of the machine that the dashboard runs on."""
        said = "the time zone of the dashboard's machine"
        return cls(None, said, _at(time.time_ns() // 1000 if now_us is None else now_us, None))

    def at(self, microseconds: int) -> datetime:
        return _at(microseconds, self.zone)

    def day(self, microseconds: int) -> date:
        return self.at(microseconds).date()

    def moment(self, microseconds: int, *, seconds: bool = False) -> str:
        """ "today 03:00", "17 Nov 03:00", "17 Nov 2025 03:00"; a dash for none. `seconds`: to the second."""
        if not microseconds:
            return "–"
        there = self.at(microseconds)
        clock = f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
        if there.date() == self.now.date():
            return f"today {clock}"
        year = "" if there.year == self.now.year else f" {there.year}"
        return f"{there.day} {there:%b}{year} {clock}"

    def exact(self, microseconds: int) -> str:
        """ "2026-11-17 03:00:05 CET"; empty for none."""
        return f"{self.at(microseconds):%Y-%m-%d %H:%M:%S %Z}" if microseconds else ""

    def shown(self, microseconds: int, *, seconds: bool = False, className: str = "") -> Component:
        """The moment, with its exact time and zone as the title."""
        more: dict[str, Any] = {"className": className} if className else {}
        return html.Span(self.moment(microseconds, seconds=seconds), title=self.exact(microseconds), **more)

    def next(self, time_of_day: str) -> datetime:
        """The next moment at which the clock shows HH:MM."""
        hour, minute = map(int, time_of_day.split(":"))
        then = self.now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return then if then > self.now else then + timedelta(days=1)


def _at(microseconds: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).astimezone(zone)
