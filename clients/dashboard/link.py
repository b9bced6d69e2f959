"""The address of a page, for links from one page to another. Knows the words of the URL that all pages share, no component."""

from urllib.parse import urlencode


def href(path: str, at: int | None, **query: str | int) -> str:
    """`at`: the point in time that the link's page shows, None where it is live: what the link leads to is of the same moment. A name that
    Python keeps for itself ends in "_"; what is empty is left out."""
    asked = {name.rstrip("_"): value for name, value in query.items() if value != ""}
    if at is not None:
        asked["at"] = at
    return path + (f"?{urlencode(asked)}" if asked else "")
