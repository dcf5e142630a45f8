"""What the console writes: entries, pins, amendments, exports, a new incident. Each says what became of it."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident.entry import Draft, Incident, Kind, Source
from widgets.plain import ago, plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from textual.screen import Screen

    from runbook.classification import View
    from runbook.response import Response
    from tui.journal import Journal, Saved
    from tui.room import ControlRoom
    from tui.screens.declare import Declaration
    from tui.subjects import Subject

log = logging.getLogger(__name__)

NO_INCIDENT = "no open incident: press I to declare one"
OPENING = "the timeline's store is still being opened"


def why_none(journal: Journal) -> str:
    """Why there is no incident to write to or to show."""
    return journal.trouble or (NO_INCIDENT if journal.ready else OPENING)


def zone(local: bool) -> tzinfo:
    """The zone that typed times are in: the one that is shown."""
    return (datetime.now(UTC).astimezone().tzinfo or UTC) if local else UTC


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def preview(text: str, local: bool) -> str:
    """What the line would record. Raises ValueError saying what is wrong with its time."""
    from incident.editor import parse_line

    parsed = parse_line(text, now_ms=now_ms(), tz=zone(local))
    said = ["follow-up"] if parsed.kind is Kind.FOLLOWUP else []
    if parsed.happened_at is not None:
        said.append(f"happened {_when(parsed.happened_at, local)}")
    return " · ".join(said)


def preview_time(text: str, local: bool) -> str:
    """What the time field of the long editor means. Raises ValueError."""
    return f"happened {_when(_time_of(text, local), local)}"


def typed_time(text: str, local: bool) -> int:
    """A typed time as an instant (ms). Raises ValueError saying what is wrong with it."""
    return _time_of(text, local)


def _time_of(text: str, local: bool) -> int:
    from incident.editor import parse_line

    parsed = parse_line(f"{text.strip()} x", now_ms=now_ms(), tz=zone(local))
    if parsed.happened_at is None or parsed.text != "x":
        raise ValueError(f"{text.strip()!r} is not a time; write 14:02, 14:02:31, 2026-11-23 14:02 or -5m")
    return parsed.happened_at


def _when(at: int, local: bool) -> str:
    moment = datetime.fromtimestamp(at / 1000, zone(local))
    today = datetime.now(zone(local)).date()
    day = "" if moment.date() == today else f"{moment:%a %d %b} "
    return f"{day}{moment:%H:%M:%S} {'local' if local else 'UTC'}"


async def quick_entry(host: ControlRoom, text: str) -> str:
    """Record one typed line. Returns what went wrong, or nothing."""
    from incident.editor import parse_line

    try:
        parsed = parse_line(text, now_ms=now_ms(), tz=zone(host.local_time))
    except ValueError as error:
        return str(error)
    return await _write(
        host,
        Draft(text=parsed.text, author=host.journal.author, kind=parsed.kind, happened_at=parsed.happened_at),
    )


async def long_entry(host: ControlRoom, text: str, when: str, todo: bool) -> str:
    try:
        happened_at = _time_of(when, host.local_time) if when.strip() else None
    except ValueError as error:
        return str(error)
    kind = Kind.FOLLOWUP if todo else Kind.NOTE
    return await _write(host, Draft(text=text, author=host.journal.author, kind=kind, happened_at=happened_at))


async def amend(host: ControlRoom, entry_id: str, text: str, when: str) -> str:
    try:
        happened_at = _time_of(when, host.local_time) if when.strip() else None
    except ValueError as error:
        return str(error)
    return _answer(host, await host.journal.amend(entry_id, text, happened_at))


async def retract(host: ControlRoom, entry_id: str, reason: str) -> str:
    return _answer(host, await host.journal.retract(entry_id, reason))


async def _write(host: ControlRoom, draft: Draft) -> str:
    if not host.journal.recording:
        return why_none(host.journal)
    return _answer(host, await host.journal.write(draft))


def _answer(host: ControlRoom, saved: Saved) -> str:
    """What went wrong, or nothing. What is kept aside must not be written again: it is told loudly instead."""
    if saved.kept:
        host.tell(f"kept aside, not in the store yet: {saved.trouble}", "error", timeout=15)
        return ""
    return saved.trouble


def pin(host: ControlRoom, subject: Subject) -> None:
    """Put what is selected on the timeline: its own time, and its raw object as evidence."""
    begin(host, _pin(host, subject), f"pins {subject.title}")


async def _pin(host: ControlRoom, subject: Subject) -> None:
    evidence: dict[str, Any] = {"pinned": subject.title, "seen": subject.facts}
    raw = await _raw_object(host, subject)
    if raw is not None:
        evidence["object"] = raw
    draft = Draft(
        text=subject.text,
        author=host.journal.author,
        source=Source.PERSON,
        kind=Kind.PIN,
        happened_at=None if subject.at is None else int(subject.at * 1000),
        evidence=evidence,
        level=subject.level,
    )
    trouble = await _write(host, draft)
    if trouble:
        host.tell(f"not pinned: {trouble}", "error")
    else:
        host.tell(f"pinned: {plain(subject.text, 80)}", timeout=3)


async def pin_log_line(host: ControlRoom, source: str, text: str, at: float | None) -> str:
    """Put one line of a log on the timeline, at the time it was logged."""
    return await _write(
        host,
        Draft(
            text=f"{source}: {text}",
            author=host.journal.author,
            kind=Kind.PIN,
            happened_at=None if at is None else int(at * 1000),
            evidence={"pinned": f"log {source}", "line": text},
        ),
    )


async def _raw_object(host: ControlRoom, subject: Subject) -> dict[str, Any] | None:
    """The raw object, if it can still be had within two seconds. Without it the pin keeps what was seen."""
    from probes.errors import ProbeError
    from probes.objects import fetch

    cluster, azure = host.session.cluster, host.session.azure
    try:
        async with asyncio.timeout(2):
            if azure is not None and "resource_id" in subject.facts:
                from tui.azure_subjects import raw_of

                return await raw_of(azure, subject)
            if cluster is None or not subject.kind or subject.kind == "Release":
                return None
            return await fetch(cluster, subject.kind, subject.namespace, subject.name)
    except (ProbeError, TimeoutError) as error:
        log.info("pinned without its raw object: %s", error)
        return None


def declare(host: ControlRoom) -> None:
    """Ask what is wrong and how bad it is, with what the probes propose, and begin an incident."""
    from tui.screens.declare import DeclareScreen

    if not host.journal.ready:
        host.tell(why_none(host.journal), "warning")
        return
    incident = host.journal.incident
    still_open = incident.id if incident is not None and incident.open else ""
    seen, begin_it = host.commanding.seen(), partial(_declare, host)
    later = None if host.response is not None else partial(_once_read, host)
    host.app.push_screen(
        DeclareScreen(_where(host), host.response, seen, begin_it, open_incident=still_open, later=later)
    )


async def _once_read(host: ControlRoom) -> tuple[Response, View]:
    """The runbook's response and what the probes propose by it. Raises SettingsError, on which the console ends."""
    return await host.read_response(), host.commanding.seen()


