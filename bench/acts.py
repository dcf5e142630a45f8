"""Acting: from a key to its plan, from a confirmation to the write's first byte and to its answer, beside kubectl.

On the drill's platform; with ``WARROOM_LAB_DIR`` and ``WARROOM_BENCH_NAMESPACE`` on a running lab, where that namespace
must have a Deployment ``account-service``.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from bench.figures import Figure, p95, seconds, versus
from bench.relay import Relay, relayed
from incident.entry import Draft
from probes.cluster import Cluster
from runbook.gate import Confirmation, Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim
from runbook.playbook import Playbook
from tui.drill_process import DrillProcess

PLAN_BAR, SENT_BAR = 0.3, 0.05
TARGET = "account-service"


class _Book:
    """A timeline that forgets: the store's cost is measured in `bench.timeline`."""

    incident, author = "INC-20261125-0900-benc", "bench"

    async def intend(self, draft: Draft) -> tuple[str, str]:
        return self.incident, "entry"

    async def conclude(self, incident: str, draft: Draft) -> None:
        return


def figures(*, quick: bool = False) -> Iterator[Figure]:
    lab = os.environ.get("WARROOM_LAB_DIR")
    with nullcontext() if lab else DrillProcess("payment-release") as drill:
        if drill is not None:
            kubeconfig, namespace = str(drill.wait().kubeconfig), "banking-platform-prod"
        else:
            kubeconfig = str(Path(str(lab)) / "kubeconfig")
            namespace = os.environ.get("WARROOM_BENCH_NAMESPACE", "banking-platform-prod")
        where = "lab" if lab else "drill"
        plans, sent, acts = asyncio.run(_ours(kubeconfig, namespace, 10 if quick else 60, 5 if quick else 30))
        rehearsed = [
            _kubectl(kubeconfig, namespace, "get", f"deployment/{TARGET}", "-o", "yaml")
            for _ in range(5 if quick else 20)
        ]
        restarted = []
        for _ in range(5 if quick else 20):
            time.sleep(1.1)  # kubectl refuses a second restart within the same second
            restarted.append(_kubectl(kubeconfig, namespace, "rollout", "restart", f"deployment/{TARGET}"))
    yield Figure(
        f"key to plan: restart, with its preflight ({where})",
        versus(plans),
        f"{versus(rehearsed)} kubectl get -o yaml, once",
        f"{p95(plans) / p95(rehearsed):.2f}",
        f"p95 ≤ {seconds(PLAN_BAR)}",
        p95(plans) <= PLAN_BAR,
    )
    yield Figure(
        f"confirmation to the first byte of the write ({where})",
        versus(sent),
        "",
        "",
        f"p95 ≤ {seconds(SENT_BAR)}",
        p95(sent) <= SENT_BAR,
    )
    yield Figure(
        f"confirmation to the server's answer ({where})",
        versus(acts),
        f"{versus(restarted)} kubectl rollout restart",
        f"{p95(acts) / p95(restarted):.2f}",
        "",
        None,
    )


async def _ours(kubeconfig: str, namespace: str, plans: int, acts: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds to each plan; of each act to the first byte of its write, and to the answer."""
    with tempfile.TemporaryDirectory() as directory:
        async with relayed(kubeconfig, Path(directory)) as (relay, through):
            return await _timed(relay, through, namespace, plans, acts)


async def _timed(
    relay: Relay, kubeconfig: str, namespace: str, plans: int, acts: int
) -> tuple[list[float], list[float], list[float]]:
    answered = asyncio.Event()
    context = "admin" if "WARROOM_LAB_DIR" in os.environ else None
    cluster = await Cluster.connect(kubeconfig, context)
    gate = Gate(
        cluster,
        _Book(),
        TABLE,
        Playbook(),
        latest=dict,
        production=lambda _: False,
        changed=answered.set,
    )
    aim = Aim(kind="Deployment", namespace=namespace, name=TARGET)
    planned, sent, ended = [], [], []
    for _ in range(plans):
        began = time.perf_counter()
        await gate.plan("restart", aim)
        planned.append(time.perf_counter() - began)
    for _ in range(acts):
        plan = await gate.plan("restart", aim)
        agreed = Confirmation(by="bench", acknowledged=frozenset(finding.text for finding in plan.warnings))
        relay.flights.clear()
        began = time.perf_counter()
        act = await gate.carry_out(plan, agreed)
        while not act.progress:
            answered.clear()
            await answered.wait()
        # Hands open a connection for each request, so the write's is the last there was before its answer.
        told = time.perf_counter()
        sent.append(relay.first_byte_of_last(told) - began)
        ended.append(told - began)
        while not act.can_stop and act.outcome is None:  # noqa: ASYNC110 - a phase sets no event
            await asyncio.sleep(0.005)
        act.stop("bench")
        await act.done()
    await gate.close()
    return planned, sent, ended


def _kubectl(kubeconfig: str, namespace: str, *more: str) -> float:
    context = ("--context", "admin") if "WARROOM_LAB_DIR" in os.environ else ()
    command = ["kubectl", "--kubeconfig", kubeconfig, *context, "-n", namespace]
    began = time.perf_counter()
    subprocess.run([*command, *more], check=True, capture_output=True)
    return time.perf_counter() - began
