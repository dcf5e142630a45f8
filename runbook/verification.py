"""Whether it helped, as the runbook says: the pods ready, the health endpoints as good as before, no new warnings.

Looks at the API itself and not at the panes, so that a stale pane cannot make a verdict; health and events come from
the probes, which watch them anyway. Every wait here ends with the act's own time limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from probes.errors import NotFound, ProbeError
from runbook.plan import Json, Outcome, Verdict

if TYPE_CHECKING:
    from runbook.mitigation import Tell
    from runbook.scene import Scene

LOOK_EVERY = 0.5  # seconds


class Rollout(Struct, frozen=True):
    """Where a workload's rollout stands. ``done``: all of it is new, ready, and what was before is gone."""

    done: bool
    text: str  # 2 of 3 updated, 1 of 3 ready
    wanted: int
    ready: int


def rollout_of(obj: Json) -> Rollout:
    """A Deployment's, StatefulSet's or DaemonSet's rollout, by the rules of ``kubectl rollout status``.

    https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
    """
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    seen = int(status.get("observedGeneration") or 0) >= int((obj.get("metadata") or {}).get("generation") or 0)
    if obj.get("kind") == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        updated, ready = int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
        done = seen and updated == wanted and ready == wanted
    else:
        wanted = int(spec.get("replicas", 1))
        updated, ready = int(status.get("updatedReplicas") or 0), int(status.get("readyReplicas") or 0)
        total = int(status.get("replicas") or 0)
        done = seen and updated == wanted and ready == wanted and total == wanted
        if obj.get("kind") == "StatefulSet" and wanted and seen:
            current = status.get("currentRevision") == status.get("updateRevision")
            done = ready == wanted and total == wanted and (current or updated == wanted)
    if not seen:
        return Rollout(False, "the controller has not seen it yet", wanted, ready)
    return Rollout(done, f"{updated} of {wanted} updated, {ready} of {wanted} ready", wanted, ready)


async def rolled_out(scene: Scene, kind: str, namespace: str, name: str, tell: Tell) -> Rollout:
    """Wait until the rollout is done. Raises `NotFound` when the workload is gone; other faults are waited out."""
    while True:
        try:
            rollout = rollout_of(await scene.fetch(kind, namespace, name))
        except NotFound:
            raise
        except ProbeError as error:
            tell(f"cannot look: {error}")
        else:
            tell(rollout.text)
            if rollout.done:
                return rollout
        await asyncio.sleep(LOOK_EVERY)


async def settled(
    scene: Scene, workloads: Sequence[tuple[str, str, str]], tell: Tell, *, unhealthy_before: Collection[str] = ()
) -> Outcome:
    """The whole verification for workloads, each (kind, namespace, name): rolled out, then quiet, then healthy.

    ``unhealthy_before`` are the URLs of endpoints that were unwell when the plan was made (`unwell`): one that still is
    does not speak against the act, but is told.
    """
    ready = wanted = 0
    while True:
        ready = wanted = 0
        for kind, namespace, name in workloads:
            said = tell if len(workloads) == 1 else _prefixed(tell, name)
            rollout = await rolled_out(scene, kind, namespace, name, said)
            ready, wanted = ready + rollout.ready, wanted + rollout.wanted
        began = scene.now()
        noise = ""
        while not noise and scene.now() - began < scene.playbook.quiet_for:
            left = scene.playbook.quiet_for - (scene.now() - began)
            tell(f"{ready} of {wanted} ready; watching {max(0, round(left))} s more for new warnings")
            await asyncio.sleep(LOOK_EVERY)
            noise = new_warning(scene, workloads, began)
        if not noise:
            break
        tell(f"a new warning: {noise}")
        await asyncio.sleep(LOOK_EVERY)
    for kind, namespace, name in workloads:
        rollout = rollout_of(await scene.fetch(kind, namespace, name))
        if not rollout.done:
            return Outcome(verdict=Verdict.FAILED, text=f"{name} was ready and is not any more: {rollout.text}")
    quiet = f"no new warning for {scene.playbook.quiet_for:g} s" if scene.playbook.quiet_for else ""
    parts = [f"{ready} of {wanted} ready", quiet]
    now = unwell(scene)
    worse = [said for url, said in now.items() if url not in unhealthy_before]
    still = [said for url, said in now.items() if url in unhealthy_before]
    if worse:
        text = ", ".join(filter(None, parts))
        return Outcome(verdict=Verdict.FAILED, text=f"{text}, but {'; '.join(worse)}, and was well before")
    if still:
        parts.append(f"but {'; '.join(still)}, as before")
    elif _endpoints(scene):
        parts.append("every health endpoint answers well")
    return Outcome(verdict=Verdict.WORKED, text=", ".join(filter(None, parts)))


def new_warning(scene: Scene, workloads: Sequence[tuple[str, str, str]], since: float) -> str:
    """A warning event about these workloads or their pods that came after ``since``; empty if there is none."""
    snapshot = scene.latest.get("events")
    for event in snapshot.rows.values() if snapshot else ():
        if event.type != "Warning" or event.last_at <= since:
            continue
        for kind, namespace, name in workloads:
            concerns = (event.kind == kind and event.object_name == name) or (
                event.kind == "Pod" and event.object_name.startswith(f"{name}-")
            )
            if event.namespace == namespace and concerns:
                return f"{event.reason} {event.object_name}"
    return ""


def unwell(scene: Scene) -> dict[str, str]:
    """URL → words of every health endpoint that does not answer as it should, by the probe's last look."""
    return {
        endpoint.url: f"{endpoint.name} {endpoint.status if endpoint.status is not None else endpoint.error}"
        for endpoint in _endpoints(scene)
        if endpoint.ok is False
    }


def _endpoints(scene: Scene) -> list[Any]:
    snapshot = scene.latest.get("endpoints")
    return list(snapshot.rows.values()) if snapshot else []


def _prefixed(tell: Tell, name: str) -> Tell:
    return lambda text: tell(f"{name}: {text}")
