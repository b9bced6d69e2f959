"""The frame of a chart in SVG: scales, axes, lines and areas. Pure; knows numbers, not what they mean."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guessbook.clients.report.markup import Markup, join, tag

LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 12.0, 40.0
LABEL_WIDTH = 7.0  # of a digit

Point = tuple[float, float]


@dataclass(frozen=True)
class Plot:
    """Data ranges mapped to a picture of `width` × `height` units; y grows upwards."""

    x_range: Point
    y_range: Point
    width: float = 620.0
    height: float = 290.0

    def x(self, value: float) -> float:
        return LEFT + self._share(value, self.x_range) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return self.height - BOTTOM - self._share(value, self.y_range) * (self.height - TOP - BOTTOM)

    @staticmethod
    def _share(value: float, bounds: Point) -> float:
        low, high = bounds
        return min(max((value - low) / (high - low or 1.0), 0.0), 1.0)

    def line(self, points: Sequence[Point], class_: str) -> Markup:
        placed = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return tag("polyline", points=placed, class_=f"line {class_}")

    def area(self, points: Sequence[tuple[float, float, float]], class_: str) -> Markup:
        """Between a lower and an upper edge: (x, low, high)."""
        upper = [f"{self.x(x):.1f},{self.y(high):.1f}" for x, _, high in points]
        lower = [f"{self.x(x):.1f},{self.y(low):.1f}" for x, low, _ in reversed(points)]
        return tag("polygon", points=" ".join(upper + lower), class_=f"area {class_}")

    def dot(self, x: float, y: float, class_: str, title: str, radius: float = 4.0) -> Markup:
        return tag("circle", tag("title", title), cx=self.x(x), cy=self.y(y), r=radius, class_=f"dot {class_}")

    def column(self, x: float, title: str, width: float) -> Markup:
        """An invisible column over a place of the x axis, that says what is there."""
        at = self.x(x) - width / 2
        return tag(
            "rect", tag("title", title), x=at, y=TOP, width=width, height=self.height - TOP - BOTTOM, class_="hover"
        )

    def upright(self, x: float, class_: str) -> Markup:
        return tag("line", x1=self.x(x), x2=self.x(x), y1=TOP, y2=self.height - BOTTOM, class_=class_)

    def note(self, x: float, y: float, said: str, anchor: str = "start", class_: str = "note") -> Markup:
        return tag("text", said, x=x, y=y, text_anchor=anchor, class_=class_)

    def axes(
        self, x_label: str, y_label: str, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]
    ) -> Markup:
        """Grid lines, ticks with what they say, and what the axes are. Labels of x that have no room are left out."""
        parts = []
        for value, said in y_ticks:
            at = self.y(value)
            parts.append(tag("line", x1=LEFT, x2=self.width - RIGHT, y1=at, y2=at, class_="grid"))
            parts.append(self.note(LEFT - 7, at + 4, said, "end", "tick"))
        base = self.height - BOTTOM
        parts.append(tag("line", x1=LEFT, x2=self.width - RIGHT, y1=base, y2=base, class_="axis"))
        for at, said in self._roomy(x_ticks):
            parts.append(tag("line", x1=at, x2=at, y1=base, y2=base + 4, class_="axis"))
            parts.append(self.note(at, base + 17, said, "middle", "tick"))
        parts.append(self.note((LEFT + self.width - RIGHT) / 2, self.height - 5, x_label, "middle", "label"))
        middle = (TOP + base) / 2
        parts.append(
            tag(
                "text",
                y_label,
                x=11,
                y=middle,
                text_anchor="middle",
                class_="label",
                transform=f"rotate(-90 11 {middle:.0f})",
            )
        )
        return join(*parts)

    def _roomy(self, ticks: Sequence[tuple[float, str]]) -> Iterator[tuple[float, str]]:
        """The ticks whose labels don't touch, with their places; the last one always has its own."""
        placed = [(self.x(value), said) for value, said in ticks]
        free = -math.inf
        for number, (at, said) in enumerate(placed):
            half = LABEL_WIDTH * len(said) / 2
            last = number == len(placed) - 1
            next_free = placed[-1][0] - LABEL_WIDTH * len(placed[-1][1]) / 2
            if last or (at - half > free and at + half + 6 < next_free):
                yield at, said
                free = at + half + 6

    def drawn(self, name: str, *parts: str | None) -> Markup:
        """The picture; `name` says what it shows to who can't see it."""
        return tag(
            "svg", *parts, viewBox=f"0 0 {self.width:g} {self.height:g}", role="img", aria_label=name, class_="chart"
        )


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that lie in a range; `about` so many."""
    rough = (high - low) / about
    if rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]
