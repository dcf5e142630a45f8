"""Making incidents of the rows that were read from a damaged store. Pure: what is genuine, its own hash says."""

from __future__ import annotations

import calendar
import contextlib
import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from incident.carving import HEAD_SEQ, Carved
from incident.chain import GENESIS, digest, sealed
from incident.entry import Draft, Entry, Incident, Kind, Source, Status
from incident.identity import entry_id
from incident.instants import EARLIEST, LATEST
from incident.rows import Row, body_of
from incident.standing import after, declaration_draft, declared
from incident.verify import parse_entry

AUTHOR = "warroom"
_TOLD = 5000  # of so many entries that were chained anew, the note says what their numbers and hashes were


class Salvaged(Struct, frozen=True, kw_only=True):
    """An incident, its chain as it will be in the new store, and how much of the old one that is."""

    incident: Incident
    entries: list[Entry]
    read: int  # entries that were read and are as they were written
    lost: int  # entries that are known of and could not be read
    certain: bool  # it is known how many there were; else there may have been more at the end


def salvage(carved: Carved, damaged: str, now: int) -> list[Salvaged]:
    """The incidents of what was carved. ``damaged`` is the name of the file it is from; ``now`` (ms) the time.

    Each chain ends with a note that says what was read, what was not, and what was chained anew.
    """
    genuine: dict[str, list[Entry]] = {}
    for entry in _genuine(carved.entries):
        genuine.setdefault(entry.incident, []).append(entry)
    names = sorted({*genuine, *carved.incidents})
    return [_one(name, genuine.get(name, []), carved.incidents.get(name), damaged, now) for name in names]


def _genuine(rows: Iterable[Row]) -> Iterable[Entry]:
    """The rows that are entries as they were written, each once."""
    seen = set[tuple[str, str]]()
    for row in rows:
        body = body_of(row)
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            if (body["id"], body["hash"]) not in seen and digest(body) == body["hash"]:
                seen.add((body["id"], body["hash"]))
                yield parse_entry(body)


def _one(name: str, found: list[Entry], row: Row | None, damaged: str, now: int) -> Salvaged:
    chain = _unbroken(found)
    kept = {entry.id for entry in chain}
    beyond = sorted((entry for entry in found if entry.id not in kept), key=lambda entry: (entry.seq, entry.id))
    beyond = list({entry.id: entry for entry in reversed(beyond)}.values())[::-1]
    numbers = {entry.seq for entry in (*chain, *beyond)}
    known_of = max((*numbers, row[HEAD_SEQ] if row is not None else 0), default=0)
    missing = _ranges(sorted(set(range(1, min(known_of, 10_000_000) + 1)) - numbers))
    lost = sum(last - first + 1 for first, last in missing)

    if not chain:
        chain = [_declared_anew(name, row, beyond, now)]
    incident = declared(chain[0])
    for entry in chain[1:]:
        incident = after(incident, entry)
    for entry in beyond:
        linked = _linked(entry, chain, kept)
        chain.append(linked)
        kept.add(linked.id)
        incident = after(incident, linked)
    evidence = {
        "recovered": {
            "from": damaged,
            "read": len(found),
            "missing": [list(span) for span in missing[:_TOLD]],
            "chained_anew": {one.id: {"seq": one.seq, "hash": one.hash} for one in beyond[:_TOLD]},
        }
    }
    text = _note(damaged, len(numbers), missing, lost, len(beyond))
    if row is None:
        text += " How many there were is not known any more: some may be missing at the end."
    draft = Draft(text=text, author=AUTHOR, evidence=evidence)
    whole = not lost and not beyond and row is not None
    chain.append(_sealed(entry_id(now), draft, chain, now, level="warn" if whole else "bad"))
    return Salvaged(incident=incident, entries=chain, read=len(numbers), lost=lost, certain=row is not None)


