"""Reading entries out of a store that SQLite cannot read any more: page by page, from the file and its log.

Whatever looks like a row of ours is handed on; whether it is one, its hash says (`incident.recovery`). So nothing here
has to be believed, and half a file, or one without its first page, still gives what is in the rest.

The formats: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (records), 4 (the log). Blocking.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from incident.rows import Row

_HEADER = b"SQLite format 3\x00"
_LEAF = 0x0D  # a page with rows of a table
_SIZES = tuple(1 << bits for bits in range(9, 17))
_WAL_HEADER, _FRAME_HEADER = 32, 24
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_ROW_LIMIT = 64 * 1024 * 1024  # bytes; no row of ours is that large

ENTRY_COLUMNS = 16
INCIDENT_COLUMNS = (11, 16)  # of store version 1, and since: columns were added at the end
HEAD_SEQ = 9  # where an incident's row says how long its chain is


class Carved(Struct, frozen=True):
    """Rows that were found: of the table `entry`, and of `incident` the one that tells of the longest chain.

    Columns are in the order of the tables (`incident.schema`); columns of a later version may be missing.
    """

    entries: list[Row]
    incidents: dict[str, Row]


def carve(path: Path) -> Carved:
    """Everything in the file and in the log beside it that could be a row of ours.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    log = path.with_name(f"{path.name}-wal")
    wal = log.read_bytes() if log.exists() else b""
    sizes = _sizes(data, wal)
    found = Carved([], {})
    for size in sizes:
        _sift(_Pages(data, wal, size), found)
        if found.entries:
            break
    return found


class _Pages:
    """The pages of a file; where the log has newer ones, those."""

    def __init__(self, data: bytes, wal: bytes, size: int) -> None:
        self._data, self.size = memoryview(data), size
        self._newer = _committed(wal, size)
        self.usable = size - (data[20] if data[:16] == _HEADER and data[20] < 64 else 0)
        self.count = max(-(-len(data) // size), max(self._newer, default=0))

    def get(self, number: int) -> memoryview:
        newer = self._newer.get(number)
        return self._data[(number - 1) * self.size : number * self.size] if newer is None else newer

    def all(self) -> Iterator[tuple[int, memoryview]]:
        """Every page there is, also the versions in the file that the log replaces: what is older is not wrong."""
        for number in range(1, self.count + 1):
            page = self.get(number)
            yield number, page
            older = self._data[(number - 1) * self.size : number * self.size]
            if number in self._newer and older:
                yield number, older


def _sizes(data: bytes, wal: bytes) -> tuple[int, ...]:
    """The page size, or all there could be, likeliest first."""
    said = []
    if data[:16] == _HEADER:
        size = int.from_bytes(data[16:18], "big")
        said.append(65536 if size == 1 else size)
    if len(wal) >= _WAL_HEADER and int.from_bytes(wal[:4], "big") in _WAL_MAGIC:
        said.append(int.from_bytes(wal[8:12], "big"))
    return tuple(dict.fromkeys(size for size in (*said, 4096, *_SIZES) if size in _SIZES))


def _committed(wal: bytes, size: int) -> dict[int, memoryview]:
    """The newest committed version of every page in the log. A frame of another round of the log has other salts."""
    if len(wal) < _WAL_HEADER or int.from_bytes(wal[8:12], "big") != size:
        return {}
    view, salts = memoryview(wal), wal[16:24]
    pages: dict[int, memoryview] = {}
    pending: dict[int, memoryview] = {}
    for at in range(_WAL_HEADER, len(wal) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        number, commit = struct.unpack_from(">II", wal, at)
        if wal[at + 8 : at + 16] != salts:
            break
        pending[number] = view[at + _FRAME_HEADER : at + _FRAME_HEADER + size]
        if commit:
            pages |= pending
            pending = {}
    return pages


def _sift(pages: _Pages, found: Carved) -> None:
    for number, page in pages.all():
        for row in _rows(pages, number, page):
            if len(row) == ENTRY_COLUMNS and _is_entry(row):
                found.entries.append(row)
            elif len(row) in INCIDENT_COLUMNS and isinstance(row[0], str) and row[0].startswith("INC-"):
                known = found.incidents.get(row[0])
                if isinstance(row[HEAD_SEQ], int) and (known is None or known[HEAD_SEQ] < row[HEAD_SEQ]):
                    found.incidents[row[0]] = row


def _is_entry(row: Row) -> bool:
    texts = (row[0], row[1], row[5], row[6], row[7], row[8], row[11], row[13], row[14])  # what is never null
    numbers = (row[2], row[3], row[4], row[12])
    return all(isinstance(text, str) for text in texts) and all(isinstance(number, int) for number in numbers)


def _rows(pages: _Pages, number: int, page: memoryview) -> Iterator[Row]:
    """The rows of a leaf page that can be read, one by one: a broken one does not hide the others."""
    start = 100 if number == 1 else 0
    if len(page) < start + 8 or page[start] != _LEAF:
        return
    (count,) = struct.unpack_from(">H", page, start + 3)
    for index in range(min(count, len(page) // 4)):
        try:
            (at,) = struct.unpack_from(">H", page, start + 8 + 2 * index)
            yield _record(_payload(pages, page, at))
        except (IndexError, ValueError, struct.error, UnicodeDecodeError):
            continue


def _payload(pages: _Pages, page: memoryview, at: int) -> bytes:
    """A cell's record, put together with what did not fit on its page."""
    length, at = _varint(page, at)
    _, at = _varint(page, at)  # the row's number
    if not 0 < length <= _ROW_LIMIT:
        raise ValueError("no row of ours is that large")
    usable = pages.usable
    local, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if length <= local:
        return _exactly(page, at, length)
    here = least + (length - least) % (usable - 4)
    here = here if here <= local else least
    parts, got = [_exactly(page, at, here)], here
    following = int.from_bytes(_exactly(page, at + here, 4), "big")
    while got < length:
        if not 0 < following <= pages.count:
            raise ValueError("the rest of the row is not there")
        more = pages.get(following)
        piece = _exactly(more, 4, min(usable - 4, length - got))
        following = int.from_bytes(_exactly(more, 0, 4), "big")
        parts.append(piece)
        got += len(piece)
    return b"".join(parts)


def _exactly(page: memoryview, at: int, length: int) -> bytes:
    piece = bytes(page[at : at + length])
    if len(piece) != length:
        raise IndexError("the page ends before the row does")
    return piece


def _record(payload: bytes) -> Row:
    """The values of a record."""
    view = memoryview(payload)
    end, at = _varint(view, 0)
    kinds = []
    while at < end:
        kind, at = _varint(view, at)
        kinds.append(kind)
        if len(kinds) > max(ENTRY_COLUMNS, *INCIDENT_COLUMNS):
            raise ValueError("no row of ours has so many columns")
    values: list[int | str | None] = []
    for kind in kinds:
        value, at = _value(payload, kind, at)
        values.append(value)
    return tuple(values)


_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _value(payload: bytes, kind: int, at: int) -> tuple[int | str | None, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind in _INTEGERS:
        size = _INTEGERS[kind]
        return int.from_bytes(payload[at : at + size], "big", signed=True), at + size
    if kind >= 13 and kind % 2:
        size = (kind - 13) // 2
        if at + size > len(payload):
            raise ValueError("the record ends before the text does")
        return payload[at : at + size].decode(), at + size
    raise ValueError("no column of ours holds that")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9
