"""Links within the page: to the same page with something else chosen."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard.link import changed

PATH = "/versions"


def to_view(
    children: Any, search: str | None, *, chosen: bool = False, className: str = "", **changes: str | int | None
) -> Component:
    """`changes` are those of `link.changed`; `chosen`: it leads to what is shown already."""
    about: dict[str, Any] = {"aria-current": "true"} if chosen else {}
    return html.A(children, href=changed(PATH, search, **changes), className=f"in-page {className}".strip(), **about)
