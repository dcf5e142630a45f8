"""What is to be known before a pod is quarantined: whom the policy reaches, what it cannot hold, who serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probes.errors import ProbeError
from runbook.plan import Finding, Json, Level
from runbook.quarantine_place import Owner, Place, names
from runbook.quarantine_policy import POLICY, SELECTOR, denies_all
from runbook.workloads import is_finished, is_ready

# Daemon sets of kube-system by which a cluster's network can be told, and whether it enforces NetworkPolicies.
_NETWORKS: Mapping[str, tuple[str, bool]] = {
    "calico-node": ("Calico", True),
    "canal": ("Canal", True),
    "cilium": ("Cilium", True),
    "antrea-agent": ("Antrea", True),
    "weave-net": ("Weave Net", True),
    "kube-router": ("kube-router", True),
    "azure-npm": ("Azure NPM", True),
    "kube-flannel-ds": ("Flannel", False),
}
_MIRROR = "kubernetes.io/config.mirror"  # a static pod, as the API shows it
_MOST_NAMES = 8


def network(place: Place) -> Finding:
    """Always amber: the API server takes a NetworkPolicy whether or not anybody enforces it."""
    seen = place.networks if isinstance(place.networks, list) else []
    known = [_NETWORKS[name] for name in seen if name in _NETWORKS]
    enforcing = [name for name, enforces in known if enforces]
    idle = [name for name, enforces in known if not enforces]
    if enforcing:
        who = f": {' and '.join(enforcing)} runs here, which does"
    elif idle:
        who = f": {' and '.join(idle)} runs here, which by itself does not"
    else:
        who = ", which cannot be told from here"
    text = f"the policy holds only if the cluster's network enforces NetworkPolicies{who}"
    return Finding("network", Level.AMBER, text, "what is open already may stay open: check from inside of the pod")


def policy(place: Place, namespace: str) -> Finding:
    found = place.policy
    if isinstance(found, ProbeError):
        text = f"whether there is a NetworkPolicy {POLICY} is not known: {found}"
        return Finding("policy", Level.AMBER, text, found.hint)
    if found is None:
        return Finding("policy", Level.GREEN, f"NetworkPolicy {POLICY} will be created and denies all, in and out")
    if denies_all(found):
        return Finding("policy", Level.GREEN, f"NetworkPolicy {POLICY} is there and denies all, in and out")
    if (found.get("metadata") or {}).get("deletionTimestamp"):
        return Finding("policy", Level.RED, f"NetworkPolicy {POLICY} is being deleted", "look again in a moment")
    text = f"there is a NetworkPolicy {POLICY} which does not deny all to and from {SELECTOR}"
    advice = f"kubectl get networkpolicy {POLICY} -n {namespace} -o yaml; rename it, or have it deny all"
    return Finding("policy", Level.RED, text, advice)


def reach(place: Place, name: str) -> Finding:
    """Which pods it is about: everybody with the label, not this one alone."""
    others = place.quarantined
    if isinstance(others, ProbeError):
        text = f"which other pods are labelled {SELECTOR} is not known: {others}"
        return Finding("reach", Level.AMBER, text, others.hint)
    if not others:
        return Finding("reach", Level.GREEN, f"it reaches {name} and no other pod: nobody else has the label")
    listed = some(others)
    if place.policy is not None:
        return Finding("reach", Level.GREEN, f"it reaches {name}; held already: {listed}")
    return Finding("reach", Level.AMBER, f"it also reaches {listed}, labelled {SELECTOR} already and not held yet")


def still_open(place: Place, after: Mapping[str, str], detached: bool) -> list[Finding]:
    """Policies add up, so those that let something through to this pod undo the quarantine in part."""
    if isinstance(place.policies, ProbeError):
        return []  # the finding about the policy tells
    left = place.open_by(after)
    if not left:
        return []
    text = f"{some(names(left))} also {'is' if len(left) == 1 else 'are'} about it and let traffic through: "
    text += "policies add up, so that stays open"
    helps = not detached and len(place.open_by(_without(after, place.selecting()))) < len(left)
    return [Finding("open", Level.AMBER, text, "detach takes away the labels they go by" if helps else "")]


def services(place: Place, ready: Mapping[str, int]) -> list[Finding]:
    """What becomes of its services while it keeps its place in them. ``ready``: service → other ready endpoints."""
    if isinstance(place.services, ProbeError):
        text = f"which services send to it is not known: {place.services}"
        return [Finding("endpoints", Level.AMBER, text, place.services.hint)]
    if not place.services:
        return [Finding("endpoints", Level.GREEN, "no service sends to it")]
    if not is_ready(place.pod):
        return [Finding("endpoints", Level.GREEN, f"it is not ready: {some(place.service_names)} sends nothing to it")]
    found = []
    for name in place.service_names:
        serve = f"; {_others(ready[name])}" if name in ready else ""
        text = f"{name} goes on sending to it, and nobody answers{serve}"
        found.append(Finding("endpoints", Level.AMBER, text, "detach takes it out"))
    return found


def _others(number: int) -> str:
    return "1 other serves" if number == 1 else f"{number or 'no'} others serve"


def detaching(place: Place, moved: Mapping[str, str]) -> list[Finding]:
    """What taking it out of its services and from its owner means."""
    found = []
    if not moved:
        found.append(Finding("detach", Level.AMBER, "there is nothing to detach: no label of it selects it"))
    else:
        text = f"its labels {some(sorted(moved))} become an annotation, so that nothing selects it by them"
        found.append(Finding("detach", Level.AMBER, text, "release puts them back"))
    owner = place.owner
    if owner is None:
        found.append(Finding("owner", Level.AMBER, "nobody owns it, so no replacement starts"))
    elif owner.kind == "StatefulSet":
        text = f"{owner} cannot start a replacement while this pod has the name"
        found.append(Finding("owner", Level.AMBER, text, "delete the pod when its evidence is safe"))
    elif owner.selector is None:
        text = f"{owner} cannot be read: whether it lets go and replaces it is not known"
        found.append(Finding("owner", Level.AMBER, text))
    else:
        found.append(Finding("owner", Level.GREEN, f"{owner} lets go of it and starts a replacement"))
    return found


def state(pod: Json) -> list[Finding]:
    """What about the pod itself makes a quarantine pointless, or less than it seems."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    found = []
    if spec.get("hostNetwork"):
        text = "it uses its node's network: NetworkPolicies do not hold it, and the label is only a mark"
        found.append(Finding("host", Level.AMBER, text, "cordon the node, and isolate it outside of the cluster"))
    if _MIRROR in (metadata.get("annotations") or {}):
        text = "a static pod: its kubelet may put its labels back"
        found.append(Finding("static", Level.AMBER, text, "its file is on the node, in the kubelet's manifests"))
    if metadata.get("deletionTimestamp"):
        found.append(Finding("state", Level.AMBER, "it is being deleted already", "press E first"))
    elif is_finished(pod):
        found.append(Finding("state", Level.AMBER, "it has ended: there is no traffic to hold"))
    return found


def coming_back(owner: Owner | None, labels: Mapping[str, str]) -> list[Finding]:
    """Release puts labels back, and a controller that they match takes the pod back."""
    if not labels:
        return []
    text = f"{some(sorted(labels))} come back, and with them what selects by them"
    if owner is None:
        text += ": who replaced it then has one pod too many and deletes one, perhaps this one"
    return [Finding("labels", Level.AMBER, text)]


def some(texts: Sequence[str]) -> str:
    """A few of the names, and how many more there are."""
    more = len(texts) - _MOST_NAMES
    return ", ".join(texts[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _without(labels: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in keys}
