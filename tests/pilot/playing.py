"""A whole drill played by the console's keys, quickly: declared, told, acted upon, closed, exported and scored.

`practising` opens a drill and gives its `Drill`, whose verbs are keys. On the platform time runs ``speed`` times as
fast, and for the console as ever.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from textual.widget import Widget
from textual.widgets import Input, Select
from textual.widgets._select import SelectOverlay

from drill.observing import Request
from drill.platform import Running, running
from drill.scenario import Scenario
from drill.serve import announcement
from incident.checks import histories
from incident.entry import Line
from incident.review import milestones
from probes.rows import Health
from runbook.playbook_file import SHIPPED
from tests.pilot.acting import Stage, ready
from tests.pilot.commanding import card, declared, focus, resolve, scored, told
from tests.pilot.console_harness import WIDE, opened
from tui.checklists import ItemView
from tui.drill_process import DrillProcess
from tui.options import ConsoleOptions
from tui.screens.choose import ChooseScreen
from tui.screens.incident import IncidentScreen
from tui.screens.plan import PlanScreen
from tui.screens.plan_fields import YES, FieldRow
from tui.screens.update import UpdateScreen
from tui.settings import Settings, TimelineSettings
from widgets.tick import Tick

Json = dict[str, Any]
SOON = 120.0
"""Seconds of the wall until an act has its verdict, or the platform is well."""


class HereDrill(DrillProcess):
    """A drill whose platform is in this process: what it announces is what a child would write."""

    def __init__(self, platform: Running) -> None:
        super().__init__(platform.scenario)
        self._platform = platform

    def start(self) -> None:
        """It serves already."""

    async def _first_line(self) -> bytes:
        return announcement(self._platform).encode() + b"\n"


# ---------------------------------------------------------------------- a drill


@dataclass(frozen=True, slots=True)
class Scored:
    """A score as the export has it (docs/review.md)."""

    document: Json

    @property
    def points(self) -> int:
        points: int = self.document["points"]
        return points

    def row(self, name: str) -> Json:
        """``got`` and ``of``, and ``said``: why."""
        return next(row for row in self.document["rows"] if row["id"] == name)

    @property
    def lost(self) -> dict[str, str]:
        """The rows that did not get all their points, with what is said of them."""
        return {row["id"]: row["said"] for row in self.document["rows"] if row["got"] not in (None, row["of"])}

    @property
    def unjudged(self) -> set[str]:
        return {row["id"] for row in self.document["rows"] if row["got"] is None}

    def done(self, step: str) -> bool:
        """Whether this step of the ideal path was done."""
        return next(one for one in self.document["path"] if one["id"] == step)["at"] is not None

    @property
    def missing(self) -> list[str]:
        """The steps of the ideal path that were not done."""
        return [one["id"] for one in self.document["path"] if one["at"] is None]

    @property
    def harmful(self) -> dict[str, str]:
        """What was done that did harm, and why it does."""
        return {one["what"]: one["why"] for one in self.document["harmful"]}


@dataclass
class Drill(Stage):
    """A drill that is practised. ``out`` is where its exports go; ``scoreboard`` its score's screen, once resolved."""

    out: Path
    scoreboard: str = ""

    # ------------------------------------------------------------------ command

    async def declare(self, title: str = "Payments fail", *, severity: int | None = None, **facts: bool) -> int | None:
        """See `declared`. For a drill that was opened with ``undeclared``."""
        return await declared(self.console, title, severity=severity, **facts)

    async def take(self, role: str) -> None:
        """Take a role by its id."""
        await card(self.console, f"role:{role}")
        await self.console.press("t")
        await self.console.until(lambda: role in self._roles, f"{role} taken")
        await self.console.press("escape")
        await self.console.home()

    @property
    def _roles(self) -> Mapping[str, str]:
        incident = self.console.room.journal.incident
        return incident.roles if incident is not None else {}

    async def tell(self, *words: str) -> None:
        """Tell the team by the update as it is drafted, in which ``words`` stand."""
        await self.console.press("M")
        await told(self.console, *words)
        await self.console.home()

    async def tell_customers(self) -> None:
        """The update for customers, as it is drafted."""
        await self.console.press("M")
        screen = await self.console.on(UpdateScreen)
        await self.console.until(lambda: screen.area.text, "a draft")
        await self.console.press("f2")
        await self.console.until(lambda: screen.audience == "customers" and screen.area.text, "the draft for customers")
        await told(self.console)
        await self.console.home()

    # ------------------------------------------------------------------ acts

    async def choose(self, screen: PlanScreen, name: str, value: str) -> None:
        """Choose something in a plan, and wait for the plan that has it."""
        row = next(row for row in screen.query(FieldRow) if row.field.id == name)
        widget = row.query_one("Input, Select, Tick", Widget)
        await focus(self.console, widget)
        match widget:
            case Input():
                await self.console.press("home", "shift+end")
                await self.console.typed(value)
                await focus(self.console, screen.query_one("#plan-no"))  # where "!" confirms, and is not typed
            case Tick():
                if widget.value != (value == YES):
                    await self.console.press("space")
            case Select():
                keys = [key for key, _ in row.field.options]
                assert value in keys, f"{name} is one of {keys}"
                await self.console.press("enter")
                overlay = widget.query_one(SelectOverlay)
                await self.console.until(lambda: overlay.has_focus and overlay.highlighted is not None, "the list")
                steps = keys.index(value) - (overlay.highlighted or 0)
                await self.console.press(*["down" if steps > 0 else "up"] * abs(steps), "enter")
        await self.console.until(
            lambda: screen.plan is not None and screen.plan.choices.get(name) == value, f"a plan with {name} = {value}"
        )
        await self.console.pilot.pause()

    async def begin(self, key: str, row: str, pane: str = "pods", **fields: str) -> str:
        """Confirm the plan of a key on the first row with this text, with these fields chosen. Returns its title."""
        await self.select(row, pane)
        screen = await self.plan(key)
        for name, value in fields.items():
            await self.choose(screen, name, value)
        return await self.carry_out(screen)

    async def carry_out(self, screen: PlanScreen) -> str:
        """Confirm a plan that is shown. Returns its title."""
        plan = screen.plan
        assert plan is not None
        assert not plan.blocked, [finding.text for finding in plan.blocked]
        await self.confirm(screen)
        await self.console.home()
        await self.console.notes(f"^{re.escape(plan.title)}")
        return plan.title

    async def ended(self, title: str, limit: float = SOON) -> Line:
        """The line of an act with its outcome, whatever that is."""

        def found() -> list[Line]:
            line = self.console.entry(f"^{re.escape(title)}")
            return [line] if line is not None and line.outcome else []

        await self.console.until(found, f"{title}: an outcome", limit)
        return found()[0]

    async def act(self, key: str, row: str, pane: str = "pods", **fields: str) -> str:
        """The whole way from the key to the verdict, which is returned as the timeline has it."""
        line = await self.ended(await self.begin(key, row, pane, **fields))
        return line.outcome or ""

    async def undo(self, what: str) -> str:
        """Take back the last act whose title has these words. Returns the verdict on that."""
        await self.console.press("U")
        await self.console.on(ChooseScreen)
        await self.console.typed(f"{what}\n")
        return (await self.ended(await self.carry_out(await self.planned()))).outcome or ""

    async def keep_evidence(self, row: str, pane: str = "pods", **fields: str) -> str:
        return await self.act("E", row, pane, **fields)

    async def quarantine(self, row: str, pane: str = "pods", **fields: str) -> str:
        return await self.act("Q", row, pane, **fields)

    # ------------------------------------------------------------------ the end

    @property
    def ill(self) -> list[str]:
        """The pods and endpoints that are not well, as the panes have them; a pane that is not live is not well."""
        latest = self.console.room.feeds.latest
        names = [name for name in ("pods", "endpoints") if name not in latest or not latest[name].freshness.live]
        if names:
            return names
        pods = [one for one in latest["pods"].rows.values() if one.deleting_since is None]
        sick = [one.name for one in pods if one.health is not Health.DORMANT and one.health <= Health.DEGRADED]
        return sick + [one.name for one in latest["endpoints"].rows.values() if one.ok is not True]

    @property
    def recovered(self) -> bool:
        """Whether the timeline says that what was down is well again."""
        incident = self.console.room.journal.incident
        assert incident is not None
        return milestones(incident, self.console.timeline).recovered is not None

    def minute_ends(self, within: float = 4.0) -> None:
        """Azure's clock is put forward: its minute ends within so many seconds. Metrics are told by whole minutes."""
        arm = self.platform.platform.arm
        assert arm is not None
        arm.faults.skew += (60 - within - (time.time() + arm.faults.skew)) % 60

    async def well(self, limit: float = SOON) -> None:
        """Nothing is ill on the panes any more, and the timeline has that."""
        try:
            await self.console.until(lambda: not self.ill and self.recovered, "the platform well again", limit)
        except AssertionError as error:
            lines = "\n".join(f"{line.level:5} {line.text.splitlines()[0]}" for line in self.console.timeline)
            raise AssertionError(f"ill: {self.ill}, recovered: {self.recovered}\n{lines}\n{error}") from None

    async def tick(self, checklist: str, *awaited: str) -> None:
        """Every item of a checklist that no probe has ticked, by space on its card, once it has those ``awaited``."""

        def left() -> list[ItemView]:
            lists = self.console.room.commanding.checklists.lists()
            return [one for found in lists if found.checklist.id == checklist for one in found.items if one.open]

        screen = await card(self.console, "status")
        await self.console.until(lambda: {one.item.id for one in left()}.issuperset(awaited), f"{awaited} on the list")
        await self.console.press("tab")
        while found := left():
            name, key = f"{found[0].list}/{found[0].item.id}", (found[0].list, found[0].item.id)
            await self.console.press("home")
            while screen.checks.chosen != name:
                await self.console.press("down")
            before = self._said(key)
            await self.console.press("space")
            await self.console.until(partial(self._heard, key, before), f"{name} ticked or opened")
        await self.console.press("escape")
        await self.console.home()

    def _said(self, key: tuple[str, str]) -> int:
        """How often a person has said something of an item."""
        return sum(tick.by == "person" for tick in histories(self.console.timeline).get(key, ()))

    def _heard(self, key: tuple[str, str], before: int) -> bool:
        """Whether a person has said more of an item since, and the card knows: a probe may have ticked it meanwhile,
        so that space opened it again."""
        views = (one for found in self.console.room.commanding.checklists.lists() for one in found.items)
        shown = next(one.tick for one in views if (one.list, one.item.id) == key)
        return self._said(key) > before and shown == histories(self.console.timeline)[key][-1]

    async def resolve(self, reason: str = "", *, last_update: bool = True) -> None:
        """Resolve the incident and, if wanted, tell the team that it is over."""
        await resolve(self.console, reason)
        await self.console.says("Write the last status update")
        await self.console.press("enter" if last_update else "escape")
        if last_update:
            await told(self.console, "Status: RESOLVED")
        await scored(self.console)
        self.scoreboard = self.console.text
        await self.console.press("escape")
        await self.console.on(IncidentScreen)
        await self.console.press("escape")
        await self.console.home()

    async def close(self, reason: str = "") -> Scored:
        """What a correct play ends with: well, ticked, resolved, told, scored."""
        await self.well()
        await self.tick("resolution")
        await self.resolve(reason)
        return await self.score()

    async def export(self, form: str = "the record alone", extension: str = "json") -> str:
        """What the export key writes; ``form`` are words of the offer that is chosen."""
        before = set(self.out.iterdir())
        await self.console.press("e")
        await self.console.on(ChooseScreen)
        await self.console.typed(f"{form}\n")
        await self.console.home()
        await self.console.until(
            lambda: any(path.suffix == f".{extension}" for path in set(self.out.iterdir()) - before), "the export"
        )
        await self.console.tells("exported to")
        path = next(path for path in set(self.out.iterdir()) - before if path.suffix == f".{extension}")
        return path.read_text(encoding="utf-8")

    async def score(self) -> Scored:
        """As the exported record has it."""
        return Scored(json.loads(await self.export())["score"])


