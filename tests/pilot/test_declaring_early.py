"""Declaring in the first seconds, while the runbook is still being read: nobody waits, and nothing typed is lost."""

from __future__ import annotations

import asyncio

from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Static

from runbook import playbook_file, response_file
from runbook.classification import Seen, View
from runbook.response import Response
from tui.screens.declare import Declaration, DeclareScreen
from widgets.segments import Segments

NOTHING = View(facts={}, services=())


class Early(App[None]):
    """The form alone, with a runbook that comes when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.runbook: asyncio.Future[tuple[Response, View]] = asyncio.Future()
        self.declared: list[Declaration] = []
        self.form = DeclareScreen("somewhere", None, NOTHING, self._declare, later=self._later)

    async def on_mount(self) -> None:
        await self.push_screen(self.form)

    async def _later(self) -> tuple[Response, View]:
        return await self.runbook

    async def _declare(self, declaration: Declaration) -> str:
        self.declared.append(declaration)
        return ""

    def said(self, name: str) -> str:
        return str(self.form.query_one(f"#declare-{name}", Static).content)


async def until(pilot: Pilot[None], app: Early, words: str) -> None:
    async with asyncio.timeout(30):
        while words not in app.said("proposal"):
            await pilot.pause(0.01)


async def test_the_form_takes_the_runbook_when_it_comes_and_keeps_what_was_answered() -> None:
    app = Early()
    async with app.run_test(size=(200, 55)) as pilot:
        await until(pilot, app, "The runbook is still being read")
        await pilot.press(*"Payments", "tab", "tab", "tab", "n")
        response = response_file.load(playbook_file.find("banking-platform")).response
        seen = View(
            facts={
                "service_down": Seen(answer=True, evidence="payment-service: 0 of 3 ready"),
                "degraded": Seen(answer=True, evidence="3 of 3 payment-service in CrashLoopBackOff"),
            },
            services=("payment-service",),
        )
        app.runbook.set_result((response, seen))
        await until(pilot, app, "No severity proposed yet")
        answers = {
            fact: app.form.query_one(f"#declare-{fact}", Segments).value for fact in ("service_down", "degraded")
        }
        assert answers == {"service_down": "no", "degraded": "yes"}  # the person said no before
        assert app.said("seen-service_down") == "you say so"
        assert app.said("seen-degraded") == "seen by probes: 3 of 3 payment-service in CrashLoopBackOff"
        assert app.form.query_one("#declare-title", Input).value == "Payments"
        assert app.form.query_one("#declare-services", Input).value == "payment-service"
        assert "Complete system outage" not in app.said("meaning")
        await pilot.press("tab", "tab", "tab", "tab", "1")
        assert "Complete system outage or security breach" in app.said("meaning")


async def test_what_is_declared_before_the_runbook_comes_is_declared() -> None:
    app = Early()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, "The runbook is still being read")
        await pilot.press(*"Down", "enter", "enter")
        async with asyncio.timeout(30):
            while not app.declared:
                await pilot.pause(0.01)
        assert app.declared[0].title == "Down"
        assert app.declared[0].severity is None
        app.runbook.cancel()
