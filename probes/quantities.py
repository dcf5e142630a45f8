"""Reads Kubernetes quantities (``250m``, ``6Gi``, ``1e3``, ``155n``) as plain numbers.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i))?")

_SUFFIX: dict[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


@lru_cache(maxsize=8192)  # nodes share their allocatable, idle pods their usage
def exact(text: str) -> Decimal:
    """The quantity as an exact number of base units. Raises `ValueError` if it is not one."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"not a Kubernetes quantity: {text[:40]!r}")
    number, exponent, suffix = match.groups()
    value = Decimal(number + (exponent or ""))
    return value * _SUFFIX[suffix] if suffix else value


def cores(text: str | None) -> float:
    """Processor cores; 0 when it is missing or unreadable."""
    if text and text[-1] == "n" and text[:-1].isdecimal():  # as the metrics server writes thousands of them
        return int(text[:-1]) / 1_000_000_000
    return float(_or_zero(text))


def number_of_bytes(text: str | None) -> int:
    """Bytes, a fraction rounded up as Kubernetes does; 0 when it is missing or unreadable."""
    if text and text[-2:] == "Ki" and text[:-2].isdecimal():
        return int(text[:-2]) * 1024
    value = _or_zero(text)
    whole = int(value)
    return whole + 1 if value > whole else whole


def count(text: str | None) -> int:
    """A plain number, e.g. of pods; 0 when it is missing or unreadable."""
    return number_of_bytes(text)


def _or_zero(text: str | None) -> Decimal:
    if not text:
        return Decimal(0)
    try:
        return exact(text)
    except ValueError:
        return Decimal(0)
