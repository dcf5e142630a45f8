"""The pictures of one incident: how it is declared, what is wrong, who is told, and how it is closed."""

from __future__ import annotations

from textual.pilot import Pilot

from screenshots.camera import save, until
from tui.app import WarroomApp
from tui.room import ControlRoom
from tui.screens.choose import ChooseScreen
from tui.screens.declare import DeclareScreen
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.incident import IncidentScreen
from tui.screens.update import UpdateScreen
from widgets.guide import GuidePane


async def declaring(app: WarroomApp, pilot: Pilot[None]) -> None:
    """The declaration: what the probes propose, and the one question that decides."""
    room = _room(app)
    await until(lambda: room.response is not None and room.journal.ready, "the runbook and the store")
    await pilot.press("I")
    await until(lambda: isinstance(app.screen, DeclareScreen), "the declaration")
    await pilot.press(*"Payments fail in web and app", "enter", "y")
    await pilot.pause(0.5)
    save(app, "declare")


async def what_is_wrong(app: WarroomApp, pilot: Pilot[None]) -> None:
    """The diagnosis, then the guide of the scenario that fits, its first step carried out."""
    room = _room(app)
    await until(lambda: room.diagnosing.suspect is not None, "a suspect")
    await pilot.press("1", "d")
    await until(lambda: isinstance(app.screen, DiagnosisScreen), "the diagnosis")
    await pilot.pause(1.5)
    save(app, "diagnosis")
    await pilot.press("escape")
    await until(lambda: app.screen is room.desk, "the console")
    await pilot.press("g")
    await until(lambda: isinstance(app.screen, ChooseScreen), "the guides")
    await pilot.press("enter")
    await until(lambda: bool(room.desk.query(GuidePane)), "a guide")
    before = len(room.journal.timeline.lines)
    await pilot.press("home", "enter")
    await until(lambda: len(room.journal.timeline.lines) > before, "what the first step found")
    await pilot.pause(0.5)
    save(app, "guide")
    await pilot.press("g")
    await until(lambda: not room.desk.query(GuidePane), "the guide closed")


async def told_and_resolved(app: WarroomApp, pilot: Pilot[None]) -> None:
    """A status update as it is drafted after the roll back, and the card with its checklists."""
    room = _room(app)
    await room.journal.set_role("ic", "ops-manager", name="Incident Commander")
    await room.journal.set_role("technical-lead", "tech-lead", name="Technical Lead")
    await room.journal.set_facts(impact="Payments by web and app fail", facts={"customer_impact": True})
    await pilot.press("M")
    await until(lambda: isinstance(app.screen, UpdateScreen), "the composer")
    await pilot.pause(1)
    save(app, "update")
    await pilot.press("escape")
    await until(lambda: app.screen is room.desk, "the console")
    await pilot.press("v")
    await until(lambda: isinstance(app.screen, IncidentScreen), "the card")
    await pilot.pause(5)  # what a probe sees has to last three seconds before it ticks
    save(app, "card")
    await pilot.press("escape")
    await until(lambda: app.screen is room.desk, "the console")


def _room(app: WarroomApp) -> ControlRoom:
    assert app.room is not None
    return app.room