async def _declare(host: ControlRoom, declaration: Declaration) -> str:
    """Begin the incident. Returns what went wrong, or nothing."""
    from incident.command import service_names
    from incident.errors import StoreError

    try:
        incident = await host.journal.declare(
            declaration.title,
            declaration.severity,
            cluster=host.session.cluster.context if host.session.cluster else "",
            namespace=host.session.scope_text,
            services=service_names(declaration.services),
            impact=declaration.impact,
            facts=declaration.facts,
        )
    except StoreError as error:
        return f"not declared: {error}"
    host.arm_by_declaration()
    host.tell(f"declared {incident.id}")
    return ""


def _where(host: ControlRoom) -> str:
    context = host.session.cluster.context if host.session.cluster else "no cluster"
    return f"{plain(context)} · {plain(host.session.scope_text)}"


def update(host: ControlRoom) -> None:
    """Open the composer of status updates on the shown incident."""
    if host.journal.incident is None:
        host.tell(why_none(host.journal), "warning")
        return
    if host.response is None:
        begin(host, _update_once_read(host, host.app.screen), "reads the runbook")
        return
    from tui.screens.update import UpdateScreen

    host.app.push_screen(UpdateScreen(host))


async def _update_once_read(host: ControlRoom, asked_on: Screen[Any]) -> None:
    await host.read_response()
    # Else the key was pressed twice, or somebody has gone on to something else.
    if host.app.screen in (asked_on, host.desk):
        update(host)


