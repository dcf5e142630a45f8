"""The pieces of TDS 7.4 that a SQL server says and hears: packets, the prelogin, LOGIN7, and the tokens of an answer.

[MS-TDS] 2.2.6.4 (LOGIN7), 2.2.6.5 (prelogin), 2.2.7 (tokens).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

PRELOGIN, REPLY, BATCH, LOGIN, TRANSACTION, ATTENTION = 0x12, 0x04, 0x01, 0x10, 0x0E, 0x06
OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)  # encryption, in a prelogin
ERROR, ROWS, CANCELLED = 0x02, 0x10, 0x20  # of a DONE's status
HEADER: Final = 8  # bytes of a packet's head
PIECE: Final = 4096 - HEADER  # what a whole packet carries; servers fill them, and drivers rely on it
FEDAUTH_ACKNOWLEDGED: Final = b"\xae\x02\x00\x00\x00\x00\xff"  # FEATUREEXTACK, without a nonce
_DESCRIPTOR: Final = struct.pack("<BQ", 8, 42)
_CHANGES: Final = {5: (8, _DESCRIPTOR, b"\0"), 7: (9, b"\0", _DESCRIPTOR), 8: (10, b"\0", _DESCRIPTOR)}
_READ_ONLY_INTENT: Final = 0x20  # of LOGIN7's TypeFlags
_EXTENSION: Final = 0x10  # of LOGIN7's OptionFlags3
_FEDAUTH: Final = 0x02


class SqlError(Exception):
    """An error that the server answers with: SQL Server's number and its text."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text


class Table(Struct, frozen=True):
    """A result set; cells are int, str or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[int | str | None]]


class SignIn(Struct, frozen=True):
    """What a LOGIN7 said: user and password, or a token."""

    user: str
    password: str
    program: str
    database: str
    read_only: bool
    token: str

    def __repr__(self) -> str:
        return "SignIn(…)"


def read_login(body: bytes) -> SignIn:
    """A LOGIN7 message. Raises `struct.error` or UnicodeDecodeError for what is none."""

    def text(at: int) -> str:
        offset, length = struct.unpack_from("<HH", body, at)
        return body[offset : offset + 2 * length].decode("utf-16-le")

    offset, length = struct.unpack_from("<HH", body, 44)
    hidden = body[offset : offset + 2 * length]
    password = bytes(((byte ^ 0xA5) << 4 | (byte ^ 0xA5) >> 4) & 0xFF for byte in hidden).decode("utf-16-le")
    token = ""
    if len(body) > 94 and body[27] & _EXTENSION:
        extension = struct.unpack_from("<I", body, struct.unpack_from("<H", body, 56)[0])[0]
        if extension < len(body) and body[extension] == _FEDAUTH:
            size = struct.unpack_from("<I", body, extension + 6)[0]
            token = body[extension + 10 : extension + 10 + size].decode("utf-16-le")
    return SignIn(
        user=text(40),
        password=password,
        program=text(48),
        database=text(68),
        read_only=bool(body[26] & _READ_ONLY_INTENT),
        token=token,
    )


def packet(kind: int, body: bytes, *, last: bool = True) -> bytes:
    return struct.pack(">BBHHBB", kind, int(last), HEADER + len(body), 0, 1, 0) + body


def prelogin(encryption: int = ON) -> bytes:
    fields = {0: struct.pack(">LH", 0x0C000000, 0), 1: bytes([encryption]), 2: b"\0", 3: b"\0" * 4, 4: b"\0"}
    heads, values, at = b"", b"", 5 * len(fields) + 1
    for token, value in fields.items():
        heads += struct.pack(">BHH", token, at, len(value))
        values += value
        at += len(value)
    return heads + b"\xff" + values


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def environment(kind: int, new: bytes, old: bytes) -> bytes:
    body = bytes([kind]) + new + old
    return b"\xe3" + struct.pack("<H", len(body)) + body


def acknowledged() -> bytes:
    body = b"\x01" + struct.pack(">I", 0x74000004) + short("Microsoft SQL Server") + b"\x0c\x00\x00\x00"
    return b"\xad" + struct.pack("<H", len(body)) + body


def error(error: SqlError) -> bytes:
    body = struct.pack("<IBB", error.number, 1, 16) + struct.pack("<H", len(error.text))
    body += error.text.encode("utf-16-le") + short("drill") + short("") + struct.pack("<I", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body


def done(status: int, rows: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0, rows)


def table(table: Table) -> bytes:
    """All columns as nvarchar but for those that hold nothing but numbers."""
    places = range(len(table.columns))
    numbers = [bool(table.rows) and all(isinstance(row[place], int) for row in table.rows) for place in places]
    told = b"\x81" + struct.pack("<H", len(table.columns))
    for name, number in zip(table.columns, numbers, strict=True):
        kind = b"\x26\x08" if number else b"\xe7" + struct.pack("<H", 8000) + b"\x09\x04\xd0\x00\x34"
        told += struct.pack("<IH", 0, 1) + kind + short(name)
    for row in table.rows:
        told += b"\xd1"
        for cell, number in zip(row, numbers, strict=True):
            told += struct.pack("<Bq", 8, cell) if number else _text(cell)
    return told


def transaction(request: int) -> bytes:
    """What is said to begin (5), commit (7) and rollback (8). Raises KeyError for anything else."""
    return environment(*_CHANGES[request]) + done(0)


def _text(cell: int | str | None) -> bytes:
    if cell is None:
        return b"\xff\xff"
    data = str(cell)[:4000].encode("utf-16-le")
    return struct.pack("<H", len(data)) + data
