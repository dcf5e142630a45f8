"""A console is killed at every step of an act: what it left is the truth, and the next one finds out the rest."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from drill.observing import Request
from incident.entry import Kind
from incident.store import Store
from incident.timeline import Timeline
from probes.cluster import Cluster
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Outcome, Verdict
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import PATIENCE, Desk
from tests.drill.small_scenario import village
from tests.faults.killed_console import NAME, STEPS
from tests.unit.test_journal import journal
from tui.act_book import ActBook

BEFORE = ("shown", "typed")
"""Steps at which nothing was confirmed yet, so that there is nothing to tell."""


async def killed(at: Desk, store: Path, when: str) -> None:
    """A console that gets as far as that step of a restart."""
    running = at.running
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.killed_console",
        str(running.kubeconfig), str(running.config), str(store), when,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip

    def kill(request: Request) -> None:
        if when == "sent" and request.writes and process.returncode is None:
            process.kill()

    at.server.observers.append(kill)
    async with asyncio.timeout(PATIENCE * 3):
        assert await process.wait() == -signal.SIGKILL


async def found_out(at: Desk, store: Path) -> tuple[list[Outcome], Timeline]:
    """What the next console makes of it, and the timeline as it is in the store afterwards."""
    again = journal(store)
    await again.open()
    gate = Gate(
        await Cluster.connect(str(at.running.kubeconfig), None),
        ActBook(again),
        TABLE,
        Playbook(quiet_for=0.2),
        latest=dict,
        production=lambda namespace: False,
    )
    outcomes = [await at.ended(act) for act in gate.resume(await ActBook(again).unfinished())]
    assert await ActBook(again).unfinished() == []
    assert again.incident is not None
    incident = again.incident.id
    await gate.close()
    await again.close()
    async with await Store.open(store) as kept:
        assert (await kept.verify(incident)).ok
        return outcomes, Timeline(await kept.entries(incident))


@pytest.mark.parametrize("when", STEPS)
async def test_a_console_killed_at_any_step_leaves_the_truth_and_nothing_is_sent_twice(
    tmp_path: Path, when: str
) -> None:
    store = tmp_path / "state" / "w.db"
    async with await Store.open(store) as fresh:
        await fresh.declare(title="Payments failing", author="tech-lead")
    async with village() as at:
        await killed(at, store, when)
        outcomes, timeline = await found_out(at, store)
        told = [line for line in timeline.lines if line.entry.kind is Kind.MITIGATION]
        restarted = "warroom/act" in at.get("deployments", NAME)["metadata"].get("annotations", {})

        if when in BEFORE:
            assert (outcomes, told, at.writes, restarted) == ([], [], [], False)
            return
        (outcome,), (line,) = outcomes, told
        assert line.outcome is not None
        assert line.outcome.startswith(str(outcome.verdict))
        assert len(at.writes) == (when != "intent")
        # What was on its way when its sender died may have been dropped by the server, or not.
        assert outcome.sent is restarted
        if when == "intent":
            assert not restarted
            assert "it was not carried out" in outcome.text
        elif when != "sent":
            assert outcome.verdict is Verdict.WORKED, outcome.text
