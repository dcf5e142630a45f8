"""A console that is killed in the middle of a rollback: ``python -m tests.drill.dying_console KUBECONFIG JOBS WHEN``.

It prints the intent's evidence as one line of JSON and kills itself: WHEN is ``intent`` (on disk, and nothing begun)
or ``begun`` (helm runs).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from incident.entry import Draft
from probes.cluster import Cluster
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import INCIDENT, PERSON, agreed
from tests.drill.releases import STANDIN, aim


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Paper:
    """A timeline of one line."""

    incident = INCIDENT
    author = PERSON

    def __init__(self, when: str) -> None:
        self._when = when

    async def intend(self, draft: Draft) -> tuple[str, str]:
        print(msgspec.json.encode(draft.evidence).decode(), flush=True)
        if self._when == "intent":
            die()
        return self.incident, "entry-1"

    async def conclude(self, incident: str, draft: Draft) -> None:
        raise AssertionError("it should be dead by now")


async def main(kubeconfig: str, jobs: str, when: str) -> None:
    cluster = await Cluster.connect(kubeconfig, None)

    def news() -> None:
        if any("runs" in act.latest for act in gate.running):
            die()

    gate = Gate(
        cluster,
        Paper(when),
        TABLE,
        Playbook(quiet_for=0.2),
        latest=dict,
        production=lambda namespace: True,
        helm=STANDIN,
        jobs=Path(jobs),
        changed=news,
    )
    gate.arm()
    plan = await gate.plan("rollback", aim())
    act = await gate.carry_out(plan, agreed(plan))
    await act.done()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
