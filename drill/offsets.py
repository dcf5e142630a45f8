"""Times in a scenario's file: offsets from the moment the platform starts, and spans."""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta

_DURATION: Final = re.compile(r"([+-]?)((?:\d+(?:\.\d+)?[dhms])+)")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}

Offset = Annotated[
    str, Meta(pattern=r"^[+-](\d+(\.\d+)?[dhms])+\Z", description="an offset such as -20m, -3d4h or +90s")
]
"""``-20m``, ``-3d4h``, ``+90s``."""
Span = Annotated[str, Meta(pattern=r"^(\d+(\.\d+)?[dhms])+\Z", description="a length of time such as 90s or 6m")]
"""``90s``, ``6m``."""
Quantity = Annotated[
    str,
    Meta(pattern=r"^\d+(\.\d+)?(m|[kMGT]|[KMGT]i)?\Z", description="a quantity such as 250m or 512Mi"),
]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z",
        max_length=63,
        description="a name of at most 63 lower-case letters, digits and dashes",
    ),
]


def seconds(offset: str) -> float:
    """``-3d4h`` as seconds. Raises ValueError."""
    match = _DURATION.fullmatch(offset)
    if match is None:
        raise ValueError(f"expected an offset such as -20m, -3d4h or +90s, not {offset!r}")
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(match[2]))
    return -total if match[1] == "-" else total


def written(seconds: float) -> str:
    """Seconds as an offset, to the second: ``-3d4h``, ``+90s``."""
    left, said = round(abs(seconds)), ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        said += f"{count}{unit}" if count else ""
    return ("-" if seconds < 0 else "+") + (said or "0s")
