"""A rollback under way, and what became of it: helm's process, the Secrets it leaves, the pods. Also after a crash."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from probes.errors import ConfigError, ProbeError
from probes.helm_secret import StoredRelease
from probes.kubeconfig import select
from probes.releases import Stored, fetch_release, stored_revisions
from runbook import helm
from runbook.addressing import addressed
from runbook.errors import MitigationError, NotSent
from runbook.jobs import Job
from runbook.plan import Json, Outcome, Plan, Verdict
from runbook.releases import DEPLOYED, PENDING, SUPERSEDED, release_again, with_description
from runbook.scene import READ
from runbook.verification import rollout_of

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.mitigation import Tell
    from runbook.scene import Scene

LOOK_EVERY = 0.5  # seconds
ENDED_EVERY = 0.1  # seconds between two looks at whether it still runs
MOST_WORKLOADS = 6  # of which the progress tells


async def begin(hands: Hands, scene: Scene, plan: Plan) -> Job:
    """Start helm, on the cluster and the revision of the plan. Raises `Changed`, `NotSent`."""
    await _same_cluster(scene, plan)
    try:  # as late as it can be: helm itself takes no precondition
        await release_again(scene, plan.target, plan.steps["from"])
    except ProbeError as error:
        raise NotSent(f"nothing was sent: the release cannot be looked at: {error}", error.hint) from error
    job = scene.jobs.of(plan.id)
    hands.spawn(job, plan.steps["argv"], helm.environment())
    return job


async def _same_cluster(scene: Scene, plan: Plan) -> None:
    """Helm reads the kubeconfig again, and it may have been edited since the console did."""
    context = scene.cluster.context
    if context == "in-cluster":
        return
    try:
        now = await asyncio.to_thread(select, scene.cluster.kubeconfig, context)
    except ConfigError as error:
        raise NotSent(f"nothing was sent: {error}", error.hint) from error
    if now.server != plan.target.server:
        raise NotSent(f"nothing was sent: context {context} leads to {now.server} now, not to {plan.target.server}")


async def follow(scene: Scene, plan: Plan, job: Job, tell: Tell) -> None:
    """Tell how far helm is until it has ended. Whoever stops following does not stop helm."""
    loop = asyncio.get_running_loop()
    look_at = loop.time()
    while job.running:
        if loop.time() >= look_at:
            tell(await _progress(scene, plan, job))
            look_at = loop.time() + LOOK_EVERY
        await asyncio.sleep(ENDED_EVERY)


async def _progress(scene: Scene, plan: Plan, job: Job) -> str:
    parts = []
    try:
        stored = (await _stored(scene, plan))[0]
        if stored.number > plan.steps["from"]:
            parts.append(f"revision {stored.number} {stored.status}")
        for kind, namespace, name in plan.steps["workloads"][:MOST_WORKLOADS]:
            parts.append(f"{name}: {rollout_of(await scene.fetch(kind, namespace, name)).text}")
    except ProbeError as error:
        parts.append(f"helm goes on, and cannot be looked at: {error}")
    said = job.said(1)
    if said:
        parts.append(f"helm: {said[-1][:200]}")
    return " · ".join(parts) or "helm has begun"


async def _stored(scene: Scene, plan: Plan) -> list[Stored]:
    return await stored_revisions(scene.cluster, plan.target.namespace, plan.target.name, timeout=READ)


async def ours(scene: Scene, plan: Plan) -> Stored | None:
    """The revision that the act made: the one after the plan's, if it went back to the plan's. Raises `ProbeError`.

    A rollback that failed does not say any more where it went, so then what we know of helm has to do.
    """
    after = [stored for stored in await _stored(scene, plan) if stored.number > plan.steps["from"]]
    if not after or after[-1].number != plan.steps["from"] + 1:
        return None
    release = await _release(scene, after[-1])
    if release.rollback_to is not None:
        return after[-1] if release.rollback_to == plan.steps["to"] else None
    begun = scene.jobs.of(plan.id).known
    return after[-1] if begun and "failed" in release.description else None


async def _release(scene: Scene, stored: Stored) -> StoredRelease:
    return await fetch_release(scene.cluster, stored.namespace, stored.secret)


# ---------------------------------------------------------------- what became of it


async def judged(scene: Scene, plan: Plan, job: Job, tell: Tell) -> Outcome | None:
    """The verdict where the release itself tells it; None when it is deployed, and the pods have to tell."""
    while True:
        try:
            stored = await ours(scene, plan)
            later = (await _stored(scene, plan))[0]
            break
        except ProbeError as error:
            tell(f"cannot look: {error}")
            await asyncio.sleep(LOOK_EVERY)
    if stored is None or stored.status not in (DEPLOYED, SUPERSEDED):
        return await became(scene, plan, job, {"status": job.status, "said": job.said()})
    if later.number > stored.number:
        text = (
            f"revision {stored.number} was deployed, and somebody made revision {later.number} ({later.status}) since"
        )
        return Outcome(verdict=Verdict.UNKNOWN, text=text)
    tell(f"revision {stored.number} is deployed")
    return None


async def became(scene: Scene, plan: Plan, job: Job, receipt: Json) -> Outcome:
    """How a rollback ended that did not end well, and what state it left the release in."""
    words = job.complaint or (job.said(1) or ["it said nothing"])[-1]
    status = "" if job.status is None else f" with status {job.status}"
    said = f"helm ended{status}: {words[:500]}"
    evidence = {"helm": receipt}
    try:
        stored = await ours(scene, plan)
    except ProbeError as error:
        text = f"{said} · what state the release is in is not known: {error}"
        return Outcome(verdict=Verdict.FAILED, text=text, sent=None, evidence=evidence)
    name, namespace = plan.target.name, plan.target.namespace
    if stored is None:
        text = f"{said} · {name} is at revision {plan.steps['from']} as before, nothing was changed"
        return Outcome(verdict=Verdict.FAILED, text=text, sent=False, evidence=evidence)
    state = f"revision {stored.number} is {stored.status}"
    if stored.status.startswith(PENDING):
        cure = f"kubectl delete secret {stored.secret} -n {namespace}"
        cure = addressed(cure, scene.cluster.context, scene.cluster.kubeconfig)
        advice = f"every later upgrade will be refused until it is gone: {cure}"
    else:
        advice = f"its objects may be those of revision {plan.steps['to']}, all or some"
    return Outcome(verdict=Verdict.FAILED, text=f"{said} · {state}; {advice}", evidence=evidence)


# ---------------------------------------------------------------- whose it was


async def named_on(hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> bool:
    """Put incident and act on the revision that helm made: behind its description, and as annotations.

    Helm takes no description for a rollback. Whether it can be done does not matter for the act.
    """
    try:
        stored = await ours(scene, plan)
        if stored is None or stored.status.startswith(PENDING):
            return False
        path = f"/api/v1/namespaces/{quote(stored.namespace, safe='')}/secrets/{quote(stored.secret, safe='')}"
        secret = await scene.read(path)
        metadata = secret.get("metadata") or {}
        annotations = {**(metadata.get("annotations") or {}), **hands.stamp.annotations}
        named = with_description(secret, hands.stamp.description)
        # With its resourceVersion: if helm or anybody else wrote it meanwhile, theirs stays.
        await hands.replace(path, {**named, "metadata": {**metadata, "annotations": annotations}})
    except (ProbeError, MitigationError) as error:
        tell(f"the incident could not be put on the revision's description: {error}")
        return False
    return True
