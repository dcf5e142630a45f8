"""What a drill's incident keeps of its scenario: its name, when it was opened, what a good response is.

It is in the evidence of the declaration, so that a score can be worked out of the store, or of an export, at any time.
It is packed, because the timeline is what somebody reads who is still looking for the answer.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from incident.entry import Entry, Kind, Status
from incident.instants import EARLIEST, LATEST
from incident.standing import change_of

DRILL, SEALED = "drill", "sealed"  # keys in the evidence

LEFT = "The drill was left; its platform is gone."
"""The words with which a drill's incident ends that nobody resolved."""

UNTOLD = "a surprise"
"""What a surprise's scenario is called before it is over."""

_LIMIT = 256 * 1024  # bytes, unpacked: an imported incident may hold anything


class Wanted(Struct, frozen=True, kw_only=True):
    """A step of the ideal path. What counts as having done it is the one field of these that is not empty.

    ``done``       "declared", "acknowledged", "severity" or "resolved"
    ``role``       taken by anybody
    ``update``     sent ``times`` to "team", "customers" or "pager"; ``over``: after it was resolved
    ``act``        one of these mitigations, on what ``target`` matches, and in this ``way`` if it says one, that worked
    ``evidence``   kept of what this matches, before anything was changed
    ``checklist``  with nothing open, and something ticked

    What is matched is ``kind/name`` in the manner of a shell.
    """

    id: str
    say: str
    done: str = ""
    role: str = ""
    update: str = ""
    times: Annotated[int, Meta(ge=1, le=20)] = 1
    over: bool = False
    act: tuple[str, ...] = ()
    target: str = "*"
    way: str = ""
    evidence: str = ""
    checklist: str = ""


class Harmful(Struct, frozen=True, kw_only=True):
    """A mitigation that does harm where ``target`` matches, in this ``way`` if it says one, and ``why``."""

    act: str
    why: str
    target: str = "*"
    way: str = ""


class Good(Struct, frozen=True, kw_only=True):
    """A good response: the severity, the ideal path in its order, what does harm.

    ``mitigate_within``: seconds from detection. ``evidence_first``: acts before evidence was kept destroy some of it.
    ``also``: severities that the runbook can be read as, too. ``cure``: the id of the step without which it only looks
    well again.
    """

    severity: Annotated[int, Meta(ge=1, le=4)]
    also: tuple[Annotated[int, Meta(ge=1, le=4)], ...] = ()
    cure: str = ""
    path: Annotated[tuple[Wanted, ...], Meta(min_length=1)]
    harmful: tuple[Harmful, ...] = ()
    evidence_first: bool = False
    mitigate_within: Annotated[float, Meta(gt=0, le=1e7)] | None = None

    def right(self, severity: int | None) -> bool:
        """Whether it is right to call the incident this."""
        return severity == self.severity or severity in self.also


class NotGood(Exception):
    """What is said of a good response is not as a `Good` is; the sentence names the place."""


class Practice(Struct, frozen=True, kw_only=True):
    """``opened_at`` (ms): when who practises could begin to look. ``declared``: the drill declared its incident itself.

    ``good`` None: the scenario does not say, and nothing can be scored. ``platform`` is the platform's directory on the
    machine where it was declared, which is gone when the platform is. ``seed`` says in which details it was played. Of
    a ``surprise`` the scenario is not told before it is over.
    """

    scenario: str
    opened_at: Annotated[int, Meta(ge=EARLIEST, le=LATEST)]
    declared: bool
    good: Good | None = None
    platform: str = ""
    seed: int = 0
    surprise: bool = False

    def told(self, *, over: bool) -> str:
        """The scenario, as far as it may be told."""
        return UNTOLD if self.surprise and not over else self.scenario


def read_good(told: Any) -> Good | None:
    """What a platform's announcement says; None if it says nothing.

    Raises:
        NotGood: it is of another form.
    """
    try:
        return msgspec.convert(told, Good | None)
    except msgspec.ValidationError as error:
        raise NotGood(f"what a good response is cannot be read: {error}") from None


def sealed(practice: Practice) -> dict[str, Any]:
    """What goes into the evidence of the declaration."""
    text = json.dumps(msgspec.to_builtins(practice), separators=(",", ":"))
    # In hexadecimal: no pattern of a secret can be in it.
    return {DRILL: {SEALED: zlib.compress(text.encode(), 9).hex()}}


def practice_of(entries: Iterable[Entry]) -> Practice | None:
    """What the incident of these entries keeps; None for a real one, and for a drill that keeps nothing.

    The declaration must have been read with its evidence. Whatever that holds, this does not raise.
    """
    for entry in entries:
        if entry.kind is Kind.DECLARED:
            kept = (entry.evidence or {}).get(DRILL)
            packed = kept.get(SEALED) if isinstance(kept, dict) else None
            return _unsealed(packed) if isinstance(packed, str) else None
    return None


def resolving(entries: Iterable[Entry]) -> Entry | None:
    """The entry that resolved the incident, if it was not opened again since."""
    found = None
    for entry in entries:
        status = change_of(entry.evidence).get("status") if entry.kind is Kind.STATUS else None
        if status == Status.RESOLVED:
            found = entry
        elif status is not None and status != Status.REVIEWED:
            found = None
    return found


def was_left(entries: Iterable[Entry]) -> bool:
    """Whether these entries of a drill end it because its platform was gone, and not because it was resolved."""
    found = resolving(entries)
    return found is not None and found.text == LEFT


def _unsealed(packed: str) -> Practice | None:
    try:
        text = zlib.decompressobj().decompress(bytes.fromhex(packed), _LIMIT)
        return msgspec.convert(json.loads(text), Practice)
    except (ValueError, zlib.error, msgspec.ValidationError, RecursionError):
        return None
