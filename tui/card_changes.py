"""What the card's keys change: each asks what it must, records one entry, and says what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from incident.change_rules import NEXT
from incident.entry import Incident, Status
from incident.standing import OPEN, severity_words
from tui import writing
from tui.card import NEXT_WORDS, roles_of
from tui.checklists import told_open

if TYPE_CHECKING:
    from tui.checklists import ItemView
    from tui.journal_changes import Saved
    from tui.room import ControlRoom

Answer = Literal["yes", "no", "?"]


def _told(host: ControlRoom, saved: Saved) -> str:
    """What went wrong, or nothing; what is kept aside must not be said again, and is told loudly."""
    if saved.kept:
        host.tell(f"kept aside, not in the store yet: {saved.trouble}", "error", timeout=15)
        return ""
    return saved.trouble


def change(host: ControlRoom, row: str) -> None:
    """Enter on a row of the card."""
    kind, _, name = row.partition(":")
    incident = host.journal.incident
    if incident is None:
        return
    match kind:
        case "severity":
            _severity(host, incident)
        case "relapse":
            reopen(host)
        case "status":
            writing.begin(host, _status(host, incident), "moves the incident on")
        case "title" | "services" | "impact":
            _words(host, incident, kind)
        case "role":
            _hand_over(host, incident, name)
        case "time":
            _time(host, incident, name)


def _severity(host: ControlRoom, incident: Incident) -> None:
    from runbook.classification import standing
    from tui.screens.ask import SeverityScreen
    from tui.severity_text import levels

    matrix = host.response.matrix if host.response is not None else ()

    async def save(level: int | None, reason: str) -> str:
        if level == incident.severity:
            return f"it is {severity_words(level)} already: choose another, or leave with esc"
        text = f"Severity: {severity_words(incident.severity)} → {severity_words(level)}"
        return _told(host, await host.journal.set_severity(level, text=f"{text}\n{reason}" if reason else text))

    said = standing(matrix, incident.facts, incident.severity)
    host.app.push_screen(SeverityScreen(levels(host.response), incident.severity, said, save))


def _words(host: ControlRoom, incident: Incident, kind: str) -> None:
    from tui.screens.ask import AskScreen
    from tui.screens.declare import named

    async def save(text: str) -> str:
        match kind:
            case "title":
                saved = await host.journal.set_title(text)
            case "services":
                saved = await host.journal.set_facts(services=named(text))
            case _:
                saved = await host.journal.set_facts(impact=text)
        return _told(host, saved)

    seen = host.commanding.seen_of(incident)
    services = incident.services or (seen.services if seen is not None else ())
    values = {"title": incident.title, "services": ", ".join(services), "impact": incident.impact}
    abouts = {
        "title": "What is wrong, as a customer would say it",
        "services": "The services that are affected, with commas between",
        "impact": "What customers notice, and how many of them",
    }
    title = {"title": "Title", "services": "Services affected", "impact": "Customer impact"}[kind]
    host.app.push_screen(AskScreen(title, save, about=abouts[kind], value=values[kind]))


def _hand_over(host: ControlRoom, incident: Incident, role_id: str) -> None:
    from tui.screens.ask import AskScreen

    role = next((one for one in roles_of(incident, host.response) if one.id == role_id), None)
    if role is None:
        return
    holder = incident.roles.get(role_id)

    async def save(text: str) -> str:
        return _told(host, await host.journal.set_role(role_id, text or None, name=role.name))

    usual = f"Usually {role.primary}{f', else {role.backup}' if role.backup else ''}. " if role.primary else ""
    about = f"{f'{holder} has it. ' if holder else 'Nobody has it. '}{usual}"
    leaves = "a name; empty: nobody" if holder else "a name"
    host.app.push_screen(AskScreen(f"Hand over: {role.name}", save, about=about, hint=leaves))


def take(host: ControlRoom, row: str) -> None:
    """The person at this console takes the role of this row."""
    kind, _, name = row.partition(":")
    incident = host.journal.incident
    if kind != "role" or incident is None:
        return
    role = next((one for one in roles_of(incident, host.response) if one.id == name), None)
    if role is not None:
        writing.begin(host, _take(host, role.id, role.name), f"takes {role.id}")


async def _take(host: ControlRoom, role: str, name: str) -> None:
    trouble = _told(host, await host.journal.set_role(role, host.journal.author, name=name))
    if trouble:
        host.tell(trouble, "warning")


def answer(host: ControlRoom, row: str, said: Answer) -> None:
    """Answer the question of this row."""
    kind, _, fact = row.partition(":")
    incident = host.journal.incident
    known = {"yes": True, "no": False, "?": None}[said]
    if kind == "fact" and incident is not None and incident.facts.get(fact) is not known:
        writing.begin(host, _answer(host, fact, known), f"answers {fact}")


async def _answer(host: ControlRoom, fact: str, known: bool | None) -> None:
    trouble = _told(host, await host.journal.set_facts(facts={fact: known}))
    if trouble:
        host.tell(trouble, "warning")


def _time(host: ControlRoom, incident: Incident, mark: str) -> None:
    from tui.screens.ask import AskScreen

    async def save(text: str) -> str:
        if not text and mark not in incident.times:
            return "there is nothing to forget: nobody has set it"
        try:
            at = writing.typed_time(text, host.local_time) if text else None
        except ValueError as error:
            return str(error)
        return _told(host, await host.journal.set_time(mark, at))

    zone = "local time" if host.local_time else "UTC"
    host.app.push_screen(
        AskScreen(
            f"When was it {mark}?" if mark != "began" else "When did it begin?",
            save,
            about=f"14:02, 14:02:31, 2026-11-23 14:02 ({zone}) or -5m",
            hint="empty: as the timeline proposes it" if mark in incident.times else "",
            preview=lambda text: writing.preview_time(text, host.local_time),
        )
    )


# ---------------------------------------------------------------------- the status


async def _status(host: ControlRoom, incident: Incident) -> None:
    from tui.screens.choose import Choice, ChooseScreen

    if isinstance(host.app.screen, ChooseScreen):
        return  # enter was pressed twice

    def words(status: Status) -> str:
        if status is Status.INVESTIGATING:
            return "it is not over: reopen it" if incident.status not in OPEN else "back to looking for the cause"
        return NEXT_WORDS[status]

    ways = [Choice(status.value, status.value, words(status)) for status in NEXT[incident.status]]
    chosen = await host.app.push_screen_wait(ChooseScreen(f"{incident.id} is {incident.status.value}", ways))
    if chosen is None:
        return
    status = Status(chosen)
    if status is Status.RESOLVED:
        await resolve(host)
    elif incident.status not in OPEN and status is Status.INVESTIGATING:
        reopen(host)
    else:
        trouble = _told(host, await host.journal.set_status(status))
        if trouble:
            host.tell(trouble, "warning")


def reopen(host: ControlRoom) -> None:
    """Ask why, and reopen the incident."""
    from tui.relapse import summary
    from tui.screens.ask import AskScreen

    incident = host.journal.incident
    if incident is None:
        return

    async def save(text: str) -> str:
        said = f"Reopened: {text}" if text else "Reopened"
        return _told(host, await host.journal.set_status(Status.INVESTIGATING, text=said))

    why = summary(host.commanding.relapse.standing, incident.resolved_at or 0)
    host.app.push_screen(AskScreen(f"Reopen {incident.id}", save, about="Why is it not over?", value=why))


async def resolve(host: ControlRoom) -> None:
    """Show the resolution checklist, resolve, and offer what comes after."""
    from tui.screens.choose import Choice, ChooseScreen
    from tui.screens.resolve import ResolveScreen

    await host.commanding.checklists.settle()
    if not await host.app.push_screen_wait(ResolveScreen(host)):
        return
    if host.journal.practice is not None and host.journal.practice.good is not None:
        writing.score(host)  # behind what is asked next: it is there when that is answered
    offers = [Choice("update", "Write the last status update", "M: it says that it is over, and ends the page")]
    if host.updates.told.paged and host.updates.pagers():
        offers.append(Choice("page", "End the page only", "resolves the alert at the pager"))
    offers.append(Choice("later", "Later", "M and the card (v) are there"))
    chosen = await host.app.push_screen_wait(ChooseScreen("Resolved. What now?", offers, hint="enter · esc leaves"))
    if chosen == "update":
        writing.update(host)
    elif chosen == "page":
        await _end_page(host)


async def _end_page(host: ControlRoom) -> None:
    from tui.updates import NotSent

    try:
        await host.updates.page("resolve")
    except NotSent as error:
        host.tell(f"the page was not ended: {error}", "error", timeout=15)
    else:
        host.tell("the page is being ended")


async def resolved(host: ControlRoom, reason: str, open_items: list[ItemView]) -> str:
    """Record the resolution, with what was still open. Returns what went wrong, or nothing."""
    lines = [f"Status: {Status.RESOLVED}", reason, told_open(open_items)]
    text = "\n".join(filter(None, lines))
    return _told(host, await host.journal.set_status(Status.RESOLVED, text=text))


# ---------------------------------------------------------------------- checklists


def tick(host: ControlRoom, one: ItemView) -> None:
    """Done, or open again."""
    writing.begin(host, _set(host, one, "done" if one.open else "open"), f"ticks {one.item.id}")


async def _set(host: ControlRoom, one: ItemView, state: Literal["done", "open"]) -> None:
    """What a person noted stays with it; why it was not needed is over when it is opened again."""
    said = one.tick is not None and one.tick.by == "person" and one.tick.state != "not-needed"
    note = one.tick.note if said and one.tick is not None else ""
    trouble = _told(host, await host.commanding.checklists.set(one, state, note))
    if trouble:
        host.tell(f"not ticked: {trouble}", "error")


def note(host: ControlRoom, one: ItemView, *, not_needed: bool) -> None:
    """Ask what was found, or why it is not needed."""
    from tui.screens.ask import AskScreen

    async def save(text: str) -> str:
        if not_needed:
            return _told(host, await host.commanding.checklists.set(one, "not-needed", text))
        if not text:
            return "there is nothing to note"
        state = one.tick.state if one.tick is not None else "open"
        return _told(host, await host.commanding.checklists.set(one, state, text))

    value = one.tick.note if one.tick is not None and one.tick.by == "person" else ""
    title = "Not needed, because" if not_needed else "Note"
    host.app.push_screen(AskScreen(title, save, about=one.item.text, value=value))
