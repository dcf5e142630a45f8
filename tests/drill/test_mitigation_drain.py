"""Draining a node, as somebody at the desk gets it: evictions that ask the budgets, and what is left after a no."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from drill.observing import Request
from runbook.draining import together
from runbook.plan import Finding, Level, Plan, Verdict
from runbook.playbook import Playbook
from runbook.record import intent_draft
from tests.drill.mitigation_desk import PERSON, PROD, Desk, finding, told, until
from tests.drill.nodes_at_desk import (
    ACCOUNTS,
    NODE,
    OTHERS,
    a_budget,
    accounts_on,
    bare,
    cordoned,
    evictions,
    movable,
    node,
    pile,
    room_for_pods,
    uids,
)
from tests.drill.small_scenario import village


async def test_a_drain_evicts_what_the_plan_listed_and_leaves_the_daemons() -> None:
    async with village() as at:
        going = movable(at)
        plan = await at.plan("cordon", node(at), act="drain")
        assert told(plan) == (f"kubectl drain {NODE} --ignore-daemonsets --timeout=45s",)
        listed = {
            line[2:].split()[0] for hunk in plan.diff.hunks if hunk.title.startswith("Pods") for line in hunk.lines
        }
        assert listed == {pod["metadata"]["name"] for pod in going}
        assert (plan.wide, plan.phrase) == (True, NODE)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert f"{len(going)} of {len(going)} pods gone" in outcome.text
        assert cordoned(at)
        assert movable(at) == []
        assert any(pod["spec"].get("nodeName") == NODE for pod in at.all("pods", "kube-system"))  # its DaemonSets'
        sent = evictions(at)
        assert {write.json()["deleteOptions"]["preconditions"]["uid"] for write in sent} == uids(going)
        assert {write.json()["apiVersion"] for write in sent} == {"policy/v1"}
        assert len(at.pods("account-service")) == 3
        assert plan.undo.words.endswith("the evicted pods do not come back to it by themselves")
        _, back = await at.undone(plan)
        assert (back.verdict, cordoned(at), movable(at)) == (Verdict.WORKED, False, [])


async def test_a_budget_makes_its_pods_wait_for_one_another() -> None:
    async with village() as at:
        await pile(at)
        await a_budget(at, minAvailable=2)
        plan = await at.plan("cordon", node(at), act="drain")
        assert finding(plan, "budget").text == f"{PROD}/accounts lets 1 of 3 go at a time, the others wait"
        room_for_pods(at, False, *OTHERS)
        act = await at.confirm(plan)

        def waiting() -> int:
            return sum("waits: its disruption budget allows no eviction now" in text for _, text in act.progress)

        await until(lambda: waiting() == 2, "one may go, and two wait for its successor")
        room_for_pods(at, True, *OTHERS)
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert accounts_on(at) == []
        assert waiting() == 2
        per_pod = [write.path for write in evictions(at) if "account-service" in write.path]
        assert len(per_pod) > len(set(per_pod)) == 3


async def test_what_a_budget_never_lets_go_is_left_and_told() -> None:
    async with village(playbook=Playbook(quiet_for=0.2, verify_within=3.0)) as at:
        await a_budget(at, maxUnavailable=0)
        (held,) = accounts_on(at)
        plan = await at.plan("cordon", node(at), act="drain")
        said = finding(plan, "budget")
        assert (said.level, said.text) == (
            Level.AMBER,
            f"{PROD}/accounts lets none go now: 1 pod waits for it, 3 s at most",
        )
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        assert f"1 left: {PROD}/{held}" in outcome.text
        assert outcome.evidence["did"]["waiting"].keys() == {f"{PROD}/{held}"}
        assert [pod["metadata"]["name"] for pod in movable(at)] == [held]
        assert cordoned(at)

        again = await at.plan("cordon", node(at), act="drain")
        assert again.title == f"Drain node/{NODE}: evict 1 pod"
        assert again.undo.recipe is None


async def test_two_budgets_for_one_pod_block_because_the_server_never_evicts_it() -> None:
    async with village() as at:
        await a_budget(at, minAvailable=1)
        at.put(
            "poddisruptionbudgets", {"metadata": {"name": "more"}, "spec": {"selector": ACCOUNTS, "minAvailable": 1}}
        )
        plan = await at.plan("cordon", node(at), act="drain")
        blocked = finding(plan, "budget", Level.RED)
        assert accounts_on(at)[0] in blocked.text


async def test_pods_that_nobody_makes_anew_and_data_in_an_emptydir_block_until_somebody_says_yes() -> None:
    async with village() as at:
        await bare(at, "one-off")
        await bare(at, "scratch", volumes=[{"name": "tmp", "emptyDir": {}}])
        plan = await at.plan("cordon", node(at), act="drain")
        assert {one.name for one in plan.blocked} == {"unmanaged", "emptydir"}
        assert {field.id for field in plan.fields} == {"act", "unmanaged", "emptydir"}
        some = await at.plan("cordon", node(at), act="drain", unmanaged="yes")
        assert {one.name for one in some.blocked} == {"emptydir"}
        plan = await at.plan("cordon", node(at), act="drain", unmanaged="yes", emptydir="yes")
        assert not plan.blocked
        assert {one.name for one in plan.warnings} >= {"unmanaged", "emptydir"}
        assert told(plan) == (f"kubectl drain {NODE} --ignore-daemonsets --force --delete-emptydir-data --timeout=45s",)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert not {"one-off", "scratch"} & {pod["metadata"]["name"] for pod in at.all("pods")}


async def test_a_service_that_loses_all_it_has_is_named() -> None:
    async with village() as at:
        await pile(at)
        plan = await at.plan("cordon", node(at), act="drain")
        assert (
            finding(plan, "endpoints", Level.AMBER).text
            == "banking-platform-prod/account-service loses all of its 3 ready endpoints"
        )


async def test_a_pod_that_came_after_the_plan_is_not_evicted_and_is_told() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at), act="drain")
        await bare(at, "latecomer")
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert f"1 pod came after the plan was shown and stay: {PROD}/latecomer" in outcome.text.replace(
            "stays", "stay"
        )
        assert at.get("pods", "latecomer")["status"]["phase"] == "Running"


async def test_a_drain_stops_between_two_evictions_and_says_what_it_leaves() -> None:
    async with village() as at:
        await a_budget(at, maxUnavailable=0)
        plan = await at.plan("cordon", node(at), act="drain")
        total = len(plan.steps["pods"])
        act = await at.confirm(plan)

        def all_asked() -> bool:
            return len({write.path for write in evictions(at)}) == total

        await until(lambda: any("waits" in text for _, text in act.progress) and all_asked(), "it waits")
        assert act.can_stop
        assert act.stop(PERSON)
        outcome = await at.ended(act)
        assert (outcome.verdict, outcome.sent) == (Verdict.CANCELLED, True)
        assert outcome.text == (
            f"stopped by {PERSON}: {NODE} stays cordoned; {total - 1} of {total} pods evicted, 1 not"
        )
        sent = len(at.writes)
        assert cordoned(at)
        _, back = await at.undone(plan)
        assert (back.verdict, cordoned(at), len(at.writes)) == (Verdict.WORKED, False, sent + 1)


async def test_a_console_that_is_left_in_the_middle_says_so() -> None:
    async with village() as at:
        await a_budget(at, maxUnavailable=0)
        act = await at.confirm(await at.plan("cordon", node(at), act="drain"))
        await until(lambda: any("waits" in text for _, text in act.progress))
        await at.gate.close()
        assert act.outcome is not None
        assert "the console was left before the verdict" in act.outcome.text
        assert "stays cordoned" in at.book.outcomes[-1].text


async def test_a_drain_found_after_a_crash_is_watched_and_nothing_is_sent_again() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at), act="drain")
        await crashed(at, plan, evict=2)
        sent = len(at.writes)
        (act,) = at.gate.resume(at.book.entries)
        outcome = await at.ended(act)
        total = len(plan.steps["pods"])
        assert outcome.verdict is Verdict.FAILED
        assert f"2 of {total} pods gone, {total - 2} left" in outcome.text
        assert "nothing more is evicted" in outcome.text
        assert len(at.writes) == sent


async def test_a_drain_that_never_reached_the_server_is_told_so_after_a_crash() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at), act="drain")
        await at.book.intend(elsewhere(plan))
        (act,) = at.gate.resume(at.book.entries)
        outcome = await at.ended(act)
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert not at.writes


def elsewhere(plan: Plan) -> Any:
    """The intent of a console that is no more."""
    draft = intent_draft(plan, PERSON, ())
    assert draft.evidence is not None
    act = {**draft.evidence["act"], "host": "another-machine", "pid": 1}
    return replace(draft, evidence={**draft.evidence, "act": act})


async def crashed(at: Desk, plan: Plan, *, evict: int) -> None:
    """What a console leaves that dies in the middle of a drain: the intent, a cordoned node, some evictions."""
    await at.book.intend(elsewhere(plan))
    found = at.get("nodes", NODE)
    notes = {**(found["metadata"].get("annotations") or {}), "warroom/act": plan.id}
    metadata = {**found["metadata"], "annotations": notes}
    at.put("nodes", {**found, "metadata": metadata, "spec": {**found["spec"], "unschedulable": True}})
    for namespace, name, _ in plan.steps["pods"][:evict]:
        at.drop("pods", name, namespace)


async def test_an_eviction_without_an_answer_is_not_sent_again() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at), act="drain")

        def lose_the_first(request: Request) -> None:
            if request.path.endswith("/eviction") and len(evictions(at)) == 1:
                at.server.faults.unheard = 1

        at.server.observers.append(lose_the_first)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        (lost,) = outcome.evidence["did"]["unanswered"]
        assert f"1 left: {lost};" in outcome.text
        paths = [write.path for write in evictions(at)]
        assert len(paths) == len(set(paths)) == len(plan.steps["pods"])


async def test_a_drain_waits_until_the_workloads_have_what_they_had() -> None:
    async with village(playbook=Playbook(quiet_for=0.2, verify_within=3.0)) as at:
        await pile(at)
        plan = await at.plan("cordon", node(at), act="drain")
        room_for_pods(at, False, *OTHERS)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        assert "account-service 0 of 3 ready" in outcome.text


def test_many_services_that_lose_everything_are_one_warning() -> None:
    few = [Finding("endpoints", Level.AMBER, f"prod/s{number} loses its only ready endpoint") for number in range(3)]
    unknown = Finding("endpoints", Level.AMBER, "prod/who serves meanwhile is not known: no answer")
    assert together([*few, unknown]) == [*few, unknown]
    many = [Finding("endpoints", Level.AMBER, f"prod/s{number} loses its only ready endpoint") for number in range(14)]
    one, other = together([unknown, *many])
    assert one == unknown
    assert other.text.startswith("14 services lose all of their ready endpoints: prod/s0, prod/s1, ")
    assert other.text.endswith("prod/s11 and 2 more")
