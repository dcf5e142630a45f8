"""The deny-all NetworkPolicy of a quarantine, and the label that it goes by. The runbook, Scenario 4, "Containment".

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from probes.errors import NotFound, ProbeError
from runbook.errors import Refused
from runbook.plan import Json
from runbook.scene import api_path
from runbook.selectors import selects
from runbook.stamps import ACT

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.mitigation import Tell
    from runbook.scene import Scene

LABEL, YES = "quarantine", "true"
SELECTOR = f"{LABEL}={YES}"
POLICY = "quarantine"  # its name
VERSION, PLURAL = "networking.k8s.io/v1", "networkpolicies"
BOTH = ("Ingress", "Egress")

_CONFLICT = 409


def policy_path(namespace: str, name: str = POLICY) -> str:
    """The policy's API path; with an empty name, that of all policies."""
    return api_path(VERSION, namespace, PLURAL, name)


def policy_body(namespace: str, annotations: Mapping[str, str] | None = None) -> Json:
    """Both directions named and no rule in either: nothing is let through."""
    metadata: Json = {"name": POLICY, "namespace": namespace}
    if annotations:
        metadata["annotations"] = dict(annotations)
    spec = {"podSelector": {"matchLabels": {LABEL: YES}}, "policyTypes": list(BOTH)}
    return {"apiVersion": VERSION, "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def denies_all(policy: Json) -> bool:
    """Whether it is what `policy_body` asks for, and there to stay."""
    spec = policy.get("spec") or {}
    selector = spec.get("podSelector") or {}
    only = selector.get("matchLabels") == {LABEL: YES} and not selector.get("matchExpressions")
    silent = not spec.get("ingress") and not spec.get("egress")
    stays = not (policy.get("metadata") or {}).get("deletionTimestamp")
    return bool(only and silent and stays and set(spec.get("policyTypes") or ()) == set(BOTH))


def allows(policy: Json) -> bool:
    """Whether it lets any traffic through. Policies add up: what one of them allows, none can take away."""
    spec = policy.get("spec") or {}
    return bool(spec.get("ingress") or spec.get("egress"))


def holds(policy: Json, labels: Mapping[str, str]) -> bool:
    """Whether it is about pods with these labels."""
    return selects((policy.get("spec") or {}).get("podSelector"), labels)


def act_of(obj: Json) -> str:
    """The act that put it there or changed it last, by our annotation; empty if it was none of ours."""
    return str(((obj.get("metadata") or {}).get("annotations") or {}).get(ACT, ""))


def labels_of(obj: Json) -> dict[str, str]:
    return dict((obj.get("metadata") or {}).get("labels") or {})


def is_labelled(pod: Json) -> bool:
    return labels_of(pod).get(LABEL) == YES


async def policy_now(scene: Scene, namespace: str) -> Json | None:
    """The policy as it is, None if there is none. Raises `ProbeError`."""
    try:
        return await scene.read(policy_path(namespace))
    except NotFound:
        return None


async def ensure_policy(hands: Hands, scene: Scene, namespace: str, tell: Tell) -> bool:
    """Have the policy there; whether it is this act that created it. Raises `Refused`, `NotSent`, `Uncertain`."""
    try:
        found = await policy_now(scene, namespace)
    except ProbeError:
        found = None  # who may not look may still create, and is told if it is there
    if found is None:
        try:
            await hands.create(policy_path(namespace, ""), policy_body(namespace, hands.stamp.annotations))
        except Refused as refusal:
            found = await _there_already(scene, namespace, refusal)
        else:
            tell(f"NetworkPolicy {POLICY} created: it denies all to and from pods labelled {SELECTOR}")
            return True
    if not denies_all(found):
        text = (
            f"there is another NetworkPolicy {POLICY} in {namespace} now, which does not deny all; nothing was changed"
        )
        raise Refused(text, f"kubectl describe networkpolicy {POLICY} -n {namespace}")
    tell(f"NetworkPolicy {POLICY} is there already")
    return False


async def _there_already(scene: Scene, namespace: str, refusal: Refused) -> Json:
    """Somebody was faster. Raises the refusal where it was for another reason, or what is there cannot be read."""
    if refusal.status == _CONFLICT:
        try:
            found = await policy_now(scene, namespace)
        except ProbeError:
            found = None
        if found is not None:
            return found
    raise refusal
