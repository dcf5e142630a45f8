"""Names of incidents and entries: sorted by time, and free of clashes between consoles that do not know each other."""

from __future__ import annotations

import hashlib
import secrets
import time

# Crockford's base 32: no i, l, o, u, so that an ID survives being read out over the phone.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def incident_id(declared_at: int, after: str | None = None) -> str:
    """``INC-20261123-1406-7kq2``: the minute of the declaration (ms, UTC) and up to 20 random bits.

    ``after`` is the newest name of that minute in the same store: the new one sorts behind it, if there is room.
    """
    minute = time.strftime("%Y%m%d-%H%M", time.gmtime(declared_at // 1000))
    if after is None:
        number = secrets.randbits(19)  # the lower half: others may follow
    else:
        last = _number(after[-4:])
        room = (1 << 20) - last - 1
        # A small part of what is left each time, so that dozens find room.
        number = last + 1 + secrets.randbelow(max(1, room // 8)) if room else secrets.randbits(20)
    return f"INC-{minute}-{_base32(number, 4)}"


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number << 5 | max(0, _ALPHABET.find(digit))
    return number


def entry_id(recorded_at: int) -> str:
    """26 characters like a ULID: 48 bits of milliseconds since the epoch, then 80 random bits."""
    return _base32(recorded_at & (1 << 48) - 1, 10) + _base32(secrets.randbits(80), 16)


def named_id(at: int, name: str) -> str:
    """An entry's ID that every console makes alike: of an instant (ms) and of what the entry is. It is written once."""
    digest = hashlib.sha256(name.encode()).digest()
    return _base32(at & (1 << 48) - 1, 10) + _base32(int.from_bytes(digest[:10]), 16)


def _base32(number: int, width: int) -> str:
    digits = [_ALPHABET[number >> shift & 31] for shift in range(5 * (width - 1), -1, -5)]
    return "".join(digits)
