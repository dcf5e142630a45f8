"""Kubernetes quantities (``100m``, ``512Mi``, ``8``) to numbers and back, as far as the platform's own objects go."""

from __future__ import annotations

from typing import Final

_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DECIMAL: Final = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}


def parse(text: str | int | float | None) -> float:
    """Cores or bytes; nothing is 0. Raises ValueError for what is not a quantity."""
    if text is None:
        return 0.0
    if isinstance(text, (int, float)):
        return float(text)
    for suffix, factor in _BINARY.items():
        if text.endswith(suffix):
            return float(text[:-2]) * factor
    for suffix, decimal in _DECIMAL.items():
        if text.endswith(suffix):
            return float(text[:-1]) * decimal
    return float(text)


def cpu(cores: float) -> str:
    """As metrics-server writes processor use: nanocores."""
    return f"{round(cores * 1e9)}n"


def memory(size: float) -> str:
    """As metrics-server writes memory: kibibytes."""
    return f"{round(size / 1024)}Ki"
