"""The one gate: what it refuses, what voids a plan, what is on the record before the first byte, and that nothing is
ever sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from msgspec.structs import replace

from drill.observing import Request
from incident.entry import Draft
from incident.entry import Kind as EntryKind
from runbook.act import Act
from runbook.errors import Changed, MitigationError, NoPlan, NotRecorded, NotSent, Refused
from runbook.gate import Confirmation
from runbook.plan import Aim, Level, Plan, Verdict
from runbook.playbook import MitigationSettings, Playbook
from runbook.record import undo_of, unfinished
from tests.drill.mitigation_desk import INCIDENT, PERSON, PROD, SLOW, Desk, agreed, finding, without_cluster
from tests.drill.small_scenario import village

NAME = "account-service"


def aim(at: Desk, name: str = NAME) -> Aim:
    return at.aim("Deployment", name)


async def refused(at: Desk, plan: Plan, confirmation: Confirmation | None = None) -> MitigationError:
    """The gate's refusal, which is on the record; and nothing went out."""
    with pytest.raises(MitigationError) as raised:
        await at.gate.carry_out(plan, confirmation or agreed(plan))
    assert at.writes == []
    return raised.value


# Who may act at all


async def test_a_console_that_only_looks_plans_and_sends_nothing() -> None:
    async with village(read_only=True, armed=False) as at:
        plan = await at.plan("restart", aim(at))
        assert "--read-only" in finding(plan, "read-only", Level.RED).advice
        assert [one.name for one in plan.blocked] == ["read-only"]  # arming would not help
        await refused(at, plan)
        cleared = replace(await at.plan("restart", aim(at)), findings=())  # whatever a screen makes of it
        assert "only looks" in str(await refused(at, cleared))


async def test_production_is_safe_from_a_console_that_is_not_armed() -> None:
    async with village(armed=False) as at:
        plan = await at.plan("restart", aim(at))
        assert finding(plan, "armed", Level.RED).advice == "A arms it"
        await refused(at, plan)
        at.gate.arm()
        outcome = await at.ended(await at.confirm(await at.plan("restart", aim(at))))
        assert outcome.verdict is Verdict.WORKED, outcome.text


