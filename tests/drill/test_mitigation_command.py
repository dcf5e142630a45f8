"""Commands of the platform's own, as somebody at the desk gets them: run as they stand, told by their exit status."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from incident.entry import Draft
from probes.cluster import Cluster
from runbook.errors import Changed, NoPlan
from runbook.gate import Gate
from runbook.mitigations import table_of
from runbook.plan import Aim, Level, Outcome, Verdict
from runbook.playbook import CommandSettings, Playbook
from runbook.playbook_file import find
from runbook.response_file import load
from tests.drill.mitigation_desk import PROD, VERDICT, Book, Desk, finding, until
from tests.drill.small_scenario import village

PYTHON = sys.executable


def playbook(*argv: str, **more: Any) -> Playbook:
    """A runbook file with one command."""
    settings = CommandSettings(key="F", label="flush cache", sentence="Empty the cache", argv=argv, **more)
    return Playbook(commands={"flush-cache": settings}, quiet_for=0.2, verify_within=VERDICT)


@asynccontextmanager
async def a_desk(tmp_path: Path, *argv: str, read_only: bool = False, **more: Any) -> AsyncIterator[Desk]:
    told = playbook(*argv, **more)
    async with village(playbook=told, table=table_of(told), read_only=read_only, jobs=tmp_path / "acts") as at:
        yield at


def pod_aim(at: Desk) -> Aim:
    return at.aim("Pod", at.pods("session-cache")[0]["metadata"]["name"])


async def run(at: Desk, aim: Aim | None = None) -> Outcome:
    _, outcome = await at.carried_out("flush-cache", aim or pod_aim(at))
    return outcome


async def test_the_arguments_are_what_the_plan_shows_and_no_shell_sees_them(tmp_path: Path) -> None:
    script = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['KUBECONFIG'], sys.stdin.read()]))"
    argv = (PYTHON, "-c", script, "--context={context}", "{kind}/{name}", "-n", "{namespace}", "$(id) {name}; `ls`")
    async with a_desk(tmp_path, *argv, undone_by="it fills by itself") as at:
        aim = pod_aim(at)
        plan = await at.plan("flush-cache", aim)
        assert plan.title == f"Flush cache: pod/{aim.name}"
        words = shlex.split(plan.commands[0])
        assert words[:2] == ["env", f"KUBECONFIG={at.running.kubeconfig}"]
        expected = ["--context=drill-prod", f"pod/{aim.name}", "-n", PROD, f"$(id) {aim.name}; `ls`"]
        assert words[2:] == [PYTHON, "-c", script, *expected]
        assert plan.undo.words == "it fills by itself"
        assert plan.undo.recipe is None
        said = finding(plan, "allowed", Level.AMBER)
        assert "cannot be foreseen" in said.text

        outcome = await at.ended(await at.confirm(plan))

        assert outcome.verdict is Verdict.WORKED
        printed = outcome.evidence["command"]["stdout"]
        assert outcome.text.startswith("exit status 0: ")
        assert json.loads(printed) == [expected, str(at.running.kubeconfig), ""]
        assert not at.writes
        assert all(isinstance(each, Draft) for each in at.story)


async def test_the_incident_and_the_act_are_in_its_environment(tmp_path: Path) -> None:
    script = "import os; print(os.environ['WARROOM_INCIDENT'], os.environ['WARROOM_ACT'], os.getsid(0) == os.getpid())"
    async with a_desk(tmp_path, PYTHON, "-c", script) as at:
        plan, outcome = await at.carried_out("flush-cache", pod_aim(at))
        assert outcome.text == f"exit status 0: {at.book.incident} {plan.id} True"


async def test_an_exit_status_that_is_not_0_has_not_worked_and_its_last_words_are_told(tmp_path: Path) -> None:
    script = "import sys; print('half of it'); print('\\x1b[31mno such cache', file=sys.stderr); sys.exit(3)"
    async with a_desk(tmp_path, PYTHON, "-c", script) as at:
        outcome = await run(at)
        assert (outcome.verdict, outcome.text) == (Verdict.FAILED, "exit status 3: ␛[31mno such cache")
        assert outcome.evidence["command"]["exit"] == 3
        assert outcome.evidence["command"]["stdout"] == "half of it\n"


async def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    # A shell, which is there in a moment: it has to have said who its child is before its time is over.
    script = "trap '' TERM; sleep 600 & echo $!; wait"
    async with a_desk(tmp_path, "sh", "-c", script, timeout=2.0) as at:
        outcome = await run(at)
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text == "it was not done within 2 s and was ended; what it had done by then stays done"
        pid = int(outcome.evidence["command"]["stdout"])
        await until(lambda: not _alive(pid), "its child is gone, too")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_what_it_prints_is_capped_and_the_cap_is_told(tmp_path: Path) -> None:
    async with a_desk(tmp_path, PYTHON, "-c", "print('x' * 100_000 + 'the end')") as at:
        outcome = await run(at)
        kept = outcome.evidence["command"]["stdout"]
        assert kept.startswith("… 83,624 bytes are not kept …\n")
        assert kept.endswith("the end\n")
        assert len(outcome.text) < 400

    script = "import time; print('x' * 17_000_000, flush=True); time.sleep(600)"
    async with a_desk(tmp_path, PYTHON, "-c", script) as at:
        outcome = await run(at)
        assert outcome.text.startswith("it printed more than 16 MiB and was ended")


async def test_a_program_that_is_not_there_blocks_and_says_what_to_do(tmp_path: Path) -> None:
    async with a_desk(tmp_path, "flush-the-cache", "{name}") as at:
        plan = await at.plan("flush-cache", pod_aim(at))
        said = finding(plan, "program", Level.RED)
        assert said.text == "there is no program flush-the-cache on this machine"
        assert "PATH" in said.advice


async def test_a_program_that_goes_away_before_the_act_is_told_as_nothing_sent(tmp_path: Path) -> None:
    program = tmp_path / "flush"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    async with a_desk(tmp_path, str(program)) as at:
        plan = await at.plan("flush-cache", pod_aim(at))
        program.unlink()
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.sent is False
        assert outcome.text.startswith("nothing was sent: ")


async def test_it_works_on_the_rows_it_is_for(tmp_path: Path) -> None:
    async with a_desk(tmp_path, PYTHON, "-V", "{name}", kinds=("Deployment",)) as at:
        with pytest.raises(NoPlan, match="for rows of Deployment"):
            await at.plan("flush-cache", pod_aim(at))
        plan = await at.plan("flush-cache", at.aim("Deployment", "card-service"))
        assert not plan.blocked
    async with a_desk(tmp_path, PYTHON, "-V", "{name}") as at:
        with pytest.raises(NoPlan, match="nothing that has a name"):
            await at.plan("flush-cache", Aim())
    async with a_desk(tmp_path, PYTHON, "-V") as at:
        plan, outcome = await at.carried_out("flush-cache", Aim())
        assert str(plan.target) == f"namespace/{PROD}"
        assert outcome.verdict is Verdict.WORKED


async def test_a_value_that_would_be_an_option_is_not_put_in(tmp_path: Path) -> None:
    async with a_desk(tmp_path, PYTHON, "{name}") as at:
        plan = await at.plan("flush-cache", Aim(kind="Release", namespace=PROD, name="--post-renderer=/tmp/x"))
        assert "cannot be put in for {name}" in finding(plan, "runbook", Level.RED).text


async def test_an_object_that_changed_since_the_plan_is_not_acted_on(tmp_path: Path) -> None:
    async with a_desk(tmp_path, PYTHON, "-V", "{name}") as at:
        plan = await at.plan("flush-cache", at.aim("Deployment", "card-service"))
        at.change("deployments", "card-service", replicas=7)
        with pytest.raises(Changed):
            await at.confirm(plan)
        assert not (tmp_path / "acts").exists()


async def test_a_cluster_tool_that_would_act_elsewhere_is_blocked(tmp_path: Path) -> None:
    told = playbook("kubectl", "get", "pods")
    async with village(user="viewer", playbook=told, table=table_of(told)) as at:
        plan = await at.plan("flush-cache", pod_aim(at))
        said = finding(plan, "context", Level.RED)
        assert said.text == "it would act on the context drill-prod, and this console is on viewer"
        assert "{context}" in said.advice


async def test_a_console_that_only_looks_runs_none(tmp_path: Path) -> None:
    async with a_desk(tmp_path, PYTHON, "-V", read_only=True) as at:
        plan = await at.plan("flush-cache", pod_aim(at))
        assert finding(plan, "read-only", Level.RED)


async def test_a_console_after_a_crash_finds_out_what_became_of_it(tmp_path: Path) -> None:
    marker = tmp_path / "go"
    script = f"import os, time\nwhile not os.path.exists({str(marker)!r}): time.sleep(0.05)\nprint('flushed')"
    told = playbook(PYTHON, "-c", script)
    async with a_desk(tmp_path, PYTHON, "-c", script) as at:
        act = await at.confirm(await at.plan("flush-cache", pod_aim(at)))
        await until(lambda: act.latest.endswith("at most 60 s"), "it runs")

        cluster = await Cluster.connect(str(at.running.kubeconfig))
        book = Book([])
        after = Gate(
            cluster, book, table_of(told), told, latest=dict, production=lambda _: True, jobs=tmp_path / "acts"
        )
        mitigation = after.mitigation("flush-cache")
        assert await mitigation.took_effect(after._scene, act.plan) is True
        verifying = asyncio.ensure_future(mitigation.verify(after._scene, act.plan, lambda _: None))
        marker.touch()
        assert (await at.ended(act)).text == "exit status 0: flushed"
        later = await verifying
        assert later.verdict in (Verdict.WORKED, Verdict.UNKNOWN)
        assert "flushed" in later.text
        await after.close()

        never = await at.plan("flush-cache", pod_aim(at))
        assert await mitigation.took_effect(after._scene, never) is False


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
async def test_the_command_that_ships_asks_the_control_plane(tmp_path: Path) -> None:
    told = load(find("banking-platform")).playbook
    async with village(playbook=told, table=table_of(told), jobs=tmp_path / "acts") as at:
        plan, outcome = await at.carried_out("cluster-info", Aim())
        assert "kubectl --context drill-prod --request-timeout 10s cluster-info" in plan.commands[0]
        assert outcome.verdict is Verdict.WORKED
        assert at.server.url in outcome.evidence["command"]["stdout"]
        assert os.environ.get("KUBECONFIG") != str(at.running.kubeconfig)


async def test_the_banking_platforms_file_makes_plans_more_careful_and_breaks_none() -> None:
    told = load(find("banking-platform")).playbook
    async with village(playbook=told, table=table_of(told)) as at:
        pod = at.aim("Pod", at.pods("card-service")[0]["metadata"]["name"])
        redirect = await at.plan("redirect", at.aim("Deployment", "card-service"))
        quarantine = await at.plan("quarantine", pod)
        check = await at.plan("connectivity", pod)

        assert {"status": "503", "match": "header"}.items() <= redirect.choices.items()
        assert "status page" in finding(redirect, "runbook", Level.AMBER).text
        assert "Security Specialist" in finding(quarantine, "runbook", Level.AMBER).text
        assert quarantine.phrase == pod.name
        assert redirect.phrase
        assert check.choices["url"] == "https://external-payment-gateway.com/health"
        assert not check.phrase
        assert not [one for plan in (redirect, quarantine, check) for one in plan.blocked]