def quick_runbook(directory: Path, within: float = SOON) -> Path:
    """The banking platform's runbook, whose verdicts come within so many seconds of the wall and not of minutes."""
    text = (SHIPPED / "banking-platform.yaml").read_text(encoding="utf-8")
    text = re.sub(r"^  quiet_for: [0-9.]+", "  quiet_for: 0.2", text, flags=re.MULTILINE)
    text = re.sub(r"^( +)verify_within: [0-9.]+", rf"\g<1>verify_within: {within:g}", text, flags=re.MULTILINE)
    file = directory / "quick.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@asynccontextmanager
async def practising(
    tmp_path: Path,
    scenario: str | Scenario,
    *,
    seed: int = 0,
    speed: float = 30.0,
    size: tuple[int, int] = WIDE,
    undeclared: bool = True,
    within: float = SOON,
    watched: bool = False,
    author: str = "",
) -> AsyncIterator[Drill]:
    """A drill as ``warroom drill SCENARIO --seed … --undeclared --speed …`` opens it, when its keys act.

    ``undeclared``: declaring is left to the test, so that detection and severity are judged, too. ``within``: seconds
    of the wall after which an act that did not work is said not to have.
    """
    out = tmp_path / "exports"
    out.mkdir(exist_ok=True)
    async with running(scenario, seed=seed, speed=speed) as platform:
        requests: list[Request] = []
        platform.platform.server.observers.append(requests.append)
        options = ConsoleOptions(
            Settings(timeline=TimelineSettings(author=author)), None, None, (), tmp_path / "warroom.db", None,
            drill=HereDrill(platform), undeclared=undeclared, runbook=str(quick_runbook(tmp_path, within)),
        )  # fmt: skip
        with contextlib.chdir(out):  # exports go where the console was started
            async with opened(options, size, live=False, watched=watched) as console:
                await ready(console, declared=False)
                yield Drill(console, platform, requests, out)
