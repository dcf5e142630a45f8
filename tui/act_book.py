"""The journal as the gate writes to it: an intent before anything is sent, and how it ended, on the same incident."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from incident import acts
from incident.entry import Draft, Kind
from incident.errors import Refused, StoreError, TooLong
from runbook.errors import NotRecorded

if TYPE_CHECKING:
    from incident.acts import ActRecord
    from incident.entry import Entry
    from runbook.record import Intent
    from tui.journal import Journal

log = logging.getLogger(__name__)

_LONGEST_TEXT = 8_000  # characters that are kept of a text that is too long


class ActBook:
    """Implements `runbook.gate.Book` on a journal. ``first_symptom`` is the diagnosis' (epoch seconds)."""

    def __init__(self, journal: Journal, first_symptom: Callable[[], float | None] = lambda: None) -> None:
        self._journal = journal
        self._first_symptom = first_symptom
        self._intents: dict[str, Intent] = {}  # those without an outcome whose evidence was read

    @property
    def incident(self) -> str:
        """The ID of the open incident that is recorded to; empty if none is, or if a closed or foreign one is shown."""
        incident = self._journal.incident
        return incident.id if incident is not None and self._journal.recording else ""

    @property
    def began(self) -> float | None:
        """When the shown incident began (epoch seconds): as a person has set it; else with its first symptom.

        That is what the diagnosis has, or the record, which still knows it when all is well again. Where none is known
        from before it was declared, that is when.
        """
        incident = self._journal.incident
        if incident is None:
            return None
        if "began" in incident.times:
            return incident.times["began"] / 1000
        from incident.review import onset

        recorded = onset(self._journal.timeline.lines, incident.declared_at)
        known = (self._first_symptom(), None if recorded is None else recorded / 1000)
        return min([at for at in known if at is not None] + [incident.declared_at / 1000])

    @property
    def author(self) -> str:
        return self._journal.author

    async def intend(self, draft: Draft) -> tuple[str, str]:
        """Put the intent where it survives this process: into the store, or into a file that waits for the store.

        Returns (incident, entry). What is too large is left out of the evidence, never what the act itself needs.

        Raises:
            NotRecorded: neither could be done, and nothing of the intent remains.
        """
        incident = self.incident
        if not incident:
            raise NotRecorded("nothing was sent: no open incident is shown to record it in", "press I to declare one")
        try:
            try:
                recorded = await self._journal.record(incident, draft, durably=True)
            except TooLong:
                recorded = await self._journal.record(incident, _smaller(draft), durably=True)
        except StoreError as error:
            raise NotRecorded(f"nothing was sent: the intent cannot be recorded: {error}") from error
        if not recorded.durable:
            raise NotRecorded(f"nothing was sent: the intent cannot be put on disk: {recorded.error}")
        return incident, recorded.id

    async def conclude(self, incident: str, draft: Draft) -> None:
        """Record how it ended on the incident it belongs to, whichever is shown by now. Never raises for the store.

        What the store refuses is recorded as a note instead: what was meant still belongs on the record.
        """
        try:
            try:
                await self._journal.record(incident, draft)
            except TooLong:
                await self._journal.record(incident, _smaller(draft))
            except Refused as refusal:
                await self._journal.record(incident, _as_note(draft, refusal))
        except StoreError as error:
            log.error("how an act ended is not recorded: %s: %s", draft.text, error)
            self._journal.trouble = f"how an act ended is not recorded ({draft.text}): {error}"

    async def unfinished(self) -> list[Entry]:
        """The intents of the open incident that nothing says the outcome of, with their evidence, oldest first.

        Raises:
            StoreError: the store cannot be read.
        """
        from runbook.record import intent_of

        incident = self.incident
        found = acts.unfinished(await self._journal.acts(incident)) if incident else []
        self._intents |= {entry.id: intent for entry in found if (intent := intent_of(entry.evidence)) is not None}
        return found

    def elsewhere(self) -> set[str]:
        """The shown intents without an outcome that another console of this machine is at right now.

        Known of those that came while this console was open, or that `unfinished` has found.
        """
        lines = self._journal.timeline.unended
        if not lines:
            return set()
        from runbook.record import intent_of

        for line in lines:
            if line.id not in self._intents and (intent := intent_of(line.entry.evidence)) is not None:
                self._intents[line.id] = intent
        return {line.id for line in lines if line.id in self._intents and self._intents[line.id].running_elsewhere}

    async def acts(self) -> list[ActRecord]:
        """The acts of the shown incident with their evidence, newest first, but for those that were never sent.

        Raises:
            StoreError: the store cannot be read.
        """
        incident = self._journal.incident
        if incident is None:
            return []
        found = acts.acts(await self._journal.acts(incident.id))
        return [act for act in reversed(found) if act.ending is None or act.ending.sent is not False]


def _smaller(draft: Draft) -> Draft:
    """The draft without what only explains: the diff of a plan, what was found and how it went on the way."""
    text = draft.text
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}… ({len(text) - _LONGEST_TEXT:,} more characters)"
    evidence: dict[str, Any] = dict(draft.evidence or {})
    if isinstance(outcome := evidence.get("outcome"), dict):
        evidence["outcome"] = outcome | {"found": {"left_out": "it was too large"}, "progress": []}
    if isinstance(act := evidence.get("act"), dict) and isinstance(plan := act.get("plan"), dict):
        evidence["act"] = act | {"plan": plan | {"diff": {"source": "left out: it was too large"}}}
    return replace(draft, text=text, evidence=evidence or None)


def _as_note(draft: Draft, refusal: Refused) -> Draft:
    of = f" of {draft.refers_to}" if draft.refers_to else ""
    return replace(
        draft,
        kind=Kind.NOTE,
        text=f"{draft.text} ({draft.kind}{of} could not be applied: {refusal})",
        refers_to=None,
    )
