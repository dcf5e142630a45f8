"""A value that changes now and then, and what it was at any instant before."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class History(Generic[ValueT]):
    """``first`` is the value from the beginning of time on. Instants are world seconds, and only ever later ones."""

    def __init__(self, first: ValueT) -> None:
        self._since: list[float] = []
        self._values: list[ValueT] = [first]

    @property
    def last(self) -> ValueT:
        return self._values[-1]

    def change(self, at: float, value: ValueT) -> None:
        self._since.append(at)
        self._values.append(value)

    def at(self, instant: float) -> ValueT:
        return self._values[bisect_right(self._since, instant)]