async def test_elsewhere_than_in_production_nothing_needs_to_be_armed() -> None:
    async with village(armed=False, production=False) as at:
        _, outcome = await at.carried_out("restart", aim(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text


async def test_a_plan_made_while_armed_is_worth_nothing_once_that_is_over() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        at.gate.disarm()
        assert "disarmed" in str(await refused(at, plan))
        at.gate.arm(seconds=0)
        assert not at.gate.armed


async def test_disarming_in_the_last_moment_still_counts() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        at.server.observers.append(lambda request: at.gate.disarm())  # while the gate looks at the target again
        assert "disarmed" in str(await refused(at, plan))
        assert at.book.outcomes == []


async def test_without_an_incident_there_is_no_record_and_so_no_act() -> None:
    async with village() as at:
        at.book.incident = ""
        plan = await at.plan("restart", aim(at))
        assert finding(plan, "incident", Level.RED).advice == "press I to declare one"
        await refused(at, plan)
        assert at.book.entries == []


async def test_who_may_not_do_it_is_told_which_verb_on_which_resource_and_cannot_confirm() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("restart", aim(at))
        said = finding(plan, "allowed", Level.RED)
        assert said.text == f"viewer may not patch deployments.apps in namespace {PROD}"
        assert without_cluster(said.advice) == f"kubectl auth can-i patch deployments.apps -n {PROD}"
        assert "may not patch" in str(await refused(at, plan))


async def test_who_may_not_even_look_gets_no_plan() -> None:
    async with village(user="nobody") as at:
        with pytest.raises(Exception, match="deployments"):
            await at.plan("restart", aim(at))
        assert at.writes == []


# What confirms


async def test_every_warning_must_have_been_read() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        assert plan.warnings
        some = agreed(plan)
        without = Confirmation(by=PERSON, phrase=some.phrase, acknowledged=frozenset())
        assert "not acknowledged: " in str(await refused(at, plan, without))


async def test_the_runbooks_own_warning_must_be_read_too() -> None:
    settings = {"restart": MitigationSettings(warnings=("ask the ledger team first",))}
    async with village(playbook=Playbook(mitigations=settings)) as at:
        plan = await at.plan("restart", aim(at))
        others = frozenset(found.text for found in plan.warnings if found.name != "runbook")
        said = await refused(at, plan, Confirmation(by=PERSON, phrase=plan.phrase, acknowledged=others))
        assert "ask the ledger team first" in str(said)


async def test_only_the_very_phrase_confirms() -> None:
    settings = {"restart": MitigationSettings(friction="name")}
    async with village(playbook=Playbook(mitigations=settings)) as at:
        for typed in ("", "account", "Account-service", "account-service ", "account-service\n", "restart"):
            plan = await at.plan("restart", aim(at))
            assert plan.phrase == NAME
            said = await refused(at, plan, replace(agreed(plan), phrase=typed))
            assert "what was typed" in str(said)


async def test_a_double_confirmation_fires_once() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        both = await asyncio.gather(at.confirm(plan), at.confirm(plan), return_exceptions=True)
        acts = [one for one in both if isinstance(one, Act)]
        assert [str(one) for one in both if isinstance(one, Refused)] == [
            "this plan was confirmed already; it is carried out once"
        ]
        await at.ended(acts[0])
        with pytest.raises(Refused):
            await at.confirm(plan)
        assert (len(acts), len(at.writes), len(at.book.intents), len(at.book.outcomes)) == (1, 1, 1, 1)


async def test_a_plan_that_is_old_or_for_another_cluster_or_blocked_cannot_be_confirmed() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        said = await refused(at, replace(plan, made_at=plan.made_at - 901))
        assert isinstance(said, Changed)
        plan = await at.plan("restart", aim(at))
        elsewhere = replace(plan, target=replace(plan.target, server="https://10.0.0.1"))
        assert "the console looks at" in str(await refused(at, elsewhere))
        plan = await at.plan("scale", aim(at))  # nothing changes
        assert "nothing changes" in str(await refused(at, plan))


# One at a time


async def test_one_plan_at_a_time_runs_on_a_target_and_others_run_beside_it() -> None:
    async with village(speed=SLOW) as at:
        early = await at.plan("scale", aim(at), replicas="4")
        act = await at.confirm(await at.plan("restart", aim(at)))
        late = await at.plan("scale", aim(at), replicas="4")
        assert finding(late, "alone", Level.RED).text == f"another act runs on this target: Restart deployment/{NAME}"
        for plan in (early, late):
            with pytest.raises(Refused, match="another act runs on this target"):
                await at.confirm(plan)
        beside = await at.confirm(await at.plan("restart", aim(at, "card-service")))
        assert {act, beside} == set(at.gate.running)
        assert len(at.writes) <= 2


async def test_a_target_is_free_again_when_its_act_has_ended() -> None:
    async with village() as at:
        await at.carried_out("restart", aim(at))
        plan = await at.plan("restart", aim(at))
        assert not [found for found in plan.blocked if found.name == "alone"]


# Between the plan and its confirmation

MEANWHILE: dict[str, Callable[[Desk], object]] = {
    "scaled": lambda at: at.change("deployments", NAME, replicas=5),
    "rolled out": lambda at: at.change("deployments", NAME, template=_other_template(at)),
    "deleted and created again": lambda at: at.recreate("deployments", NAME),
    "paused": lambda at: at.change("deployments", NAME, paused=True),
    "deleted": lambda at: at.drop("deployments", NAME),
}


async def test_what_somebody_else_did_meanwhile_voids_the_plan() -> None:
    async with village() as at:
        for number, what in enumerate(MEANWHILE, 1):
            at.change("deployments", NAME, paused=False)
            plan = await at.plan("restart", aim(at))
            MEANWHILE[what](at)
            assert isinstance(await refused(at, plan), Changed), what
            assert len(at.book.entries) == number
            entry = at.book.entries[-1]
            assert entry.text.startswith(f"Restart deployment/{NAME}\nrefused: "), what
            assert (entry.level, entry.refers_to) == ("warn", None)


async def test_what_somebody_else_does_at_the_very_last_moment_is_left_as_they_made_it() -> None:
    async with village() as at:
        for number, happens in enumerate(MEANWHILE.values(), 1):
            at.change("deployments", NAME, paused=False)
            plan = await at.plan("restart", aim(at))
            at.before_write(partial(happens, at))
            outcome = await at.ended(await at.confirm(plan))
            assert (outcome.verdict, outcome.sent) == (Verdict.REFUSED, False)
            assert len(at.writes) == number  # it asked, with a precondition, and the server said no
            found = [one for one in at.all("deployments") if one["metadata"]["name"] == NAME]
            assert not [one for one in found if "warroom/act" in one["metadata"].get("annotations", {})]


async def test_a_status_that_moves_does_not_void_a_plan() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        at.touch_status("deployments", NAME)
        at.before_write(lambda: at.touch_status("deployments", NAME))
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 2  # the first was refused for its resourceVersion


async def test_a_row_whose_object_was_replaced_gets_no_plan() -> None:
    async with village() as at:
        stale = aim(at)
        at.recreate("deployments", NAME)
        with pytest.raises(NoPlan, match="created again since this row was drawn"):
            await at.plan("restart", stale)


# The record


async def test_the_intent_is_in_the_book_before_the_first_write_reaches_the_platform() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("restart", aim(at))
        intent, write, outcome = at.story
        assert isinstance(intent, Draft)
        assert isinstance(write, Request)
        assert isinstance(outcome, Draft)
        assert (intent.kind, intent.author) == (EntryKind.MITIGATION, PERSON)
        assert intent.text == "\n".join((plan.title, *plan.commands))
        assert (outcome.kind, outcome.refers_to, outcome.level) == (EntryKind.OUTCOME, "entry-1", "good")
        assert outcome.text.startswith("worked after ")
        assert outcome.evidence is not None
        assert outcome.evidence["outcome"]["sent"] is True
        assert undo_of(outcome.evidence) == plan.undo
        assert unfinished(at.book.entries) == []


async def test_a_book_that_cannot_record_means_that_nothing_is_sent() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        at.book.broken = "the disk is full"
        with pytest.raises(NotRecorded, match="the disk is full"):
            await at.confirm(plan)
        assert at.writes == []
        at.book.broken = ""
        _, outcome = await at.carried_out("restart", aim(at))  # and the target is free
        assert outcome.verdict is Verdict.WORKED


async def test_a_target_that_cannot_be_looked_at_means_that_nothing_is_sent() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        await at.server.refuse()
        assert isinstance(await refused(at, plan), NotSent)
        assert "cannot be looked at" in at.book.entries[0].text


async def test_what_is_written_carries_incident_and_act() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("restart", aim(at))
        (write,) = at.writes
        assert write.query["fieldManager"] == f"warroom-{INCIDENT}"
        metadata = at.get("deployments", NAME)["metadata"]
        assert metadata["annotations"]["warroom/incident"] == INCIDENT
        assert metadata["annotations"]["warroom/act"] == plan.id
        assert f"warroom-{INCIDENT}" in [entry["manager"] for entry in metadata["managedFields"]]


async def test_leaving_a_plan_is_recorded_and_the_plan_is_used_up() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        await at.gate.cancelled(plan)
        await at.gate.cancelled(plan)
        (entry,) = at.book.entries
        assert entry.text == f"Restart deployment/{NAME}\ncancelled: nothing was sent"
        with pytest.raises(Refused):
            await at.confirm(plan)
        assert at.writes == []


async def test_leaving_a_blocked_plan_is_no_refusal_and_saying_yes_to_it_is_one() -> None:
    async with village(armed=False) as at:
        await at.gate.cancelled(await at.plan("restart", aim(at)))
        await at.gate.cancelled(await at.plan("restart", aim(at)), tried=True)
        why = "blocked: armed: this is production and the console is disarmed"
        assert [(entry.text, entry.level) for entry in at.book.entries] == [
            (f"Restart deployment/{NAME}\ncancelled: nothing was sent; it was {why}", "info"),
            (f"Restart deployment/{NAME}\nrefused: {why}", "warn"),
        ]


def _other_template(at: Desk) -> dict[str, object]:
    template = at.get("deployments", NAME)["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": "bankingacr.azurecr.io/account-service:2.0.0"}
    return {**template, "spec": {**template["spec"], "containers": [container]}}
