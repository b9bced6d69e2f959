"""The address of a page, for links from one page to another and within one. Knows the words of the URL that all pages share, no component."""

from urllib.parse import parse_qsl, urlencode


def href(path: str, at: int | None, **query: str | int) -> str:
    """`at`: the point in time that the link's page shows, None where it is live: what the link leads to is of the same moment. Names and values
    are those of `changed`."""
    return changed(path, None, **query, at=at)


def changed(path: str, search: str | None, **changes: str | int | None) -> str:
    """The page at `path` with the query `search` of the URL, some of it changed: None, as what is empty, takes a part out. A name that Python
    keeps for itself ends in "_". A link of the class "in-page" only changes the address (address.js), but opens in another tab too."""
    query: dict[str, str | int | None] = dict(parse_qsl((search or "").removeprefix("?")))
    query |= {name.rstrip("_"): value for name, value in changes.items()}
    asked = {name: value for name, value in query.items() if value not in (None, "")}
    return path + (f"?{urlencode(asked)}" if asked else "")
