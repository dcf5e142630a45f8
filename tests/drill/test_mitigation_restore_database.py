"""Restoring a database to a point in time: what the plan asks; that it is sent once, and followed whoever dies."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from drill.azure.changes import Request as Change
from probes.errors import ProbeError
from runbook.errors import Changed, NoPlan, Refused
from runbook.mitigations import TABLE
from runbook.mitigations.restore_database import RestoreDatabase
from runbook.plan import Level, Verdict
from runbook.playbook import MitigationSettings, Playbook
from runbook.restore_points import instant_in, local, utc
from runbook.stamps import correlation_of
from tests.drill.database_desk import ACCOUNTS, GROUP, SERVER, SUBSCRIPTION, database_desk
from tests.drill.mitigation_desk import INCIDENT, agreed, finding, until

NAMED = Playbook(
    quiet_for=0.2,
    verify_within=60.0,
    mitigations={"restore-database": MitigationSettings(defaults={"name": "banking-restore-TIMESTAMP"})},
)
SOMEBODY = Change("somebody@banking-platform.com", "2f9f2ad2-51d5-4a52-9fbb-0f4c8c3a7d11")


async def test_the_plan_asks_the_instant_twice_and_says_what_a_second_database_costs() -> None:
    async with database_desk(playbook=NAMED) as at:
        plan = await at.plan("restore-database")
        name, point = plan.choices["name"], instant_in(plan.choices["point"])
        assert point is not None
        assert name.startswith("banking-restore-1")
        assert point == int(at.began - 60)  # a minute before the incident began
        assert [found.name for found in plan.blocked] == ["again"]
        said = finding(plan, "point").text
        assert utc(point) in said
        assert local(point) in said
        assert "1 min before the incident began; it can be restored from " in said
        assert finding(plan, "name").text == f"{name} is free on {SERVER}"
        assert finding(plan, "cost").text == "billed as a second S3 of 250 GB until it is deleted"
        assert finding(plan, "allowed").level is Level.GREEN
        assert plan.phrase == ACCOUNTS
        assert plan.production
        with pytest.raises(Refused, match="does not say the same yet"):
            await at.desk.confirm(plan)

        for wrong in ("2026-13-45 14:00:00", "yesterday", utc(plan.made_at + 3600), utc(plan.made_at - 30 * 86400)):
            answered = await at.plan("restore-database", point=wrong, again=wrong)
            assert [found.name for found in answered.blocked] == ["point"], wrong
        taken = await at.plan("restore-database", name="BankingLedgerDb")
        assert finding(taken, "name").text == f"there is a database BankingLedgerDb on {SERVER} already"
        itself = await at.plan("restore-database", name=ACCOUNTS.lower())
        assert "never goes over the database it is made of" in finding(itself, "name").text
        for bad in ("a/b", "x?y", "", "dot.", "master"):
            assert finding(await at.plan("restore-database", name=bad), "name").level is Level.RED, bad
        assert at.writes == []


async def test_it_is_sent_once_with_its_stamp_and_worked_when_the_new_database_is_online() -> None:
    async with database_desk(playbook=NAMED) as at:
        plan = await at.restoring()
        name, point = plan.choices["name"], plan.choices["point"].replace(" ", "T") + "Z"
        assert plan.commands == (
            f"az sql db restore --subscription {SUBSCRIPTION} --resource-group {GROUP} --server {SERVER} "
            f"--name {ACCOUNTS} --dest-name {name} --time {point} --edition Standard --service-objective S3",
        )
        before = at.database()
        held = (before.status, before.tier.last, before.operations[:], before.tags)
        act = await at.desk.confirm(plan)
        outcome = await at.desk.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text.startswith(
            f"{name} is Online, S3, as {ACCOUNTS} was at {plan.choices['point']} UTC, created"
        )
        assert outcome.text.endswith(f"{ACCOUNTS} was not touched")
        assert outcome.undo is not None
        assert outcome.undo.recipe is None
        assert f"az sql db delete --resource-group {GROUP} --server {SERVER} --name {name}" in outcome.undo.words
        assert act.progress[0][1] == "Azure has accepted it (202)"
        assert (before.status, before.tier.last, before.operations[:], before.tags) == held

        (write,) = at.writes
        assert (write.method, write.path.rpartition("/")[2]) == ("PUT", name)
        assert write.json() == {
            "location": "westeurope",
            "sku": {"name": "Standard", "tier": "Standard", "capacity": 100},
            "properties": {
                "createMode": "PointInTimeRestore",
                "sourceDatabaseId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql"
                f"/servers/{SERVER}/databases/{ACCOUNTS}",
                "restorePointInTime": point,
            },
            "tags": {"warroom-incident": INCIDENT, "warroom-act": plan.id},
        }
        joined = correlation_of(INCIDENT, plan.id)
        headers = {key.lower(): value for key, value in write.headers.items()}
        assert headers["x-ms-client-request-id"] == headers["x-ms-correlation-request-id"] == joined
        secret = at.arm.token
        assert secret not in repr((plan, outcome, act.progress, at.desk.book.entries))
        intent = at.desk.book.intents[0]
        assert intent.text.startswith(f"Restore {ACCOUNTS} as of ")


async def test_what_changed_between_plan_and_yes_voids_it_and_nothing_is_sent() -> None:
    async with database_desk(playbook=NAMED) as at:
        plan = await at.restoring()
        changes = at.arm._handlers.changes
        changes.patch(ACCOUNTS, {"sku": {"name": "S4"}}, SOMEBODY)
        with pytest.raises(Changed, match="was changed by somebody else"):
            await at.desk.confirm(plan)
        await until(lambda: at.database().status == "Online", "scaled")

        plan = await at.restoring()
        changes.put(plan.choices["name"], {"sku": {"name": "S0"}}, SOMEBODY)
        with pytest.raises(Changed, match=r"there is a database banking-restore-.* by now; nothing was sent"):
            await at.desk.confirm(plan)

        plan = await at.restoring(name="banking-restore-2")
        at.arm.estate.remove(at.database())  # renamed: what was aimed at is not there
        with pytest.raises(Changed, match="is not on banking-platform-prod-sql any more; nothing was sent"):
            await at.desk.confirm(plan)
        assert at.writes == []
        assert [entry.text.partition("\n")[2][:7] for entry in at.desk.book.entries] == ["refused"] * 3


async def test_a_request_without_an_answer_is_found_out_and_never_sent_again() -> None:
    async with database_desk(playbook=NAMED) as at:
        at.arm.faults.unanswered = 1
        plan = await at.restoring()
        act = await at.desk.confirm(plan)
        outcome = await at.desk.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        told = [text for _, text in act.progress]
        assert "the request went out to Azure" in told[0]
        assert told[1].startswith("it was carried out")
        assert len(at.writes) == 1


async def test_a_request_that_never_arrived_is_found_to_be_that() -> None:
    impatient = RestoreDatabase("restore-database", "D", ("name",))
    impatient.following.appears = 0.5
    async with database_desk(playbook=NAMED, table={**TABLE, "restore-database": impatient}) as at:
        at.arm.faults.unheard = 1
        outcome = await at.desk.ended(await at.desk.confirm(await at.restoring()))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert len(at.writes) == 1


@pytest.mark.parametrize("whole", [True, False], ids=["with its console", "after a crash"])
async def test_one_that_fails_half_way_says_why(whole: bool) -> None:
    async with database_desk(playbook=NAMED, speed=30.0) as at:
        at.arm.faults.failing = 1
        act = await at.desk.confirm(await at.restoring())
        if not whole:
            await until(lambda: len(at.writes) == 1, "sent")
            act.leave()
        outcome = await (at.desk.ended(act) if whole else at.resumed())
        assert outcome.verdict is Verdict.FAILED, outcome.text
        assert "40197" in outcome.text
        assert len(at.writes) == 1


async def test_a_killed_console_s_restore_is_followed_by_the_next_one() -> None:
    async with database_desk(playbook=NAMED, speed=30.0) as at:
        plan = await at.restoring()
        act = await at.desk.confirm(plan)
        await until(lambda: len(at.writes) == 1, "sent")
        act.leave()
        await act.done()
        assert at.desk.book.outcomes == []  # the intent waits for whoever comes
        outcome = await at.resumed()
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert at.database(plan.choices["name"]).status == "Online"
        assert len(at.writes) == 1
        (ended,) = at.desk.book.outcomes
        assert ended.refers_to == at.desk.book.intents[0].id


async def test_it_can_be_cancelled_while_it_runs_by_a_plan_of_its_own() -> None:
    async with database_desk(playbook=NAMED, speed=3.0) as at:
        act = await at.desk.confirm(await at.restoring())
        await until(lambda: any("InProgress" in text for _, text in act.progress), "under way")
        recipe = act.plan.undo.recipe
        assert recipe is not None
        plan = await at.desk.gate.plan(recipe.mitigation, recipe.aim, recipe.choices)
        name = act.plan.choices["name"]
        assert plan.title == f"Cancel the restore of {name}"
        assert plan.commands[0].startswith(f"az sql db op cancel --subscription {SUBSCRIPTION}")
        assert plan.phrase == name
        assert plan.warnings == ()  # what the runbook warns of before a restore is not about giving one up
        outcome = await at.desk.ended(await at.desk.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert (await at.desk.ended(act)).verdict is Verdict.FAILED
        assert [write.method for write in at.writes] == ["PUT", "POST"]
        with pytest.raises(NoPlan, match="is not on"):
            await at.desk.gate.plan(recipe.mitigation, recipe.aim, recipe.choices)


async def test_who_may_not_or_only_looks_or_is_not_logged_in_sends_nothing() -> None:
    async with database_desk(playbook=NAMED, read_only=True) as at:
        plan = await at.restoring()
        assert finding(plan, "read-only").level is Level.RED
        with pytest.raises(Refused, match="read-only"):
            await at.desk.confirm(replace(plan, findings=()))
        assert at.writes == []
    async with database_desk(playbook=NAMED) as at:
        at.arm.faults.forbidden = {"Microsoft.Sql/servers/databases/write"}
        plan = await at.restoring()
        assert finding(plan, "allowed").text == ("this login's roles do not have Microsoft.Sql/servers/databases/write")
        outcome = await at.desk.ended(await at.desk.gate.carry_out(replace(plan, findings=()), agreed(plan)))
        assert (outcome.verdict, outcome.sent) == (Verdict.REFUSED, False)
        assert "may not Microsoft.Sql/servers/databases/write" in outcome.text
        at.desk.gate.disarm()
        assert finding(await at.restoring(), "armed").level is Level.RED
        at.arm.expire_token()
        with pytest.raises(ProbeError, match="login"):
            await at.plan("restore-database")
