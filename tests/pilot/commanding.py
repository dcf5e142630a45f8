"""Commanding an incident by keys, one screen at a time: declared, told, resolved, scored."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Button, Input

from incident.entry import Status
from tests.pilot.acting import looked_at
from tests.pilot.console_harness import Console
from tui.screens.choose import ChooseScreen
from tui.screens.declare import DeclareScreen
from tui.screens.incident import IncidentScreen
from tui.screens.resolve import ResolveScreen
from tui.screens.score import ScoreScreen
from tui.screens.update import UpdateScreen


async def declared(console: Console, title: str, *, severity: int | None = None, **facts: bool) -> int | None:
    """By ``I``: the title, answers to the matrix's questions, and a severity if it is not the proposed one.

    Returns the severity that it was declared with.
    """
    await console.press("I")
    screen = await console.on(DeclareScreen)
    await console.until(lambda: isinstance(screen.focused, Input), "a place for the title")
    await console.typed(title)
    wanted = {fact: "y" if answer else "n" for fact, answer in facts.items()}
    if severity is not None:
        wanted["severity"] = str(severity)
    for name, key in wanted.items():
        await focus(console, screen.query_one(f"#declare-{name}"))
        await console.press(key)
    await focus(console, screen.query_one("#declare-yes"))
    await console.press("enter")
    await console.home()
    await console.until(lambda: console.room.journal.recording, "an open incident")
    incident = console.room.journal.incident
    assert incident is not None
    return incident.severity


async def focus(console: Console, widget: Widget, key: str = "tab") -> None:
    """Press tab until the widget has the focus."""
    for _ in range(30):
        if widget.screen.focused is widget:  # what a widget says of itself comes a moment later
            return
        await console.press(key)
    raise AssertionError(f"{key} does not lead to {widget!r}")


async def card(console: Console, row: str) -> IncidentScreen:
    """The incident's card with the cursor on a row."""
    await console.press("v")
    screen = await console.on(IncidentScreen)
    await console.until(lambda: console.room.commanding.checklists.ready, "the checklists")
    await console.press("home")
    for _ in range(30):
        if screen.card.chosen == row:
            return screen
        await console.press("down")
    raise AssertionError(f"{row} is not on the card")


async def told(console: Console, *words: str) -> None:
    """A status update as it is drafted, to everybody whom the matrix wants told."""
    screen = await console.on(UpdateScreen)
    await console.until(lambda: screen.area.text and all(part in screen.area.text for part in words), "a draft")
    await console.press("ctrl+s")
    await looked_at(console, screen)
    await console.press("exclamation_mark")
    await console.until(lambda: screen.sending is not None and screen.sending.finished, "delivered")
    await console.says("recorded ")
    await console.press("escape")


async def resolve(console: Console, reason: str = "") -> None:
    """From the console through the card, with whatever is open on the checklist; what comes next is asked then."""
    await card(console, "status")
    await console.press("enter")
    await console.on(ChooseScreen)
    await console.typed("RESOLVED\n")
    dialog = await console.on(ResolveScreen)
    # Textual gives the focus to the first field; the dialog itself gives it to a button, a moment later.
    await console.until(lambda: isinstance(dialog.focused, Button), "the focus on a button")
    await focus(console, dialog.query_one("#resolve-reason"), "shift+tab")
    await console.typed(reason)
    await console.press("enter", "enter")
    await console.until(lambda: status(console) is Status.RESOLVED, "resolved")
    await console.on(ChooseScreen)


def status(console: Console) -> Status | None:
    incident = console.room.journal.incident
    return incident.status if incident is not None else None


async def scored(console: Console) -> ScoreScreen:
    """The score's screen, once it has points."""
    screen = await console.on(ScoreScreen)
    await console.says(" of 100")
    return screen
