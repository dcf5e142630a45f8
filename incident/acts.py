"""Acts on the timeline: an intent and how it ended, put together from the entries of an incident's chain.

What an act is belongs to whoever acts; here it is only read, and whatever its evidence holds, nothing raises for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from incident.entry import Ending, Entry, Kind


class ActRecord(Struct, frozen=True, kw_only=True):
    """One act. ``outcomes`` are in the order they were written; the last one counts.

    An intent that was refused or cancelled is complete without one: its own evidence says so.
    """

    intent: Entry
    outcomes: tuple[Entry, ...] = ()

    @property
    def id(self) -> str:
        return self.intent.id

    @property
    def outcome(self) -> Entry | None:
        """The entry that says how it ended: the last outcome, or the intent of an act that was never sent."""
        if self.outcomes:
            return self.outcomes[-1]
        return self.intent if self.intent.ending is not None else None

    @property
    def ending(self) -> Ending | None:
        """How it ended; None if nobody knows."""
        return None if self.outcome is None else self.outcome.ending

    @property
    def title(self) -> str:
        return self.intent.text.partition("\n")[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """The equivalent commands."""
        commands = _plan(self.intent).get("commands")
        if isinstance(commands, list | tuple):
            return tuple(str(command) for command in commands)
        text = self.intent.text.partition("\n")[2].strip()
        return (text,) if text and self.intent.ending is None else ()

    @property
    def by(self) -> str:
        """Who confirmed it; of one that nobody confirmed, who recorded that."""
        act = (self.intent.evidence or {}).get("act")
        confirmed = act.get("confirmed_by") if isinstance(act, dict) else None
        return confirmed if isinstance(confirmed, str) and confirmed else self.intent.author

    @property
    def undo(self) -> str:
        """How it is taken back, in words; empty if nothing was sent."""
        if self.ending is not None:
            return self.ending.undo
        undo = _plan(self.intent).get("undo")
        return str(undo.get("words", "")) if isinstance(undo, dict) else ""


def acts(entries: Iterable[Entry]) -> list[ActRecord]:
    """The acts among entries that were read with their evidence, oldest first."""
    intents: dict[str, Entry] = {}
    outcomes: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda one: one.seq):
        if entry.kind is Kind.MITIGATION:
            intents[entry.id] = entry
        elif entry.kind is Kind.OUTCOME and entry.refers_to is not None:
            outcomes.setdefault(entry.refers_to, []).append(entry)
    return [
        ActRecord(intent=intent, outcomes=tuple(outcomes.get(identity, ()))) for identity, intent in intents.items()
    ]


def unfinished(entries: Iterable[Entry]) -> list[Entry]:
    """The intents that nothing says the outcome of, oldest first."""
    return [act.intent for act in acts(entries) if act.outcome is None]


def only_looks(intent: Entry) -> bool:
    """Whether this intent is to find something out, if it was read with its evidence; its outcome always says so."""
    return _plan(intent).get("looks_only") is True


def _plan(intent: Entry) -> dict[str, Any]:
    act = (intent.evidence or {}).get("act")
    plan = act.get("plan") if isinstance(act, dict) else None
    return plan if isinstance(plan, dict) else {}
