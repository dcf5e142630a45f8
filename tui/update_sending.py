"""Updates on their way: one task for each channel, the outcome on the record, and an end when the console is left."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from incident.identity import named_id
from incident.updates import delivery_draft

if TYPE_CHECKING:
    from incident.channels.deliver import Patience
    from incident.channels.message import Channel, Delivery, Message
    from incident.entry import Draft

log = logging.getLogger(__name__)


class Outcome(Struct):
    """One channel of one update. ``state``: waiting, trying, ok, failed."""

    channel: Channel
    state: str = "waiting"
    detail: str = ""
    attempt: int = 0
    draft: Draft | None = None  # that says how it ended, until it is recorded

    @property
    def finished(self) -> bool:
        return self.state in ("ok", "failed")


class Sending(Struct):
    """An update on its way. ``trouble``: it is not in the store yet, but kept."""

    update: str
    incident: str
    text: str
    trouble: str = ""
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return all(outcome.finished for outcome in self.outcomes)


class Errands:
    """Tasks that somebody began and nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def begin(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its words could hold anything; what it was is enough to begin a repair.
            log.error("%s failed: %s", task.get_name(), type(error).__name__)

    async def close(self) -> None:
        """End them; none begins any more."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Sender:
    """``record`` puts a draft on an incident's timeline, ``changed`` hears all news, ``tell`` the bad ones."""

    def __init__(
        self,
        record: Callable[[str, Draft, str], Awaitable[object]],
        environment: Mapping[str, str],
        changed: Callable[[], None],
        tell: Callable[..., None],
        patience: Patience | None,
    ) -> None:
        self._record = record
        self._environment = environment
        self._changed = changed
        self._tell = tell
        self._patience = patience
        self._errands = Errands()
        self.sendings: list[Sending] = []

    def begin(self, sending: Sending, message: Message, refs: Mapping[str, str]) -> None:
        """Deliver to every channel at once. ``refs``: what a channel (by id) calls the incident."""
        self.sendings.append(sending)
        for outcome in sending.outcomes:
            own = replace(message, ref=refs.get(outcome.channel.id, ""))
            self._errands.begin(self._deliver(sending, outcome, own), f"deliver to {outcome.channel.id}")
        self._changed()

    async def _deliver(self, sending: Sending, outcome: Outcome, message: Message) -> None:
        module = await asyncio.to_thread(importlib.import_module, "incident.channels.deliver")

        def trying(attempt: int, reason: str) -> None:
            outcome.state, outcome.attempt, outcome.detail = "trying", attempt, reason
            self._changed()

        patience = self._patience or module.Patience()
        delivery: Delivery = await module.deliver(
            outcome.channel, message, self._environment, patience=patience, trying=trying
        )
        await self._settle(sending, outcome, delivery, message)

    async def _settle(self, sending: Sending, outcome: Outcome, delivery: Delivery, message: Message) -> None:
        outcome.state = "ok" if delivery.ok else "failed"
        outcome.detail, outcome.attempt = delivery.detail, delivery.attempts
        channel = outcome.channel
        event = ""
        if channel.kind == "pagerduty":
            from incident.channels.pagerduty import event_of

            event = event_of(message)
        draft = outcome_draft(sending.update, channel.id, channel.name, channel.kind, delivery, event)
        if not delivery.ok:
            self._tell(draft.text, "error", timeout=15)
        outcome.draft = draft
        self._changed()
        await self._record(sending.incident, draft, outcome_id(sending.update, channel.id))
        outcome.draft = None

    async def close(self) -> None:
        """End what is under way, and record it as not sent."""
        await self._errands.close()
        from incident.channels.message import Delivery

        for sending in self.sendings:
            for outcome in sending.outcomes:
                if outcome.finished and outcome.draft is None:
                    continue
                unsure = "; it may have arrived" if outcome.attempt else ""
                gone = Delivery(ok=False, detail=f"the console was left{unsure}", attempts=outcome.attempt)
                channel = outcome.channel
                draft = outcome.draft or outcome_draft(sending.update, channel.id, channel.name, channel.kind, gone)
                if outcome.draft is None:
                    outcome.state, outcome.detail = "failed", gone.detail
                await self._record(sending.incident, draft, outcome_id(sending.update, channel.id))


def outcome_draft(update: str, channel: str, name: str, kind: str, delivery: Delivery, event: str = "") -> Draft:
    """The entry that says how an update fared with one channel."""
    tried = f" after {delivery.attempts} tries" if delivery.attempts > 1 else ""
    text = f"{'Delivered' if delivery.ok else 'NOT delivered'} to {name}{tried}: {delivery.detail}"
    draft = delivery_draft(
        update,
        channel,
        kind=kind,
        ok=delivery.ok,
        detail=delivery.detail,
        attempts=delivery.attempts,
        text=text,
    )
    more = {name: value for name, value in (("ref", delivery.ref), ("event", event)) if value}
    evidence = draft.evidence or {}
    return replace(draft, evidence={"delivery": {**evidence["delivery"], **more}}) if more else draft


def outcome_id(update: str, channel: str) -> str:
    """The ID of the entry with a channel's outcome: there is one, whoever finds out first, and however often."""
    return update[:10] + named_id(0, f"{update} {channel}")[10:]
