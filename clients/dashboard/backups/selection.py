"""What the page lists, as its address says it: `?month=2026-11&day=2026-11-17&place=local&pruned=1&rows=100`. Pure; knows the words of the URL."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard.link import changed
from guessbook.clients.dashboard.view import View

PATH = "/backups"
ROWS = 30  # backups that are listed at first, and how many more are each time


@dataclass(frozen=True)
class Selection:
    """What the URL leaves out, or says in a way nobody understands, takes its default."""

    month: tuple[int, int] | None = None  # year and month of the calendar; None: that of now
    day: date | None = None  # only backups that were begun on it
    place: str = ""  # only those there
    pruned: bool = False  # also those that the rules let go
    rows: int = ROWS
    at: int | None = None
    query: dict[str, str] = field(default_factory=dict)  # all that the URL says

    @classmethod
    def parse(cls, search: str | None) -> "Selection":
        query = dict(parse_qsl((search or "").removeprefix("?")))
        day = _day(query.get("day", ""))
        month = _day(query.get("month", "") + "-01") or day
        rows = query.get("rows", "")
        return cls(
            month=(month.year, month.month) if month else None,
            day=day,
            place=query.get("place", ""),
            pruned=query.get("pruned") == "1",
            rows=int(rows) if re.fullmatch("[1-9][0-9]{0,5}", rows) else ROWS,
            at=View.parse(search).at,
            query=query,
        )

    def href(self, **changes: str | None) -> str:
        """The address of the page with some of it changed; None takes a part out."""
        return changed(PATH, urlencode(self.query), **changes)

    def link(self, children: Any, *, className: str = "", title: str = "", **changes: Any) -> Component:
        """Leads to another view of the page, without loading it anew. Changes that begin with `aria_` are attributes."""
        named = {name.replace("_", "-"): changes.pop(name) for name in list(changes) if name.startswith("aria_")}
        about = named | ({"title": title} if title else {})
        return html.A(children, href=self.href(**changes), className=f"in-page {className}".strip(), **about)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None
