"""Status updates of a console: when the next is due, what it would say, who gets it, and what became of it.

What is sent is recorded first, word for word, and each channel's outcome after it. Deliveries belong to the console and
not to the screen that began them; what is unfinished when the console is left is recorded as not sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from incident.countdown import Countdown, countdown, next_due, promised
from incident.entry import Draft
from incident.errors import StoreError
from incident.identity import named_id
from incident.told import AUDIENCE, CUSTOMERS, PAGER, TEAM, TOLD, Told, told
from incident.updates import missed_draft, update_draft
from tui.update_sending import Errands, Outcome, Sender, Sending, outcome_draft, outcome_id

if TYPE_CHECKING:
    from incident.channels.deliver import Patience
    from incident.channels.message import Channel, Delivery, Event
    from incident.entry import Incident
    from incident.recorder import Recorded
    from runbook.response import Response, SeverityLevel
    from tui.journal import Journal
    from tui.update_draft import Recipient

log = logging.getLogger(__name__)

SURE = 3
"""Ticks in a row that find an update missed before that is recorded: a clock that is corrected at once misses none."""

SILENCE = 300_000
"""Milliseconds after which no console can still be delivering (`incident.channels.deliver.Patience`)."""

UNCLASSIFIED = 2
"""The severity whose update frequency an incident is held to that nobody has classified."""


class Desk(Protocol):
    """What the updates need of the control room."""

    @property
    def journal(self) -> Journal: ...
    @property
    def response(self) -> Response | None: ...
    def now(self) -> float: ...
    def tell(self, text: str, severity: str = ..., timeout: float = ...) -> None: ...


class NotSent(Exception):
    """Nothing was recorded and nothing sent; the sentence says why."""


class Updates:
    """``changed`` is called when an outcome or the countdown's facts have changed."""

    def __init__(
        self,
        desk: Desk,
        environment: Mapping[str, str],
        changed: Callable[[], None],
        *,
        patience: Patience | None = None,
    ) -> None:
        self._desk = desk
        self.environment = environment
        self._changed = changed
        self._sender = Sender(self._record, environment, changed, desk.tell, patience)
        self.told = Told()
        self.kept: dict[tuple[str, str], str] = {}  # text that was left unsent, by incident and audience
        self._incident = ""  # that `told` is of
        self._reading = asyncio.Lock()
        self._errands = Errands()
        self._recorded: set[str] = set()  # what this console has recorded by itself, or is about to
        self._seen: Counter[int] = Counter()

    # ------------------------------------------------------------------ what is known

    def hear(self, touched: set[str] | None) -> None:
        """The timeline has changed (see `tui.journal.Journal`): what that says is known a moment later."""
        journal = self._desk.journal
        lines = [journal.timeline.get(line) for line in touched or ()]
        if touched is None or any(line is not None and line.entry.kind in TOLD for line in lines):
            self._errands.begin(self._read(), "reads the updates")

    async def _read(self) -> None:
        incident = self._desk.journal.incident
        if incident is None:
            return
        async with self._reading:
            try:
                entries = await self._desk.journal.of_kinds(incident.id, TOLD)
            except StoreError as error:
                log.error("the updates cannot be read: %s", error)
                return
            self.told = told(entries)
            if self._incident != incident.id:
                self._incident = incident.id
                self._seen.clear()
        self._changed()

    @property
    def level(self) -> SeverityLevel | None:
        """The severity that sets the frequency; None while there is no incident or no runbook."""
        incident, response = self._desk.journal.incident, self._desk.response
        if incident is None or response is None or not response.severities:
            return None
        wanted = incident.severity or UNCLASSIFIED
        return response.severity(wanted) or response.severities[0]

    def countdown(self, now: float) -> Countdown | None:
        """Until the next update, of an open incident; ``now`` in seconds."""
        incident, level = self._desk.journal.incident, self.level
        if incident is None or level is None or not incident.open or self._incident != incident.id:
            return None
        return countdown(
            opened_at=self.told.opened_at or incident.declared_at,
            last=self.told.last,
            every=level.update_every,
            first_within=level.first_update_within,
            now=int(now * 1000),
            changed_at=self.told.severity_at,
        )

    # ------------------------------------------------------------------ what comes by itself

    def tick(self, now: float) -> None:
        """Once a second: a missed update, and one whose outcome nobody will record any more, go on the record."""
        journal = self._desk.journal
        incident = journal.incident
        if (
            incident is None
            or not journal.ready
            or incident.drill is not journal.drill
            or self._incident != incident.id
        ):
            return
        left = self.countdown(now)
        for due in left.missed if left is not None else ():
            self._seen[due] += 1
            if due not in self.told.missed and self._seen[due] >= SURE:
                name = f"missed {due}"
                self._by_itself(incident.id, _missed(due), named_id(due, f"{incident.id} {name}"), name)
        mine = {sending.update for sending in self._sender.sendings}
        for update, channels in self.told.silent:
            if update.entry in mine or now * 1000 - update.at < SILENCE:
                continue
            for channel in channels:
                draft = outcome_draft(update.entry, channel, channel, "", _unknown())
                self._by_itself(incident.id, draft, outcome_id(update.entry, channel), f"silent {channel}")

    def _by_itself(self, incident: str, draft: Draft, identity: str, what: str) -> None:
        """Record it once, whichever console comes first."""
        if identity not in self._recorded:
            self._recorded.add(identity)
            self._errands.begin(self._record(incident, draft, identity), what)

    async def _record(self, incident: str, draft: Draft, identity: str | None = None) -> Recorded | None:
        try:
            recorded = await self._desk.journal.record(incident, draft, identity=identity)
        except StoreError as error:
            log.error("not recorded: %s", error)
            self._desk.tell(f"not recorded: {draft.text}: {error}", "error", timeout=15)
            return None
        if recorded.entry is None:
            await self._read()  # it is kept aside, so the store tells nobody
        return recorded

    # ------------------------------------------------------------------ before it is sent

    def recipients(self, audience: str) -> list[Recipient]:
        """The channels for this audience, with what the matrix says of them."""
        from tui.update_draft import recipients

        incident, response = self._desk.journal.incident, self._desk.response
        if incident is None or response is None:
            return []
        found = recipients(response, incident.severity, self.environment, audience, drill=incident.drill)
        return [self._as_pager(one, incident) if one.channel.kind == "pagerduty" else one for one in found]

    def _as_pager(self, recipient: Recipient, incident: Incident) -> Recipient:
        """What an update does to a pager: it pages, adds to the alert there is, or ends it."""
        if incident.open:
            does = "adds to the alert" if self.told.paged else "pages the people on call"
            return replace(recipient, why=f"{recipient.why} · {does}")
        if self.told.paged:
            return replace(recipient, wanted=True, judge=False, why="they were paged: ends the alert")
        return replace(recipient, wanted=False, judge=False, why="nobody was paged")

    @property
    def sendings(self) -> list[Sending]:
        """What this console has sent, oldest first."""
        return self._sender.sendings

    @property
    def speaks_to_customers(self) -> bool:
        """Whether the runbook has words for customers."""
        from tui.update_draft import CUSTOMERS_TEMPLATE

        return self._desk.response is not None and CUSTOMERS_TEMPLATE in self._desk.response.templates

    def due(self, text: str = "") -> int | None:
        """When (ms) the next update is due if this text is sent now; None if it is the last one."""
        incident, level = self._desk.journal.incident, self.level
        if incident is None or level is None or not incident.open:
            return None
        now = int(self._desk.now() * 1000)
        return promised(text, now, level.update_every) or next_due(now, level.update_every)

    async def draft(self, audience: str) -> tuple[str, str]:
        """The text that the template makes of what is known, and what is wrong with the template, if anything is."""
        from incident.channels.message import watermarked
        from incident.templates import TemplateError, rendered
        from tui.update_draft import PLAIN, TEMPLATES, fields

        await self._read()  # what changed just now belongs to it
        incident, response = self._desk.journal.incident, self._desk.response
        assert incident is not None
        assert response is not None
        now, lines = int(self._desk.now() * 1000), list(self._desk.journal.timeline.lines)
        values = fields(incident, response, lines, self.told, due=self.due(), now=now)
        name, trouble = TEMPLATES[audience], ""
        try:
            text = await rendered(response.templates.get(name, PLAIN), values, name)
        except TemplateError as error:
            trouble = str(error)
            text = await rendered(PLAIN, values, "plain")
        return watermarked(text, incident.drill), trouble

    # ------------------------------------------------------------------ sending

    async def send(self, text: str, channels: Sequence[Channel], *, audience: str = TEAM, event: Event = "") -> Sending:
        """Record the update, then deliver it beside whatever else goes on. Returns once it is recorded.

        Raises:
            NotSent: nothing was recorded and nothing is sent.
        """
        from incident.channels.message import Message, watermarked
        from incident.channels.secrets import Secrets
        from incident.intake import take_in

        journal = self._desk.journal
        incident = journal.incident
        if incident is None:
            raise NotSent("no incident is shown: declare one first")
        if incident.drill is not journal.drill:
            raise NotSent("a drill and the real thing never mix: this incident belongs to the other kind of console")
        for channel in self._all_channels():
            if Secrets(channel, self.environment).within(text):
                raise NotSent(f"the text holds a secret of {channel.name} ({', '.join(channel.env.values())})")
        draft = update_draft(
            watermarked(text.strip(), incident.drill),
            journal.author,
            next_due=self.due(text) if audience == TEAM else None,
            channels=[channel.id for channel in channels],
            fields={AUDIENCE: audience, "status": incident.status.value, "severity": str(incident.severity or "")},
        )
        try:
            recorded = await journal.record(incident.id, draft)
        except StoreError as error:
            raise NotSent(str(error)) from error
        words = recorded.entry.text if recorded.entry is not None else take_in(draft).text
        sending = Sending(recorded.id, incident.id, words, recorded.error, [Outcome(one) for one in channels])
        self.kept.pop((incident.id, audience), None)
        if recorded.entry is None:
            await self._read()
        message = Message(
            text=words,
            title=incident.title if audience == CUSTOMERS else _title(incident),
            incident=incident.id,
            severity=incident.severity,
            status=incident.status.value,
            drill=incident.drill,
            source=" · ".join(filter(None, (incident.cluster, incident.namespace))),
            event=event,
        )
        self._sender.begin(sending, message, self.told.refs)
        return sending

    async def page(self, event: Event) -> Sending:
        """Trigger, acknowledge or resolve the incident's alert on every pager that can be reached.

        Raises:
            NotSent: there is none, or no incident.
        """
        incident = self._desk.journal.incident
        pagers = self.pagers()
        if incident is None or not pagers:
            raise NotSent("there is no pager: the runbook names none whose environment variable is set")
        words = {"trigger": "Page the people on call", "acknowledge": "Acknowledge the page"}.get(event, "End the page")
        return await self.send(f"{words}: {_title(incident)}", pagers, audience=PAGER, event=event)

    @property
    def customers_wait(self) -> bool:
        """Whether the matrix wants customers told and nobody has, or who told them has not said that it is over.

        In a drill also where nothing can be sent: telling them is practised all the same.
        """
        incident, told = self._desk.journal.incident, self.told.customers
        if incident is None or not self.speaks_to_customers:
            return False
        if told is not None or not incident.open:
            return told is not None and told < (incident.resolved_at or 0)
        return any(one.wanted and (incident.drill or not one.trouble) for one in self.recipients(CUSTOMERS))

    def pagers(self) -> list[Channel]:
        """The pagers that something can be sent to."""
        found = (one for audience in (TEAM, CUSTOMERS) for one in self.recipients(audience))
        return [one.channel for one in found if one.channel.kind == "pagerduty" and not one.trouble]

    def _all_channels(self) -> list[Channel]:
        return [one.channel for audience in (TEAM, CUSTOMERS) for one in self.recipients(audience)]

    async def close(self) -> None:
        """End what is under way; what was not delivered is recorded as that. The journal must still be open."""
        await self._errands.close()
        await self._sender.close()


def _title(incident: Incident) -> str:
    severity = f"SEV {incident.severity} " if incident.severity is not None else ""
    return f"{severity}{incident.status.value}: {incident.title} ({incident.id})"


def _missed(due: int) -> Draft:
    from tui.update_draft import clock

    return missed_draft(due, text=f"Status update missed: it was due at {clock(due)}")


def _unknown() -> Delivery:
    from incident.channels.message import Delivery

    return Delivery(ok=False, detail="not known: the console ended before it had an answer", attempts=0)
