"""A table whose values two books share until one of them changes one: what lets past states be kept at next to no cost."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self, TypeVar


class Forkable(Protocol):
    def copy(self) -> Self: ...

    def seal(self) -> None:
        """Called before a value is shared; afterwards copying it must not change it."""


V = TypeVar("V", bound=Forkable)


class ForkedDict(dict[str, V]):
    """A dict of values by name. Whoever changes a value takes it with `own` first."""

    def __init__(self, values: Mapping[str, V] | None = None, shared: Iterable[str] = ()) -> None:
        super().__init__(values or {})
        self._shared: set[str] = set(shared)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self), self._shared)

    def own(self, name: str) -> V | None:
        """The value, to be changed: no other book holds it."""
        value = self.get(name)
        if value is not None and name in self._shared:
            value = value.copy()
            self[name] = value
        return value

    def __setitem__(self, name: str, value: V) -> None:
        super().__setitem__(name, value)
        self._shared.discard(name)

    def fork(self) -> Self:
        """The same table; from now on a change in either is not in the other."""
        for name in self.keys() - self._shared:
            self[name].seal()
        other = type(self)()
        other.update(self)
        other._shared = set(self)
        self._shared = set(self)
        return other
