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
from runbook.workloads import is_finished, pods_of

if TYPE_CHECKING:
    from runbook.mitigation import Tell
    from runbook.scene import Scene

LOOK_EVERY = 0.5  # seconds
CRASHES = 3  # of a new pod, until it is plain that waiting does not help
NO_IMAGE = 45.0  # seconds
_NEVER = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError")


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


class Stuck(Exception):
    """New pods fail in a way that waiting does not mend; the sentence says which and how."""


async def rolled_out(
    scene: Scene, kind: str, namespace: str, name: str, tell: Tell, since: float | None = None
) -> Rollout:
    """Wait until the rollout is done. Raises `NotFound` when the workload is gone; other faults are waited out.

    With ``since`` (epoch seconds), raises `Stuck` when pods that came after it cannot start.
    """
    while True:
        stuck = stuck_pod(scene, (kind, namespace, name), since) if since is not None else ""
        if stuck:
            raise Stuck(stuck)
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
    scene: Scene,
    workloads: Sequence[tuple[str, str, str]],
    tell: Tell,
    *,
    unhealthy_before: Collection[str] = (),
    since: float | None = None,
) -> Outcome:
    """The whole verification for workloads, each (kind, namespace, name): rolled out, then quiet, then healthy.

    ``unhealthy_before`` are the URLs of endpoints that were unwell when the plan was made (`unwell`): one that still is
    does not speak against the act, but is told. ``since`` is when the act began: pods that came after it and cannot
    start make the verdict plain before the time is up.
    """
    try:
        return await _settled(scene, workloads, tell, unhealthy_before, since)
    except Stuck as stuck:
        return Outcome(verdict=Verdict.FAILED, text=str(stuck))


async def _settled(
    scene: Scene,
    workloads: Sequence[tuple[str, str, str]],
    tell: Tell,
    unhealthy_before: Collection[str],
    since: float | None,
) -> Outcome:
    while True:
        ready = wanted = 0
        for kind, namespace, name in workloads:
            said = tell if len(workloads) == 1 else _prefixed(tell, name)
            rollout = await rolled_out(scene, kind, namespace, name, said, since)
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


async def all_gone(scene: Scene, workload: tuple[str, str, str], tell: Tell) -> Outcome:
    """Wait until a workload that was scaled to 0 has no pod any more; finished ones, which no controller removes, stay.

    Raises `NotFound` when the workload is gone.
    """
    while True:
        try:
            obj = await scene.fetch(*workload)
            left = [pod for pod in await pods_of(scene, obj) if not is_finished(pod)]
        except NotFound:
            raise
        except ProbeError as error:
            tell(f"cannot look: {error}")
        else:
            if (obj.get("spec") or {}).get("replicas", 1) != 0:
                return Outcome(verdict=Verdict.FAILED, text="it is not at 0 any more")
            if not left:
                return Outcome(verdict=Verdict.WORKED, text="no pod is left")
            going = sum("deletionTimestamp" in (pod.get("metadata") or {}) for pod in left)
            tell(f"{len(left)} still there, {going} of them terminating")
        await asyncio.sleep(LOOK_EVERY)


def stuck_pod(scene: Scene, workload: tuple[str, str, str], since: float) -> str:
    """A pod of the workload that came after ``since`` and cannot start, in words; empty if there is none.

    By what the pods pane sees: crashed `CRASHES` times, or an image that was not to be had for `NO_IMAGE` seconds.
    """
    kind, namespace, name = workload
    snapshot = scene.latest.get("pods")
    for pod in snapshot.rows.values() if snapshot else ():
        if pod.owner is None or (pod.owner.kind, pod.namespace, pod.owner.name) != (kind, namespace, name):
            continue
        if pod.created_at < since - 2 or pod.deleting_since is not None:  # created_at has whole seconds
            continue
        for container in pod.containers:
            if container.reason == "CrashLoopBackOff" and container.restarts >= CRASHES:
                exit_code = "" if container.last_exit_code is None else f", exit {container.last_exit_code}"
                return f"the new {pod.name} is in CrashLoopBackOff: {container.restarts} restarts{exit_code}"
            if container.reason in _NEVER and scene.now() - pod.created_at > NO_IMAGE:
                return f"the new {pod.name} cannot start: {container.reason}"
    return ""


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


def checks(scene: Scene, *parts: str) -> str:
    """What a plan says that it is verified by. Health endpoints are only told of where some are watched."""
    return " · ".join([*parts, *(["health endpoints"] if watches_health(scene) else [])])


def watches_health(scene: Scene) -> bool:
    """Whether there are health endpoints to tell anything by."""
    return bool(_endpoints(scene))


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
