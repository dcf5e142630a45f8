"""What is looked at before an act, each as a finding: allowed, fresh, who serves meanwhile, budgets, autoscalers.

A question that cannot be answered is never green: it is amber, and says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from probes.errors import NotFound, ProbeError
from runbook.plan import Finding, Json, Level, Need
from runbook.selectors import selects
from runbook.workloads import is_finished, pods_of

if TYPE_CHECKING:
    from runbook.scene import Scene

FEW = 6  # permissions that are named one by one; of more, the first
RECENTLY = 300.0  # seconds within which somebody else's change counts as "is at it"

# Their labels and annotations on what they manage: they put back what the repository says.
_GITOPS = (
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
)
# They write status, or do what somebody asked them to: not somebody else who acts.
_MACHINES = frozenset(
    {"kube-controller-manager", "kubelet", "kube-scheduler", "kube-apiserver", "cloud-controller-manager"}
)
_OWN = "warroom"


async def allowed(scene: Scene, needs: Sequence[Need]) -> Finding:
    """Whether the server would let this user do all of it (SelfSubjectAccessReview)."""
    try:
        denied = await scene.denied(needs)
    except ProbeError as error:
        return Finding("allowed", Level.AMBER, f"the server does not say what is allowed: {error}", error.hint)
    who = scene.cluster.user or "this user"
    if denied:
        what = _first(list(map(str, denied)), f" and {len(denied) - FEW} more of {len(needs)}")
        ask = denied[0]
        scope = f" -n {ask.namespace}" if ask.namespace else ""
        resource = f"{ask.resource}.{ask.group}" if ask.group else ask.resource
        sub = f" --subresource={ask.subresource}" if ask.subresource else ""
        return Finding(
            "allowed", Level.RED, f"{who} may not {what}", f"kubectl auth can-i {ask.verb} {resource}{sub}{scope}"
        )
    said = list(dict.fromkeys(str(need).partition(" in namespace ")[0] for need in needs))
    checks = f" ({len(needs)} checks)" if len(said) > FEW else ""
    return Finding("allowed", Level.GREEN, f"{_first(said, ' …')} as {who}{checks}")


def _first(said: list[str], more: str) -> str:
    return ", ".join(said[:FEW]) + (more if len(said) > FEW else "")


def fresh(scene: Scene, sources: Collection[str]) -> Finding:
    """Whether what the panes show, and the verdict will lean on, is live."""
    latest = scene.latest
    stale = [name for name in sources if name not in latest or not latest[name].freshness.live]
    if stale:
        return Finding("fresh", Level.AMBER, f"not live: {', '.join(stale)}; the panes may show what was")
    return Finding("fresh", Level.GREEN, "every pane it relies on is live")


async def pods_hit(scene: Scene, workload: Json, *, finished: bool = False) -> tuple[list[Json], list[Finding]]:
    """The pods of a workload; none, and an amber finding, when they cannot be listed.

    ``finished``: those as well that have ended or were evicted, and are records only.
    """
    try:
        return [pod for pod in await pods_of(scene, workload) if finished or not is_finished(pod)], []
    except ProbeError as error:
        return [], [Finding("pods", Level.AMBER, f"which pods are hit is not known: {error}", error.hint)]


async def endpoints_left(scene: Scene, namespace: str, hit: Collection[str], *, at_once: bool = True) -> list[Finding]:
    """For each service that sends traffic to pods in ``hit``: who is left. ``at_once`` False for one after another."""
    try:
        slices = await scene.items(("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"), namespace, "endpointslices")
    except ProbeError as error:
        return [Finding("endpoints", Level.AMBER, f"who serves meanwhile is not known: {error}", error.hint)]
    ready: dict[str, set[str]] = {}
    concerned: dict[str, set[str]] = {}
    for piece in slices:
        service = ((piece.get("metadata") or {}).get("labels") or {}).get("kubernetes.io/service-name", "")
        for endpoint in piece.get("endpoints") or ():
            pod = (endpoint.get("targetRef") or {}).get("name", "")
            serves = (endpoint.get("conditions") or {}).get("ready") is not False
            if serves:
                ready.setdefault(service, set()).add(pod)
            if pod in hit:
                concerned.setdefault(service, set()).add(pod)
    found = []
    for service in sorted(concerned):
        serving = ready.get(service, set())
        left = serving - set(hit)
        if not serving:
            found.append(Finding("endpoints", Level.GREEN, f"{service} has no ready endpoint; nothing is left to lose"))
        elif not at_once:
            found.append(Finding("endpoints", Level.GREEN, f"{service}: {len(serving)} ready, replaced one by one"))
        elif left:
            found.append(Finding("endpoints", Level.GREEN, f"{service} keeps {len(left)} of {len(serving)} endpoints"))
        else:
            whole = "its only ready endpoint" if len(serving) == 1 else f"all of its {len(serving)} ready endpoints"
            text = f"{service} loses {whole}"
            found.append(Finding("endpoints", Level.AMBER, text))
    return found


async def budgets(scene: Scene, namespace: str, labels: Mapping[str, str], hit: int = 1) -> list[Finding]:
    """The PodDisruptionBudgets that are about pods with these labels, and whether they allow ``hit`` disruptions now.

    Only evictions are held to a budget by the server; a rollout or a deletion is not, so an exhausted one is amber.
    """
    try:
        items = await scene.items(("policy/v1", "policy/v1beta1"), namespace, "poddisruptionbudgets")
    except NotFound:
        return []
    except ProbeError as error:
        return [Finding("budget", Level.AMBER, f"disruption budgets are not known: {error}", error.hint)]
    found = []
    for item in items:
        if not selects((item.get("spec") or {}).get("selector"), labels):
            continue
        name = (item.get("metadata") or {}).get("name", "")
        allows = (item.get("status") or {}).get("disruptionsAllowed", 0)
        if allows >= hit:
            found.append(Finding("budget", Level.GREEN, f"{name} allows {_disruptions(hit)} ({allows} left)"))
        elif allows > 0:
            text = f"{name} allows {_disruptions(allows)} and this is {hit}, which is not held to it"
            found.append(Finding("budget", Level.AMBER, text))
        else:
            found.append(Finding("budget", Level.AMBER, f"{name} allows no disruption now, and this is not held to it"))
    return found


def _disruptions(number: int) -> str:
    return "a disruption" if number == 1 else f"{number} disruptions"


async def autoscaler(scene: Scene, kind: str, namespace: str, name: str) -> Json | None:
    """The HorizontalPodAutoscaler that scales a workload, or None. Raises `ProbeError` when nobody knows."""
    try:
        items = await scene.items(("autoscaling/v2", "autoscaling/v1"), namespace, "horizontalpodautoscalers")
    except NotFound:
        return None
    for item in items:
        ref = (item.get("spec") or {}).get("scaleTargetRef") or {}
        if (ref.get("kind"), ref.get("name")) == (kind, name):
            return item
    return None


def reverted_by(obj: Json) -> list[Finding]:
    """Controllers that would put it back: GitOps tools by their marks, operators by their ownership."""
    metadata = obj.get("metadata") or {}
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    found = []
    for tool in dict.fromkeys(tool for mark, tool in _GITOPS if mark in marks):
        text = f"{tool} manages this and will put back what its repository says"
        found.append(Finding("owner", Level.AMBER, text, f"pause it in {tool}, or change the repository"))
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller") and obj.get("kind") in ("Deployment", "StatefulSet", "DaemonSet"):
            text = f"{owner.get('kind')}/{owner.get('name')} owns this and may put it back"
            found.append(Finding("owner", Level.AMBER, text, f"act on the {owner.get('kind')} instead"))
    return found


def others(scene: Scene, obj: Json) -> list[Finding]:
    """Who else changed it within the last minutes, told by its managedFields (status does not count)."""
    newest: tuple[float, str] | None = None
    for entry in (obj.get("metadata") or {}).get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        if entry.get("subresource") == "status" or manager in _MACHINES or manager.startswith(_OWN):
            continue
        at = instant(entry.get("time"))
        if at is not None and (newest is None or at > newest[0]):
            newest = (at, manager)
    if newest is None or scene.now() - newest[0] > RECENTLY:
        return [Finding("alone", Level.GREEN, "nobody else changed it in the last 5 minutes")]
    age = max(0, round(scene.now() - newest[0]))
    return [Finding("alone", Level.AMBER, f"{newest[1]} changed it {age} s ago: is somebody else at it?")]


def instant(text: Any) -> float | None:
    """A Kubernetes time as epoch seconds, None for what is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
