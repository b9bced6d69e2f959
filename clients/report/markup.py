"""HTML and SVG as text. What isn't markup already is escaped here, and nowhere else. Knows no report."""

import html

from guessbook.clients.visible import visible

_VOID = {"meta", "br", "hr"}

Attribute = str | int | float | None


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: Attribute) -> Markup:
    """An element. A child that isn't `Markup` is text. Attributes: `class_` is class, `stroke_width` is stroke-width; None leaves one out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_number(value) if isinstance(value, float) else visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: str | None) -> Markup:
    """Children one behind the other."""
    return Markup("".join(text(child) for child in children if child is not None))


def text(content: str) -> Markup:
    return content if isinstance(content, Markup) else Markup(html.escape(visible(content)))


def _number(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")
