"""Scaling a database: it starts at what there is, says what it costs its users, and is taken back by a plan like it."""

from __future__ import annotations

import pytest

from drill.azure.changes import Request as Change
from runbook.errors import Changed, NoPlan, Refused
from runbook.plan import Level, Verdict
from tests.drill.database_desk import ACCOUNTS, GROUP, SERVER, SUBSCRIPTION, aim_at, database_desk
from tests.drill.mitigation_desk import INCIDENT, SLOW, finding, until

SOMEBODY = Change("somebody@banking-platform.com", "2f9f2ad2-51d5-4a52-9fbb-0f4c8c3a7d11")


async def test_it_is_scaled_up_with_its_tags_kept_and_scaled_back_by_its_undo() -> None:
    async with database_desk() as at:
        at.database().tags["owner"] = "core-banking"
        plan = await at.plan("scale-database")
        assert finding(plan, "objective").text == "nothing changes: it is S3 already"
        (field,) = plan.fields
        assert field.value == "S3"
        assert [name for name, _ in field.options] == [
            "S0",
            "S1",
            "S2",
            "S3",
            "S4",
            "S6",
            "S7",
            "S9",
            "S12",
            "P1",
            "P2",
            "P4",
            "P6",
        ]
        assert dict(field.options)["S3"] == "S3, Standard, 100 DTU, now"

        plan = await at.plan("scale-database", objective="S6")
        assert plan.commands == (
            f"az sql db update --subscription {SUBSCRIPTION} --resource-group {GROUP} --server {SERVER} "
            f"--name {ACCOUNTS} --edition Standard --service-objective S6",
        )
        assert "every open connection is dropped" in finding(plan, "connections").text
        assert plan.phrase == ACCOUNTS  # wide, in production
        act = await at.desk.confirm(plan)
        outcome = await at.desk.ended(act)
        assert (outcome.verdict, outcome.text) == (Verdict.WORKED, f"{ACCOUNTS} is S6 and Online")
        assert act.progress[0][1] == "Azure has accepted it (202)"
        (write,) = at.writes
        assert write.json() == {
            "sku": {"name": "Standard", "tier": "Standard", "capacity": 400},
            "tags": {"owner": "core-banking", "warroom-incident": INCIDENT, "warroom-act": plan.id},
        }

        back, outcome = await at.desk.undone(plan)
        assert back.title == f"Scale database {ACCOUNTS} from S6 to S3"
        assert finding(back, "objective").level is Level.AMBER  # fewer than now
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert at.database().tags["owner"] == "core-banking"


async def test_somebody_else_s_scaling_voids_the_plan_and_blocks_the_next() -> None:
    async with database_desk(speed=SLOW) as at:
        plan = await at.plan("scale-database", objective="P2")
        assert "its data is copied first" in finding(plan, "edition").text
        at.arm._handlers.changes.patch(ACCOUNTS, {"sku": {"name": "S4"}}, SOMEBODY)
        with pytest.raises(Changed, match="changed by somebody else"):
            await at.desk.confirm(plan)
        plan = await at.plan("scale-database", objective="P2")
        assert {found.name for found in plan.blocked} == {"source", "alone"}
        assert "ALTER DATABASE InProgress" in finding(plan, "alone").text
        with pytest.raises(Refused, match="blocked"):
            await at.desk.confirm(plan)
        assert at.writes == []


async def test_no_answer_is_found_out_by_the_tag_that_the_request_set() -> None:
    async with database_desk() as at:
        at.arm.faults.unanswered = 1
        act = await at.desk.confirm(await at.plan("scale-database", objective="S4"))
        outcome = await at.desk.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert any("it was carried out" in text for _, text in act.progress)
        assert len(at.writes) == 1


async def test_one_that_fails_half_way_and_one_that_is_left_are_told_as_what_they_are() -> None:
    async with database_desk() as at:
        at.arm.faults.failing = 1
        outcome = await at.desk.ended(await at.desk.confirm(await at.plan("scale-database", objective="S4")))
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text.startswith(f"scaling failed, {ACCOUNTS} is S3: ")
        assert "40197" in outcome.text
    async with database_desk(speed=20.0) as at:
        act = await at.desk.confirm(await at.plan("scale-database", objective="S4"))
        await until(lambda: len(at.writes) == 1, "sent")
        act.leave()
        await act.done()
        outcome = await at.resumed()
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 1


async def test_vcores_are_scaled_within_their_family_and_what_cannot_be_scaled_says_so() -> None:
    async with database_desk() as at:
        plan = await at.plan("scale-database", "BankingLedgerDb", objective="GP_Gen5_8")
        assert finding(plan, "objective").text == "GP_Gen5_8 has 8 vCores instead of 4"
        assert [name for name, _ in plan.fields[0].options][:3] == ["GP_Gen5_2", "GP_Gen5_4", "GP_Gen5_6"]
        assert plan.steps["sku"] == {"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 8}
        unknown = await at.plan("scale-database", objective="S5")
        assert finding(unknown, "objective").level is Level.RED
        with pytest.raises(NoPlan, match="only for a database"):
            await at.desk.gate.plan("scale-database", at.desk.aim("Deployment", "account-service"))
        with pytest.raises(NoPlan, match="a system database is Azure's own"):
            await at.desk.gate.plan("scale-database", aim_at("master"))
        assert at.writes == []
