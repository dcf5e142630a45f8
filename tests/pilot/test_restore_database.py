"""D on a database's row, from the keyboard: the instant is typed twice, the name once, and the restore is followed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.widgets import Input

from drill.observing import Request
from drill.platform import running
from runbook.playbook_file import find
from runbook.response_file import load
from tests.drill.database_desk import ACCOUNTS, PLACE
from tests.pilot.acting import Stage, ready
from tests.pilot.console_harness import WIDE, opened, options_for


@asynccontextmanager
async def on_azure(tmp_path: Path) -> AsyncIterator[Stage]:
    """A console on a platform with databases, and an open incident."""
    playbook = load(find("banking-platform")).playbook
    async with running(PLACE, speed=120.0) as platform:
        requests: list[Request] = []
        platform.platform.server.observers.append(requests.append)
        options = options_for(platform, tmp_path / "warroom.db", playbook=playbook)
        async with opened(options, WIDE, live=False) as console:
            await ready(console)
            yield Stage(console, platform, requests)


async def test_d_restores_a_database_into_a_new_one_once_the_instant_and_the_name_are_typed(tmp_path: Path) -> None:
    async with on_azure(tmp_path) as at:
        await at.console.says("D restore database")
        await at.console.press("7")
        await at.select(ACCOUNTS, "databases")
        screen = await at.plan("D")
        plan = screen.plan
        assert plan is not None
        assert plan.title.startswith(f"Restore {ACCOUNTS} as of ")
        await at.console.says("Azure 0f3c7a52 · banking-platform-prod-rg/banking-platform-prod-sql")
        assert not at.may_confirm(screen)

        await at.console.press("tab")
        assert isinstance(screen.focused, Input)
        await at.console.press("tab", "tab")
        await at.type_slowly(plan.choices["point"])
        await at.console.until(lambda: screen.plan is not None and not screen.plan.blocked, "said twice")
        await at.console.press("enter")
        await at.confirm(screen)
        await at.console.home()
        await at.console.says("worked after")
        (act,) = at.console.room.gates.acts
        assert act.outcome is not None
        assert act.outcome.text.endswith(f"{ACCOUNTS} was not touched")
        arm = at.platform.platform.arm
        assert arm is not None
        assert arm.estate.database(plan.choices["name"]).status == "Online"
        assert at.writes == []  # nothing of the cluster's
