"""Links within the page: to the same page with something else chosen. A plain click changes the address without loading anything (versions.js)."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard.versions.choice import changed

PATH = "/versions"


def to_view(
    children: Any, search: str | None, *, chosen: bool = False, className: str = "", **changes: str | int | None
) -> Component:
    """`changes` are those of `choice.changed`; `chosen`: it leads to what is shown already."""
    about: dict[str, Any] = {"data-view": ""} | ({"aria-current": "true"} if chosen else {})
    return html.A(children, href=PATH + changed(search, **changes), className=className, **about)
