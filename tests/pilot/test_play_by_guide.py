"""The drill of a database at its limit at 80 columns, by its guide: cause, relief, cure, a copy of before, review."""

from __future__ import annotations

from pathlib import Path

from runbook.restore_points import instant_in, local
from tests.drill.shell import fresh_user, warroom
from tests.pilot.console_harness import NARROW
from tests.pilot.playing import SOON, Drill, practising
from tests.pilot.test_console_guide import at_step, pane_of, step_of
from tui.screens.choose import ChooseScreen
from tui.screens.plan import PlanScreen
from tui.screens.rows import RowsScreen

ACCOUNTS = "BankingAccountsDb"


async def worked(drill: Drill, title: str) -> bool:
    return ((await drill.ended(title)).outcome or "").startswith("worked")


async def guided(drill: Drill) -> None:
    """The guide that fits, by its key."""
    diagnosing = drill.console.room.diagnosing
    await drill.console.until(
        lambda: diagnosing.latest and [fit.id for fit in diagnosing.latest.fits[:1]] == ["database-degradation"],
        "a fit",
    )
    await drill.console.press("g")
    await drill.console.on(ChooseScreen)
    await drill.console.says("● Scenario 3")
    await drill.console.press("enter")
    await drill.console.home()
    await drill.console.until(lambda: pane_of(drill.console).has_focus, "the guide")


async def looked(drill: Drill, step: str) -> str:
    """Take a step of the guide that looks, and read what it shows."""
    await at_step(drill.console, step)
    await drill.console.press("enter")
    await drill.console.until(lambda: step_of(drill.console, step).state == "done", f"{step} done")
    shown = drill.console.text
    if step != "dtu-usage":
        await drill.console.on(RowsScreen)
        shown = drill.console.text
        await drill.console.press("escape")
        await drill.console.home()
    return shown


async def planned(drill: Drill, step: str) -> PlanScreen:
    """The plan that a step of the guide opens."""
    await at_step(drill.console, step)
    await drill.console.press("enter")
    return await drill.planned()


async def test_the_guide_leads_to_the_cause_and_what_is_done_is_undone_and_written(tmp_path: Path) -> None:
    async with practising(tmp_path, "database-degradation", size=NARROW, speed=120.0, undeclared=False) as drill:
        console, arm = drill.console, drill.platform.platform.arm
        assert arm is not None
        accounts = arm.estate.database(ACCOUNTS)
        (migration,) = accounts.sessions.blocking()
        begun = drill.platform.platform.clock.now - accounts.sessions.age(migration)
        await guided(drill)
        await looked(drill, "dtu-usage")
        await console.notes(r"^Done: Check database DTU usage\n.*S3 \(100 DTU\), DTU 100 %")
        await looked(drill, "slow-queries")
        await console.notes(r"(?s)^Done: Identify slow queries\n.*UPDATE e SET e\.CounterpartyId")
        assert " 87 " in await looked(drill, "blocking-transactions")

        screen = await planned(drill, "scale-database")
        await drill.choose(screen, "objective", "S6")
        assert await worked(drill, await drill.carry_out(screen))
        assert accounts.tier.last.objective == "S6"
        await console.until(lambda: not drill.ill, "pods and endpoints well again", SOON)
        title = await drill.carry_out(await planned(drill, "kill-blocking"))
        assert title == f"End session 87 of svc-migrator on {ACCOUNTS}"
        assert await worked(drill, title)

        await console.press("escape", "7")
        await drill.select(ACCOUNTS, "databases")
        await console.says("D restore database  Z scale database  W kill session")  # what only such a row has
        screen = await drill.plan("D")
        assert screen.plan is not None
        point, restored = screen.plan.choices["point"], screen.plan.choices["name"]
        instant = instant_in(point)
        assert instant is not None
        assert instant < begun  # as it is proposed
        await console.says(f"here {local(instant)}")
        await drill.choose(screen, "again", point)
        assert await worked(drill, await drill.carry_out(screen))
        assert arm.estate.database(restored).status == "Online"
        assert (await drill.undo("Scale database")).startswith("worked")
        assert accounts.tier.last.objective == "S3"
        await drill.tick("resolution")
        await drill.resolve("migration 0041 is run again in batches", last_update=False)
        review = await drill.export("review and data", "md")
        incident = console.room.journal.incident
        assert incident is not None
    for part in ("87", f"Restore {ACCOUNTS} as of {point} UTC into {restored}", "from S3 to S6", "from S6 to S3"):
        assert part in review
    verified = await warroom(fresh_user(tmp_path), "--store", str(tmp_path / "warroom.db"), "verify", incident.id)
    assert verified.status == 0, verified.err
