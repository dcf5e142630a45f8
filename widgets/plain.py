"""Text as it may be drawn: hostile strings made inert, and ages, clocks and padding measured in terminal cells.

Nothing here parses markup; every string that comes from a cluster passes through `plain` before it is drawn.
"""

from __future__ import annotations

import time
import unicodedata
from typing import Literal

from rich.cells import cell_len, get_character_cell_size

Align = Literal["left", "right"]

ELLIPSIS = "…"
REPLACEMENT = "�"
LIMIT = 512  # characters; wider than any terminal a cell is drawn on

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MARKS_PER_LETTER = 2  # enough for every living script that NFC does not compose; more is a flood


class _Inert(dict[int, str]):
    """A `str.translate` table that is worked out once per character met."""

    def __missing__(self, code: int) -> str:
        shown = _inert(code)
        self[code] = shown
        return shown


def _inert(code: int) -> str:
    character = chr(code)
    if code < 0x20:
        return "⏎" if code == 0x0A else " " if code == 0x09 else chr(0x2400 + code)
    if code < 0x7F:
        return character
    if code == 0x7F:
        return "␡"
    if code in (0x85, 0x2028, 0x2029):
        return "⏎"
    # Emoji presentation and joining change the width of their neighbours, and terminals disagree by how much.
    if code in (0x200D, 0xFE0E, 0xFE0F) or 0x1F3FB <= code <= 0x1F3FF:
        return ""
    if 0x1F1E6 <= code <= 0x1F1FF:  # half a flag
        return chr(code - 0x1F1E6 + ord("A"))
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return REPLACEMENT
    if category[0] != "M" and get_character_cell_size(character) == 0:
        return REPLACEMENT  # fillers and conjoining jamo: letters that take no room
    return character


_TABLE = _Inert()


def plain(text: str, limit: int = LIMIT) -> str:
    """``text`` as one inert line of at most ``limit`` characters, cut with an ellipsis.

    Control characters become their visible pictures (ESC is ``␛``, a newline ``⏎``); bidirectional overrides,
    zero-width and unassigned characters become ``�``; at most two combining marks stay on a letter. What comes
    back never moves a cursor, never changes the direction of text and has the width `rich.cells.cell_len` says.
    """
    cut = len(text) > limit
    if cut:
        text = text[: max(limit - 1, 0)]  # before cleaning: a megabyte costs no more than a line
    if not (text.isascii() and text.isprintable()):
        text = _clean(text)
        if len(text) > limit:
            text, cut = text[: max(limit - 1, 0)], True
    return text + ELLIPSIS if cut and limit > 0 else text


def _clean(text: str) -> str:
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = text.translate(_TABLE)
    return text if text.isascii() else _thin_marks(text)


def _thin_marks(text: str) -> str:
    """Drops combining marks that stand on nothing or in a flood."""
    kept: list[str] = []
    room = 0
    for character in text:
        if character >= "\u0300" and unicodedata.category(character)[0] == "M":
            if room == 0:
                continue
            room -= 1
        else:
            room = 0 if character == " " else _MARKS_PER_LETTER
        kept.append(character)
    return "".join(kept)


def width(text: str) -> int:
    """How many cells an inert line takes."""
    return len(text) if text.isascii() else cell_len(text)


def crop(text: str, cells: int) -> str:
    """At most ``cells`` cells of an inert line; what does not fit ends in an ellipsis."""
    if width(text) <= cells:
        return text
    return _head(text, cells - 1) + ELLIPSIS if cells > 0 else ""


def middle(text: str, cells: int) -> str:
    """Like `crop`, but the end stays readable: ``payment-service-…-kw78d``. Names differ at their end."""
    if width(text) <= cells:
        return text
    if cells < 8:
        return crop(text, cells)
    # A whole last word, if it is a short one: what a ReplicaSet calls its pods apart.
    dash = text.rfind("-")
    tail = _tail(text, len(text) - dash if 4 <= len(text) - dash <= cells // 2 else 6)
    return _head(text, cells - 1 - width(tail)) + ELLIPSIS + tail


def fit(text: str, cells: int, align: Align = "left") -> str:
    """Exactly ``cells`` cells: padded with blanks, or cropped."""
    text = crop(text, cells)
    blanks = " " * (cells - width(text))
    return blanks + text if align == "right" else text + blanks


def _head(text: str, cells: int) -> str:
    if text.isascii():
        return text[: max(cells, 0)]
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > cells:
            return text[:index]
    return text


def _tail(text: str, cells: int) -> str:
    if text.isascii():
        return text[len(text) - cells :]
    used = 0
    for index in range(len(text) - 1, -1, -1):
        used += get_character_cell_size(text[index])
        if used > cells:
            # A mark whose letter was cut away would sit on whatever is drawn before it.
            return _thin_marks(text[index + 1 :])
    return text


def ago(seconds: float) -> str:
    """An age as kubectl prints it: ``41s``, ``2m30s``, ``18m``, ``3d4h`` (apimachinery, duration.HumanDuration).

    A negative age, two machines disagreeing about the time, is ``0s`` and not kubectl's ``<invalid>``.
    """
    total = int(seconds)
    if total < 120:
        return f"{max(total, 0)}s"
    minutes = total // 60
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def clock(at: float, local: bool = False, now: float | None = None) -> str:
    """A time of day in at most nine cells, UTC unless ``local``; another day than ``now``'s shows which.

    ``14:20:41`` today, ``Sat 09:00`` within six days, ``12 Nov`` within the year, ``Nov 2025`` before it. Without
    ``now``, always the time of day.
    """
    split = time.localtime if local else time.gmtime
    try:
        then = split(at)
        today = then if now is None else split(now)
    except (OverflowError, ValueError, OSError):  # a date that no calendar has
        return "–"
    if then[:3] == today[:3]:
        return f"{then.tm_hour:02}:{then.tm_min:02}:{then.tm_sec:02}"
    away = abs((now or at) - at)
    if away < 6 * 86400:
        return f"{_WEEKDAYS[then.tm_wday]} {then.tm_hour:02}:{then.tm_min:02}"
    if away < 330 * 86400:
        return f"{then.tm_mday} {_MONTHS[then.tm_mon - 1]}"
    return f"{_MONTHS[then.tm_mon - 1]} {then.tm_year:04}"
