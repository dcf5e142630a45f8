"""An act under way: an answer that never comes, leaving before the end, and what the next console makes of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

from msgspec.structs import replace

from drill.observing import Request
from incident.entry import Entry
from runbook.act import Phase
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim, Outcome, Plan, Verdict
from runbook.playbook import Playbook
from runbook.record import intent_draft, undo_of
from tests.drill.mitigation_desk import PATIENCE, PERSON, SLOW, VERDICT, Book, Desk, until
from tests.drill.small_scenario import village

NAME = "account-service"


def aim(at: Desk, name: str = NAME) -> Aim:
    return at.aim("Deployment", name)


# No answer


async def test_a_lost_answer_is_found_out_by_looking_and_nothing_is_sent_twice() -> None:
    async with village() as at:
        at.server.faults.unanswered = 1
        act = await at.confirm(await at.plan("restart", aim(at)))
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        said = [text for _, text in act.progress]
        assert "it may have been carried out" in said[0]
        assert said[1] == "it was carried out: the cluster shows it"
        assert len(at.writes) == 1


async def test_a_lost_request_is_found_out_too_and_not_sent_again() -> None:
    async with village() as at:
        at.server.faults.unheard = 1
        _, outcome = await at.carried_out("restart", aim(at))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert "no trace of it" in outcome.text
        assert len(at.writes) == 1
        assert undo_of(at.book.outcomes[0].evidence) is None


async def test_a_request_that_is_late_is_not_taken_for_one_that_was_lost() -> None:
    async with village() as at:
        at.server.faults.unheard = 1
        plan = await at.plan("restart", aim(at))
        looks: list[Request] = []

        def arrives_at_the_second_look(request: Request) -> None:
            if at.writes and request.looks and request.path.endswith(f"/deployments/{NAME}"):
                looks.append(request)
                if len(looks) == 2:
                    found = at.get("deployments", NAME)
                    metadata = {**found["metadata"], "annotations": {"warroom/act": plan.id}}
                    at.put("deployments", {**found, "metadata": metadata, "spec": _restarted(found["spec"])})

        at.server.observers.append(arrives_at_the_second_look)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 1


async def test_an_api_that_is_gone_for_a_while_is_asked_again_when_it_is_back() -> None:
    async with village() as at:
        at.server.faults.unanswered = 1
        going: list[asyncio.Task[None]] = []

        def gone_at_the_first_look(request: Request) -> None:
            if at.writes and request.looks and not going:
                at.server.faults.freeze()
                going.append(asyncio.get_running_loop().create_task(at.server.refuse()))

        at.server.observers.append(gone_at_the_first_look)
        act = await at.confirm(await at.plan("restart", aim(at)))
        await until(lambda: act.latest.startswith("cannot look yet"), "it cannot look")
        assert act.phase is Phase.LOOKING
        at.server.faults.thaw()
        await at.server.accept()
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 1


async def test_a_servers_fault_is_no_answer_either() -> None:
    async with village() as at:

        def failing(request: Request) -> None:
            at.server.faults.error = 500 if request.writes else None

        at.server.observers.append(failing)
        _, outcome = await at.carried_out("restart", aim(at))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert len(at.writes) == 1


# Afterwards


async def test_a_verdict_that_does_not_come_in_time_says_what_was_seen_last() -> None:
    async with village(playbook=Playbook(quiet_for=0.2, verify_within=1.0)) as at:
        act = await at.confirm(await at.plan("restart", aim(at, "payment-service")))  # its release is the sick one
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text == f"not as it should be within 1 s; last seen: {act.latest}"
        assert at.book.outcomes[0].level == "bad"


async def test_watching_can_be_stopped_and_says_so() -> None:
    async with village(speed=SLOW) as at:
        act = await at.confirm(await at.plan("restart", aim(at)))
        await until(lambda: act.phase is Phase.VERIFYING and act.latest, "it is watched")
        assert act.can_stop == "stops watching; what was sent stays sent"
        assert act.stop(PERSON)
        outcome = await at.ended(act)
        assert (outcome.verdict, outcome.text) == (Verdict.UNKNOWN, f"done; stopped by {PERSON}")
        assert at.get("deployments", NAME)["metadata"]["annotations"]["warroom/act"] == act.plan.id


async def test_leaving_while_it_is_watched_is_recorded_as_what_it_is() -> None:
    async with village(speed=SLOW) as at:
        act = await at.confirm(await at.plan("restart", aim(at)))
        await until(lambda: act.phase is Phase.VERIFYING and act.latest, "it is watched")
        await at.gate.close()
        assert at.book.outcomes[0].text.endswith("done; the console was left before the verdict")
        assert at.book.outcomes[0].level == "warn"


async def test_leaving_while_a_request_is_on_its_way_waits_for_its_answer() -> None:
    async with village() as at:
        at.before_write(at.server.faults.freeze)
        act = await at.confirm(await at.plan("restart", aim(at)))
        await until(lambda: at.writes, "the request")
        assert not act.can_stop
        assert not act.stop(PERSON)
        closing = asyncio.create_task(at.gate.close())
        await asyncio.sleep(0)
        at.server.faults.thaw()
        async with asyncio.timeout(PATIENCE):
            await closing
        assert act.outcome is not None
        assert act.outcome.text == "done; the console was left before the verdict"


async def test_leaving_while_the_answer_is_lost_does_not_wait_to_find_out() -> None:
    async with village() as at:
        at.before_write(at.server.faults.freeze)
        act = await at.confirm(await at.plan("restart", aim(at)))
        await until(lambda: at.writes, "the request")
        closing = asyncio.create_task(at.gate.close())
        await asyncio.sleep(0)
        at.server.drop_connections()
        async with asyncio.timeout(PATIENCE):
            await closing
        assert act.outcome is not None
        assert (act.outcome.verdict, act.outcome.sent) == (Verdict.UNKNOWN, None)
        assert act.outcome.text == "no answer came; the console was left before the verdict"


# After a crash


async def test_an_intent_that_was_never_sent_is_found_to_be_that() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        entries = await _left_by_a_crash(at, plan)
        (outcome,) = await _resumed(at, entries)
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert at.writes == []


async def test_an_intent_that_was_sent_is_seen_through_to_its_verdict_and_never_sent_again() -> None:
    async with village() as at:
        await at.carried_out("restart", aim(at))
        entries = [_of_a_dead_console(entry, earlier=8000) for entry in at.book.intents]
        (outcome,) = await _resumed(at, entries)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 1
        # From the intent, and not from the start of the console that found out.
        assert at.book.outcomes[-1].text.startswith("worked after 2 h ")


async def test_the_target_of_an_unfinished_intent_is_busy_until_it_is_known() -> None:
    async with village() as at:
        entries = await _left_by_a_crash(at, await at.plan("restart", aim(at)))
        at.server.faults.freeze()
        (act,) = at.gate.resume(entries)
        assert at.gate.resume(entries) == []  # once
        assert at.gate.running == [act]
        at.server.faults.thaw()
        await at.ended(act)
        assert at.book.outcomes[0].refers_to == entries[0].id
        assert not at.gate.running


async def test_what_a_living_console_is_at_is_left_to_it() -> None:
    async with village() as at:
        entries = await _left_by_a_crash(at, await at.plan("restart", aim(at)), pid=os.getppid())
        assert at.gate.resume(entries) == []


async def test_what_another_cluster_was_meant_for_is_left_alone() -> None:
    async with village() as at:
        plan = await at.plan("restart", aim(at))
        plan = replace(plan, target=replace(plan.target, context="staging"))
        assert at.gate.resume(await _left_by_a_crash(at, plan)) == []


async def test_evidence_that_no_plan_can_be_read_from_is_passed_over() -> None:
    async with village() as at:
        (entry,) = await _left_by_a_crash(at, await at.plan("restart", aim(at)))
        assert at.gate.resume([replace(entry, evidence={"act": {"plan": "?"}}), replace(entry, evidence=None)]) == []


def _restarted(spec: dict[str, Any]) -> dict[str, Any]:
    template = spec["template"]
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-11-25T12:00:00Z"}
    return {**spec, "template": {**template, "metadata": {**template["metadata"], "annotations": annotations}}}


async def _left_by_a_crash(at: Desk, plan: Plan, pid: int | None = None) -> list[Entry]:
    """The intent of a console that died between writing it down and sending it."""
    book = Book([])
    await book.intend(intent_draft(plan, PERSON, []))
    return [_of_a_dead_console(entry, pid) for entry in book.entries]


def _of_a_dead_console(entry: Entry, pid: int | None = None, earlier: int = 0) -> Entry:
    """The entry as if the process ``pid`` (one that has ended) had written it, some seconds ``earlier``."""
    if pid is None:
        ended = subprocess.Popen(["true"])
        ended.wait()
        pid = ended.pid
    evidence = dict(entry.evidence or {})
    evidence["act"] = {**evidence["act"], "pid": pid}
    return replace(entry, evidence=evidence, happened_at=entry.happened_at - earlier * 1000)


async def _resumed(at: Desk, entries: list[Entry]) -> list[Outcome]:
    """What a new console makes of them."""
    gate = Gate(
        at.cluster,
        at.book,
        TABLE,
        Playbook(quiet_for=0.2, verify_within=VERDICT),
        latest=lambda: at.latest,
        production=lambda namespace: True,
    )
    return [await at.ended(act) for act in gate.resume(entries)]
