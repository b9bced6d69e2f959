"""Which part of a long list is shown, in words. Pure; knows nothing of what is listed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page of at most `limit`; the first is 1."""

    number: int = 1
    limit: int = 100

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.limit

    def told(self, shown: int, matching: int, total: int) -> str:
        """How many of how many: "101-200 of 523 that match, 1000 in all · page 2 of 6, --page 3 shows the next"."""
        pages = -(-matching // self.limit)
        if matching and not shown:
            return f"page {self.number} is behind the last one: there are {pages}, with {matching} in all"
        text = f"{shown} of {matching}" if pages < 2 else f"{self.offset + 1}-{self.offset + shown} of {matching}"
        if matching != total:
            text += f" that match, {total} in all"
        if pages > 1:
            text += f" · page {self.number} of {pages}"
        return f"{text}, --page {self.number + 1} shows the next" if self.number < pages else text
