"""What an organiser can go through with everybody afterwards: what the script held, what was injected, who worked.

A file of JSON lines, each on disk when it happened: the platform may be killed, and its own files go with it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

_INSTANTS: Final = ("at", "due", "last", "now", "opened")


def exported(told: Any) -> Any:
    """What an organiser is told (`Organiser.state`), with its instants as RFC 3339 in UTC."""
    if isinstance(told, dict):
        return {
            name: instant(value) if name in _INSTANTS and isinstance(value, float) else exported(value)
            for name, value in told.items()
        }
    return [exported(one) for one in told] if isinstance(told, list) else told


def instant(at: float) -> str:
    """``2026-11-23T14:02:31.123Z``"""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class Debrief:
    """Appends to ``path``, which only its owner can read if it is new. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def write(self, kind: str, content: Json) -> None:
        """One line; ``kind`` is opened, injected or closed."""
        self._file.write(json.dumps({"kind": kind, **exported(content)}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
