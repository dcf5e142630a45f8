"""One line of what ``warroom doctor`` says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """``MISSING`` is something needed: the doctor's exit status is 1. ``WARN`` costs a pane, a key or a comfort."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """``advice`` is empty when there is nothing to do."""

    name: str
    level: Level
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "level": self.level.value, "found": self.found, "advice": self.advice}
