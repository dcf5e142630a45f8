"""What is kept of an incident beside the store: vital signs through the incident, and screens at its key moments.

    warroom.db.kept/INC-20261123-1406-7kq2/vital-signs.jsonl     one line about twice a minute
    warroom.db.kept/INC-20261123-1406-7kq2/screen-0-declared.svg

They make a review easier to read and prove nothing: they are not in the hash chain, and an incident without them is
whole. Files are their owner's only (0600), folders 0700. Several consoles may write one file: a line is one write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

BESIDE = "Vital signs and screens are kept beside the record: the hash chain does not cover them."
"""What an export that has them says of them."""

SIGNS = "vital-signs.jsonl"
SCREENS = ("declared", "mitigating", "resolved")
MOST_SCREEN = 8 * 1024 * 1024  # bytes
MOST_SIGNS = 64 * 1024 * 1024  # bytes that are read; a sample each 30 s makes 40 MB in a year

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class Sign(Struct, frozen=True, omit_defaults=True):
    """The vital signs at one instant (ms). ``nodes``: percent of CPU and memory in use by node, where it is known."""

    at: int
    sick: int
    pods: int
    nodes: dict[str, tuple[float, float]] = {}


class Screen(Struct, frozen=True):
    """What the console showed when this happened: an SVG."""

    name: str
    svg: str


class Kept(Struct, frozen=True):
    """What there is, oldest first. ``unreadable``: files that are there and could not be read, with the reason."""

    signs: Sequence[Sign] = ()
    screens: Sequence[Screen] = ()
    unreadable: Sequence[str] = ()


def folder(store: Path, incident_id: str) -> Path:
    """Where an incident's files are, next to the store at ``store``.

    Raises:
        ValueError: the ID is none of ours, and would make an unsafe name.
    """
    if not _SAFE_ID.fullmatch(incident_id):
        raise ValueError(f"{incident_id!r} is not an incident's ID")
    return store.with_name(f"{store.name}.kept") / incident_id


def keep_sign(store: Path, incident_id: str, sign: Sign) -> None:
    """Append one line of vital signs. Raises OSError, ValueError."""
    place = _made(folder(store, incident_id))
    descriptor = os.open(place / SIGNS, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(sign) + b"\n")
    finally:
        os.close(descriptor)


def keep_screen(store: Path, incident_id: str, name: str, svg: str) -> bool:
    """Keep a screen under one of `SCREENS`, unless there is one: the first counts. Raises OSError, ValueError."""
    path = _made(folder(store, incident_id)) / _screen_file(name)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(svg)
    return True


def read(store: Path, incident_id: str) -> Kept:
    """What is kept of an incident; nothing if there is nothing. What cannot be read is named, never raised."""
    place = folder(store, incident_id)
    unreadable: list[str] = []
    signs: list[Sign] = []
    try:
        signs = _signs(place / SIGNS)
    except FileNotFoundError:
        pass
    except OSError as error:
        unreadable.append(f"{place / SIGNS}: {error.strerror or error}")
    screens = []
    for name in SCREENS:
        path = place / _screen_file(name)
        try:
            if path.stat().st_size > MOST_SCREEN:
                unreadable.append(f"{path}: too large for a screen")
                continue
            screens.append(Screen(name, path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            unreadable.append(f"{path}: {error}")
    return Kept(signs, screens, unreadable)


def _signs(path: Path) -> list[Sign]:
    """The samples, in order of time. A torn last line of a console that was killed is left out."""
    with path.open("rb") as file:
        data = file.read(MOST_SIGNS)
    found = []
    for line in data.splitlines():
        try:
            sign = msgspec.json.decode(line, type=Sign)
        except msgspec.DecodeError:
            continue
        if 0 <= sign.at < 10**14 and sign.sick >= 0 and sign.pods >= 0:
            found.append(sign)
    return sorted(found, key=lambda one: one.at)


def _screen_file(name: str) -> str:
    return f"screen-{SCREENS.index(name)}-{name}.svg"


def _made(place: Path) -> Path:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def spread(signs: Iterable[Sign], most: int) -> list[Sign]:
    """At most about ``most`` of the samples, evenly taken, and of each stretch the one with most sick pods."""
    every = list(signs)
    if len(every) <= most:
        return every
    size = -(-len(every) // most)
    return [max(every[at : at + size], key=lambda one: one.sick) for at in range(0, len(every), size)]
