"""Looking elsewhere: another namespace, another context."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from probes.freshness import Snapshot
from probes.rows import Pod

if TYPE_CHECKING:
    from tui.room import ControlRoom
    from tui.subjects import Subject

log = logging.getLogger(__name__)

ALL = "*"

LogPods = tuple[tuple[str, str, tuple[str, ...]], ...]
"""(namespace, pod, containers) each."""


def pods_of(subject: Subject, latest: Mapping[str, Snapshot[Any]]) -> LogPods:
    """The pods a workload, an event or a node is about, from what the probes last saw."""
    snapshot = latest.get("pods")
    if snapshot is None:
        return ()
    pods: list[Pod] = list(snapshot.rows.values())
    kind, name, namespace = subject.kind, subject.name, subject.namespace
    if kind == "Event":
        kind, name = str(subject.facts.get("kind", "")), str(subject.facts.get("object_name", ""))
    if kind == "Pod":
        found = [pod for pod in pods if pod.namespace == namespace and pod.name == name]
    elif kind == "Node":
        found = []
    else:
        found = [
            pod
            for pod in pods
            if pod.namespace == namespace and pod.owner is not None and (pod.owner.kind, pod.owner.name) == (kind, name)
        ]
    return tuple((pod.namespace, pod.name, tuple(c.name for c in pod.containers)) for pod in found)


def choose_namespaces(host: ControlRoom) -> None:
    """Ask which namespace to look at."""
    work: Any = partial(_choose_namespaces, host)
    host.app.run_worker(work, group="choose", exclusive=True, exit_on_error=False)


async def _choose_namespaces(host: ControlRoom) -> None:
    from tui.screens.choose import Choice, ChooseScreen

    if host.session.cluster is None:
        host.tell("not connected to a cluster", "warning")
        return
    names, trouble = await _namespaces(host)
    now = host.session.namespaces
    choices = [Choice(ALL, "all namespaces", current=not now)]
    choices += [Choice(name, name, current=name in now) for name in names]
    hint = trouble or "type to filter · enter takes it · esc leaves"
    chosen = await host.app.push_screen_wait(ChooseScreen("Namespace", choices, hint=hint, free=True))
    if chosen and host.session.view is not None:
        await host.look_elsewhere(replace(host.session.view, namespaces=(chosen,)))


class _Metadata(msgspec.Struct):
    name: str = ""


class _Named(msgspec.Struct):
    metadata: _Metadata


class _NamedList(msgspec.Struct):
    items: list[_Named]


async def _namespaces(host: ControlRoom) -> tuple[list[str], str]:
    """Their names, and why they cannot be listed. A user may look into a namespace and not list them."""
    from probes.errors import ProbeError

    assert host.session.cluster is not None
    try:
        body = await host.session.cluster.get("/api/v1/namespaces", {"limit": "1000"}, timeout=5)
        found = msgspec.json.decode(body, type=_NamedList)
    except ProbeError as error:
        return sorted(host.session.namespaces), f"{error}: type a name and press enter"
    except msgspec.DecodeError as error:
        return sorted(host.session.namespaces), f"the server's list cannot be read ({error}): type a name"
    return sorted(item.metadata.name for item in found.items), ""


def choose_context(host: ControlRoom) -> None:
    """Ask which context of the kubeconfig to look at."""
    work: Any = partial(_choose_context, host)
    host.app.run_worker(work, group="choose", exclusive=True, exit_on_error=False)


async def _choose_context(host: ControlRoom) -> None:
    from probes.errors import ConfigError
    from probes.kubeconfig import contexts
    from tui.screens.choose import Choice, ChooseScreen

    view = host.session.view
    if view is None:
        return
    try:
        known = await asyncio.to_thread(contexts, view.kubeconfig)
    except ConfigError as error:
        host.tell(str(error), "error")
        return
    now = host.session.cluster.context if host.session.cluster else view.context
    choices = [
        Choice(c.name, c.name, f"{c.cluster} · {c.user} · {c.namespace or 'default'}", current=c.name == now)
        for c in known
    ]
    chosen = await host.app.push_screen_wait(ChooseScreen("Context", choices))
    if chosen:
        # The namespace belongs to the context: keep looking where the new one says, not where the old one did.
        await host.look_elsewhere(replace(view, context=chosen, namespaces=()))
