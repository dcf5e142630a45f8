"""A restore whose console is killed outright: the next start finds it in the store and goes on following it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from drill.observing import Request
from drill.platform import running
from incident.store import Store
from probes.cluster import Cluster
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Verdict
from runbook.playbook import Playbook
from tests.drill.database_desk import PLACE, outside_of
from tests.drill.mitigation_desk import PATIENCE
from tests.unit.test_journal import journal
from tui.act_book import ActBook

RESTORING = """
import asyncio, sys
from pathlib import Path
from probes.cluster import Cluster
from runbook.gate import Confirmation, Gate
from runbook.mitigations import TABLE
from runbook.playbook import Playbook
from tests.drill.database_desk import ACCOUNTS, aim_at
from tests.unit.test_journal import journal
from tui.act_book import ActBook
from tui.outside import outside_of
from tui.settings import Settings

async def main():
    path, kubeconfig, config = sys.argv[1:]
    shown = journal(Path(path))
    await shown.open()
    gate = Gate(
        await Cluster.connect(kubeconfig, None), ActBook(shown), TABLE, Playbook(), latest=lambda: {},
        production=lambda namespace: False, outside=outside_of(Settings.load(Path(config))),
    )
    first = await gate.plan("restore-database", aim_at(ACCOUNTS))
    plan = await gate.plan("restore-database", aim_at(ACCOUNTS), first.choices | {"again": first.choices["point"]})
    read = frozenset(finding.text for finding in plan.warnings)
    await gate.carry_out(plan, Confirmation(by="tech-lead", phrase=plan.phrase, acknowledged=read))
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_restore_outlives_a_console_that_is_killed_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "state" / "w.db"
    async with await Store.open(path) as store:
        await store.declare(title="Payments failing", author="tech-lead")
    async with running(PLACE, speed=60.0) as platform:
        arm = platform.platform.arm
        assert arm is not None
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RESTORING, str(path), str(platform.kubeconfig), str(platform.config)
        )
        writes: list[Request] = []

        def killed(request: Request) -> None:
            """It has the request, and nobody is there any more to hear the answer."""
            if request.writes:
                writes.append(request)
                process.kill()

        arm.observers.append(killed)
        assert await process.wait() == -signal.SIGKILL

        again = journal(path)
        await again.open()
        (line,) = again.timeline.unended
        gate = Gate(
            await Cluster.connect(str(platform.kubeconfig), None),
            ActBook(again),
            TABLE,
            Playbook(),
            latest=dict,
            production=lambda namespace: False,
            outside=outside_of(platform),
        )
        (act,) = gate.resume(await ActBook(again).unfinished())
        assert act.entry == line.id
        async with asyncio.timeout(PATIENCE):
            outcome = await act.done()
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert act.plan.choices["name"] in outcome.text
        (write,) = writes
        assert write.method == "PUT"
        assert await ActBook(again).unfinished() == []
        await gate.close()
        await again.close()
