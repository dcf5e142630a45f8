"""Which of the console's reads a cluster would refuse, asked of the cluster itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.access import can_i

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probes.cluster import Cluster

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Need:
    """One read that one probe needs."""

    probe: str
    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespaced: bool = True

    def __str__(self) -> str:
        name = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {name}.{self.group}" if self.group else f"{self.verb} {name}"


def _watched(probe: str, *resources: str, group: str = "", namespaced: bool = True) -> list[Need]:
    return [
        Need(probe, verb, resource, group, namespaced=namespaced)
        for resource in resources
        for verb in ("list", "watch")
    ]


NEEDS = (
    *_watched("pods", "pods"),
    *_watched("nodes", "nodes", namespaced=False),
    *_watched("workloads", "deployments", "statefulsets", "daemonsets", group="apps"),
    *_watched("events", "events", group="events.k8s.io"),
    *_watched("releases", "secrets"),
    Need("logs", "get", "pods", subresource="log"),
)


async def denied(cluster: Cluster, namespaces: Sequence[str]) -> dict[str, list[str]]:
    """Probe → what it may not do. ``namespaces`` empty asks for all at once. Raises `ProbeError`."""
    gate = asyncio.Semaphore(AT_ONCE)
    questions = [
        (need, namespace) for need in NEEDS for namespace in (namespaces if need.namespaced and namespaces else ("",))
    ]

    async def ask(need: Need, namespace: str) -> bool:
        async with gate:
            return bool(await can_i(cluster, need.verb, need.resource, need.group, namespace, need.subresource))

    answers = await asyncio.gather(*(ask(need, namespace) for need, namespace in questions))
    refused: dict[str, list[str]] = {}
    for (need, namespace), answer in zip(questions, answers, strict=True):
        if not answer:
            where = f" in {namespace}" if namespace else ""
            refused.setdefault(need.probe, []).append(f"{need}{where}")
    return refused
