"""Bringing an exported incident back into a store, with its chain intact. What comes from a file is hostile."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from incident.entry import Entry, Incident
from incident.errors import Refused
from incident.intake import DEPTH_LIMIT, EVIDENCE_LIMIT, LEVELS, NAME_LIMIT, TEXT_LIMIT
from incident.store import Store
from incident.verify import FILE_LIMIT, judge, parse_document, parse_entry

# Names of incidents become names of files.
_INCIDENT_ID = re.compile(r"INC-\d{8}-\d{4}-[0-9a-z]{4}", re.ASCII)
_ENTRY_ID = re.compile(r"[0-9a-z]{1,26}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Imported(Struct, frozen=True, kw_only=True):
    """What became of an import. ``added`` 0: it was here already."""

    incident: Incident
    entries: int  # in the file
    added: int

    @property
    def sentence(self) -> str:
        """What to tell a person."""
        if self.added == 0:
            return f"{self.incident.id} is already here: nothing was added"
        if self.added == self.entries:
            return f"{self.incident.id}: {_entries(self.added)} imported: {self.incident.title}"
        return f"{self.incident.id}: was here with {_entries(self.entries - self.added)}, {self.added} more imported"


async def import_export(store: Store, text: str) -> Imported:
    """Take an exported incident (the JSON of `incident.export.to_json`) into the store.

    The chain is verified first; ids and hashes stay. Of an incident that is here already only what is missing is
    appended.

    Raises:
        Refused: it is no export, its chain is broken (the sentence names the first broken entry), it is of a kind that
            warroom never writes, or the incident is here and went another way.
        StoreFault: the store cannot be written.
    """
    incident, entries = parse_export(text)
    added = await store.adopt(incident, entries)
    return Imported(incident=incident, entries=len(entries), added=added)


def read_export(path: Path) -> str:
    """The text of a file that is not too large to be an export.

    Raises:
        Refused: it is too large, no file, or not text.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{path} is not a file. Nothing was imported.")
        if found.st_size > FILE_LIMIT:
            raise Refused(f"{path} has more than {FILE_LIMIT >> 20} MiB; no export has. Nothing was imported.")
        data = file.read(FILE_LIMIT)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is not an exported incident: it is not text. Nothing was imported.") from error


def parse_export(text: str) -> tuple[Incident, list[Entry]]:
    """The incident of an export and its chain, verified, and of the kinds and sizes that warroom writes.

    Raises:
        Refused: as `import_export`.
    """
    if len(text) > FILE_LIMIT:
        raise Refused(f"An export has at most {FILE_LIMIT >> 20} MiB; this has more. Nothing was imported.")
    document, reason = parse_document(text)
    if document is None:
        raise Refused(f"{reason} Nothing was imported.")
    verdict = judge(document)
    if not verdict.ok:
        where = f"its chain breaks at entry {verdict.broken_id}: " if verdict.broken_id else ""
        raise Refused(f"This export is not as it was written: {where}{verdict.reason} Nothing was imported.")
    entries, before = [], set[str]()
    try:
        for body in document.entries:
            entries.append(_entry(body, before))
            before.add(entries[-1].id)
        if not _INCIDENT_ID.fullmatch(document.incident.id):
            raise ValueError("its ID is not that of an incident")
        _text(document.incident.title, TEXT_LIMIT, "title")
    except (ValueError, TypeError, RecursionError) as error:
        said = str(error) or type(error).__name__
        raise Refused(f"This export holds what warroom never writes: {said[:300]}. Nothing was imported.") from error
    return document.incident, entries


def _entry(body: Mapping[str, Any], before: set[str]) -> Entry:
    entry = parse_entry(body)
    if not isinstance(entry.id, str) or not _ENTRY_ID.fullmatch(entry.id):
        raise ValueError("an entry's ID is not one")
    try:
        _text(entry.text, 2 * TEXT_LIMIT, "text")  # a note about what could not be applied is longer than a person's
        _text(entry.author, NAME_LIMIT, "author")
        if entry.fold is not None:
            _text(entry.fold, NAME_LIMIT, "fold key")
        if entry.level not in LEVELS:
            raise ValueError("its level is not one")
        if isinstance(entry.count, bool) or not isinstance(entry.count, int) or not 1 <= entry.count < 1 << 53:
            raise ValueError("its count is not one")
        if isinstance(entry.seq, bool) or not isinstance(entry.seq, int):
            raise ValueError("its number is not one")
        if not (_HASH.fullmatch(entry.hash) and _HASH.fullmatch(entry.previous_hash)):
            raise ValueError("its hash is not one")
        if entry.refers_to is not None and entry.refers_to not in before:
            raise ValueError("it refers to an entry that is not before it")
        if entry.evidence is not None:
            _shallow(entry.evidence, 0)
            _text(json.dumps(entry.evidence), EVIDENCE_LIMIT, "evidence")
    except (ValueError, TypeError) as error:
        raise ValueError(f"of entry {entry.id}, {error}") from error
    return entry


def _text(value: object, limit: int, what: str) -> None:
    if not isinstance(value, str):
        raise ValueError(f"its {what} is not a text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"its {what} holds half a character") from error
    if size > limit:
        raise ValueError(f"its {what} has {size:,} bytes where at most {limit:,} are kept")


def _shallow(value: object, depth: int) -> None:
    if depth > DEPTH_LIMIT + 1:
        raise ValueError(f"its evidence is nested more than {DEPTH_LIMIT} deep")
    inner: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _shallow(item, depth + 1)


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
