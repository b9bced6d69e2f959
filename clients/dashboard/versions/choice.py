"""What of the page Versions the address bar says: `?version=…&with=…&change=…&q=…&page=…&at=…`. Pure; knows no component."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from guessbook.clients.dashboard.view import CHANGES, View
from guessbook.proto.history_pb2 import Change, Version

START = "start"  # in place of a version: what the model was before that training


@dataclass(frozen=True)
class Choice:
    """What the URL leaves out is empty; `page` counts from 1."""

    version: str = ""
    other: str = ""
    change: str = ""  # a word of view.CHANGES
    q: str = ""
    page: int = 1
    at: int | None = None

    @classmethod
    def parse(cls, search: str | None) -> "Choice":
        """From the query part of the URL, with or without its question mark."""
        given = dict(parse_qsl((search or "").removeprefix("?")))
        page = given.get("page", "")
        change = given.get("change", "")
        return cls(
            version=given.get("version", ""),
            other=given.get("with", ""),
            change=change if change in CHANGES else "",
            q=given.get("q", ""),
            page=int(page) if page.isascii() and page.isdigit() and 0 < int(page) < 10**6 else 1,
            at=View.parse(search).at,
        )

    @property
    def changes(self) -> list["Change.ValueType"]:
        return [CHANGES[self.change]] if self.change else []

    def of(self, versions: list[Version]) -> Version | None:
        """The chosen one; where none is named the latest, else the newest. None: there is none of that name. `versions`: newest first."""
        if not self.version:
            return next((version for version in versions if version.latest), versions[0] if versions else None)
        return named(versions, self.version)

    def other_of(self, version: Version, versions: list[Version]) -> str:
        """What it is compared with: as named, else its parent where there is one, else its own start."""
        if self.other:
            found = named(versions, self.other)
            return found.name if found else self.other
        parent = named(versions, version.parent) if version.parent else None
        return parent.name if parent else START


def named(versions: list[Version], name: str) -> Version | None:
    """By its name or its number, as "v002" or "2"."""
    number = name.removeprefix("v").lstrip("0")
    return next((version for version in versions if name == version.name or number == str(version.number)), None)