def card(host: ControlRoom) -> None:
    """Open the card of the incident that is shown."""
    if host.journal.incident is None:
        host.tell(why_none(host.journal), "warning")
        return
    from tui.screens.incident import IncidentScreen

    host.app.push_screen(IncidentScreen(host))


def score(host: ControlRoom) -> None:
    """Open the score of the drill that is shown."""
    incident = host.journal.incident
    if incident is None or not incident.drill:
        host.tell(why_none(host.journal) if incident is None else "only a drill has a score", "warning")
        return
    from tui.screens.score import ScoreScreen

    host.app.push_screen(ScoreScreen(host))


def choose_incident(host: ControlRoom) -> None:
    """Show another incident of this store."""
    if not host.journal.ready:
        host.tell(why_none(host.journal), "warning")
        return
    begin(host, _choose_incident(host), "lists the incidents")


async def _choose_incident(host: ControlRoom) -> None:
    from tui.screens.choose import Choice, ChooseScreen

    incidents = await host.journal.incidents()
    if not incidents:
        host.tell("there is no incident yet: press I to declare one")
        return
    shown = host.journal.incident
    choices = [Choice(i.id, i.id, _summary(i), current=shown is not None and i.id == shown.id) for i in incidents]
    chosen = await host.app.push_screen_wait(ChooseScreen("Incidents", choices))
    for incident in incidents:
        if incident.id == chosen:
            await host.journal.show(incident)


def _summary(incident: Incident) -> str:
    severity = f"SEV {incident.severity}" if incident.severity else "unclassified"
    drill = "DRILL · " if incident.drill else ""
    age = ago((now_ms() - incident.declared_at) / 1000)
    return f"{drill}{severity} · {incident.status.value} · {age} ago · {incident.title}"


def export(host: ControlRoom) -> None:
    """Ask in which formats, write the shown incident to files, and say where they are."""
    incident = host.journal.incident
    if incident is None:
        host.tell("there is no incident to export", "warning")
        return
    begin(host, _export(host, incident), f"exports {incident.id}")


async def _export(host: ControlRoom, incident: Incident) -> None:
    from incident.standard import NEUTRAL
    from tui.export_files import OFFERS, write_exports
    from tui.measure import converted
    from tui.screens.choose import Choice, ChooseScreen

    offers = [Choice(offer.id, offer.label, offer.what) for offer in OFFERS]
    chosen = await host.app.push_screen_wait(ChooseScreen(f"Export {incident.id}", offers))
    forms = next((offer.forms for offer in OFFERS if offer.id == chosen), None)
    if forms is None:
        return
    standard = NEUTRAL if host.response is None else converted(host.response)
    store = host.journal.path
    try:
        entries = await host.journal.all_entries()
        write = partial(write_exports, incident, entries, Path.cwd(), forms, store=store, standard=standard)
        paths = await asyncio.to_thread(write)
    except OSError as error:
        host.tell(f"not exported: {error.strerror or error}: {error.filename or ''}", "error", timeout=15)
        return
    host.tell("exported to\n" + "\n".join(str(path) for path in paths), timeout=15)
    await _write_quietly(host, f"exported to {paths[0]}")


async def _write_quietly(host: ControlRoom, text: str) -> None:
    """Note on an open incident; a closed one is exported without a trace in it."""
    if host.journal.recording:
        await host.journal.write(Draft(text=text, author=host.journal.author, kind=Kind.EXPORT))


def begin(host: ControlRoom, work: Coroutine[Any, Any, None], description: str) -> None:
    """Do it beside the console. What goes wrong against all expectation is told and logged, never the end of it."""
    host.app.run_worker(_told(host, work), group="writing", description=description, exit_on_error=False)


async def _told(host: ControlRoom, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:
        log.exception("something asked for with a key failed")
        host.tell(f"that failed: {error}; the log file has the details", "error", timeout=15)


async def answered(work: Awaitable[str]) -> str:
    """What went wrong, or nothing: an editor that waits for this always gets its answer."""
    try:
        return await work
    except Exception as error:
        log.exception("an entry was not saved")
        return f"{type(error).__name__}: {error}; the log file has the details"