def _unbroken(found: Iterable[Entry]) -> list[Entry]:
    """The chain from its first entry to the first gap."""
    following = {(entry.seq, entry.previous_hash): entry for entry in found}
    chain: list[Entry] = []
    incident: Incident | None = None
    with contextlib.suppress(ValueError):  # an entry that makes no sense ends it, as it would end a verification
        while (entry := following.get((len(chain) + 1, chain[-1].hash if chain else GENESIS))) is not None:
            incident = declared(entry) if incident is None else after(incident, entry)
            chain.append(entry)
    return chain


def _linked(entry: Entry, chain: list[Entry], kept: set[str]) -> Entry:
    """An entry from beyond a gap at the end of the chain. What it refers to may be lost: then it is a note."""
    fits = entry.refers_to is None or entry.refers_to in kept
    if fits and entry.kind is Kind.STATUS:
        try:
            after(declared(chain[0]), entry)
        except ValueError:
            fits = False
    if not fits or entry.kind is Kind.DECLARED:
        text = f"({entry.kind}, recovered without what it refers to) {entry.text}"
        entry = replace(entry, kind=Kind.NOTE, refers_to=None, text=text)
    return sealed(replace(entry, seq=len(chain) + 1, previous_hash=chain[-1].hash))


def _declared_anew(name: str, row: Row | None, beyond: list[Entry], now: int) -> Entry:
    """The beginning of an incident whose own could not be read, from its row if there is one."""
    title, severity, declared_at, drill, cluster, namespace = "Recovered incident", None, _minute(name), False, "", ""
    if row is not None:
        title, severity, drill = str(row[1]), row[2] if row[2] in (1, 2, 3, 4) else None, bool(row[6])
        cluster, namespace = str(row[7]), str(row[8])
        if isinstance(row[4], int) and EARLIEST <= row[4] <= LATEST:
            declared_at = row[4]
    elif beyond:
        declared_at = declared_at or beyond[0].happened_at
    draft = declaration_draft(
        title=title,
        author=AUTHOR,
        severity=severity,
        drill=drill,
        cluster=cluster,
        namespace=namespace,
        happened_at=declared_at or now,
    )
    change: dict[str, Any] = dict((draft.evidence or {})["incident"])
    if row is not None and row[3] in [str(status) for status in Status]:
        change["status"] = row[3]
    draft = replace(draft, evidence={"incident": change})
    return _sealed(entry_id(now), draft, [], now, level="warn", incident=name)


def _sealed(identity: str, draft: Draft, chain: list[Entry], now: int, *, level: str, incident: str = "") -> Entry:
    return sealed(
        Entry(
            id=identity,
            incident=incident or chain[0].incident,
            seq=len(chain) + 1,
            happened_at=now if draft.happened_at is None else draft.happened_at,
            recorded_at=now,
            author=draft.author,
            source=Source.PROBE,
            kind=draft.kind,
            text=draft.text,
            evidence=draft.evidence,
            refers_to=None,
            fold=None,
            level=level,
            count=1,
            previous_hash=chain[-1].hash if chain else GENESIS,
            hash="",
        )
    )


def _note(damaged: str, read: int, missing: list[tuple[int, int]], lost: int, anew: int) -> str:
    if not lost and not anew:
        return (
            f"The store was damaged. All {read} entries of this incident were read from {damaged} as they were written."
        )
    spans = ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in missing[:20])
    told = f"The store was damaged. {read} of {read + lost} entries of this incident were read from {damaged}."
    if lost:
        told += f" Not read: number {spans}{', …' if len(missing) > 20 else ''}."
    if anew:
        told += (
            f" The {anew} that came after a gap are as they were written and stand behind it under new numbers and "
            "hashes; the evidence says which they had."
        )
    return told


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = spans[-1][0], number
        else:
            spans.append((number, number))
    return spans


def _minute(name: str) -> int:
    """The minute in an incident's ID (ms); 0 if there is none."""
    try:
        return calendar.timegm(time.strptime(name[4:17], "%Y%m%d-%H%M")) * 1000
    except (ValueError, OverflowError):
        return 0
