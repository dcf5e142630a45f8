"""The plan of a quarantine: what is looked at, what will be sent, and what has to be known before."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from probes.errors import ProbeError
from probes.objects import to_yaml
from runbook import evidence_order, preflight
from runbook import quarantine_findings as findings
from runbook.diffs import hunk
from runbook.media import MERGE
from runbook.plan import Aim, Diff, Field, Finding, Json, Level, Need, Plan, Recipe, Target, Undo
from runbook.quarantine_place import (
    Owner,
    Place,
    asked,
    look_around,
    overwrite,
    patched,
    quarantined_labels,
    ready_beside,
)
from runbook.quarantine_policy import LABEL, PLURAL, POLICY, SELECTOR, YES, is_labelled, policy_body, policy_path
from runbook.quarantine_release import KEPT, kept_labels
from runbook.rehearsals import COMPUTED, DRY_RUN, rehearsed
from runbook.scene import api_path
from runbook.selectors import selects
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.scene import Scene

EVIDENCE, DETACH = "evidence", "detach"  # the fields


async def quarantine_plan(
    scene: Scene, mitigation: str, aim: Aim, target: Target, pod: Json, fields: tuple[Field, ...]
) -> Plan:
    """``fields`` are answered."""
    chosen = {field.id: field.value for field in fields}
    namespace, name, act = target.namespace, target.name, new_act()
    place = await look_around(scene, namespace, pod)
    detach = chosen[DETACH] == "yes"
    moved = place.selecting() if detach else {}
    after = quarantined_labels(place.labels, moved)
    body = _body({**kept_labels(pod), **moved} if moved else {}, moved)
    path = api_path("v1", namespace, "pods", name)
    create = place.policy is None or isinstance(place.policy, ProbeError)
    needs = [Need("patch", "pods", namespace=namespace)]
    if create:
        needs.append(Need("create", PLURAL, "networking.k8s.io", namespace=namespace))
    order = evidence_order.order_of(scene, act, namespace, "Pod", name, [pod]) if chosen[EVIDENCE] == "yes" else None
    allowed, (diff, refused), endpoints, evidence = await asyncio.gather(
        preflight.allowed(scene, needs),
        _diff(scene, pod, path, body, namespace if create else ""),
        _endpoints(scene, place, namespace, name, detach),
        _evidence(scene, order),
    )
    return Plan(
        id=act,
        mitigation=mitigation,
        title=f"Quarantine {target}",
        verb="Quarantine",
        remark=_remark(order, detach),
        target=target,
        commands=_commands(place, namespace, name, order, create, body),
        diff=diff,
        findings=(
            allowed,
            preflight.fresh(scene, ("pods",)),
            *_already(place, moved),
            findings.policy(place, namespace),
            findings.reach(place, name),
            *findings.still_open(place, after, detach),
            findings.network(place),
            *findings.state(pod),
            *endpoints,
            *(findings.detaching(place, moved) if detach else ()),
            *evidence,
            *refused,
            *preflight.others(scene, pod),
        ),
        fields=fields,
        choices=chosen,
        steps={
            "mode": mitigation,
            "path": path,
            "body": body,
            "moved": sorted(moved),
            "services": place.service_names if detach else [],
            "replacement": _replacement(place.owner, after) if detach else None,
            "evidence": evidence_order.in_steps(order) if order else None,
        },
        needs=tuple(needs),
        verified_by=_verified_by(detach, place),
        undo=Undo(
            "release it: the label goes, what was detached comes back, the policy goes when nobody else is held by it",
            Recipe(mitigation=mitigation, aim=aim, choices={"release": "yes"}),
        ),
        blast=_blast(place),
        wide=_reaches_more(place) or (detach and any(one.level is Level.AMBER for one in endpoints)),
    )


def _body(kept: Mapping[str, str], moved: Mapping[str, str]) -> Json:
    """The patch of the pod, without the stamp."""
    labels: Json = {**dict.fromkeys(moved), LABEL: YES}
    metadata: Json = {"labels": labels}
    if kept:
        metadata["annotations"] = {KEPT: json.dumps(dict(kept), sort_keys=True)}
    return {"metadata": metadata}


async def _diff(scene: Scene, pod: Json, path: str, body: Json, create_in: str) -> tuple[Diff, list[Finding]]:
    """What changes: the pod, and the policy if it is to be created in that namespace."""
    questions = [rehearsed(scene.rehearsal.patch(path, body, MERGE))]
    if create_in:
        policy = policy_body(create_in)
        questions.append(rehearsed(scene.rehearsal.create(policy_path(create_in, ""), policy)))
    answers = await asyncio.gather(*questions)
    hunks = [hunk(pod, answers[0][0] or patched(pod, body))]
    if create_in:
        hunks.append(hunk(None, answers[1][0] or policy))
    source = DRY_RUN if all(answer for answer, _ in answers) else COMPUTED
    refusals = [finding for _, refused in answers for finding in refused]
    return Diff(hunks=tuple(filter(None, hunks)), source=source), refusals


async def _endpoints(scene: Scene, place: Place, namespace: str, name: str, detach: bool) -> list[Finding]:
    if detach:
        return await preflight.endpoints_left(scene, namespace, [name])
    ready = await asked(ready_beside(scene, namespace, name))
    return findings.services(place, ready if isinstance(ready, dict) else {})


async def _evidence(scene: Scene, order: evidence_order.Order | None) -> list[Finding]:
    if order is None:
        text = "no evidence is captured first: what the pod knows may be gone with its traffic"
        return [Finding("evidence", Level.AMBER, text, "the runbook preserves evidence first")]
    readable, disk = await asyncio.gather(
        evidence_order.readable(scene, order), asyncio.to_thread(evidence_order.disk, order)
    )
    return [readable, disk]


def _already(place: Place, moved: Mapping[str, str]) -> list[Finding]:
    pod_held = is_labelled(place.pod)
    if not pod_held:
        return []
    if isinstance(place.policy, dict) and not moved:
        text = f"it is in quarantine already: labelled {SELECTOR}, and NetworkPolicy {POLICY} is there"
        return [Finding("quarantined", Level.RED, text, "choose release to let it out")]
    return [Finding("quarantined", Level.GREEN, f"it is labelled {SELECTOR} already")]


def _replacement(owner: Owner | None, after: Mapping[str, str]) -> Json | None:
    """What there will be again once its owner has replaced it; None if nothing is to be waited for."""
    if owner is None or not owner.replaces or owner.selector is None or selects(owner.selector, after):
        return None
    return {
        "owner": str(owner),
        "uid": owner.uid,
        "selector": owner.selector,
        "pods": owner.pods,
        "ready": owner.ready,
    }


def _reaches_more(place: Place) -> bool:
    return bool(place.policy is None and isinstance(place.quarantined, list) and place.quarantined)


def _blast(place: Place) -> str:
    others = place.quarantined
    if isinstance(others, list) and others and place.policy is None:
        return f"{1 + len(others)} pods: all that are labelled {SELECTOR}"
    return "1 pod"


def _remark(order: evidence_order.Order | None, detach: bool) -> str:
    parts = [f"evidence first, into {order.folder}"] if order else []
    parts.append("then no traffic to or from it")
    if detach:
        parts.append("out of its services, and replaced")
    return " · ".join(parts)


def _verified_by(detach: bool, place: Place) -> str:
    parts = [f"the label {SELECTOR} is on the pod", f"NetworkPolicy {POLICY} denies all"]
    if detach:
        parts += [f"out of {findings.some(place.service_names)}"] if place.service_names else []
        parts += [f"{place.owner} has its replacement ready"] if place.owner and place.owner.replaces else []
    return " · ".join(parts)


def _commands(
    place: Place, namespace: str, name: str, order: evidence_order.Order | None, create: bool, body: Json
) -> tuple[str, ...]:
    inside = ("-n", namespace)
    found = [shlex.join(evidence_order.commands(order)[0])] if order else []
    if create:
        found.append(f"kubectl apply -f - <<'EOF'\n{to_yaml(policy_body(namespace))}EOF")
    labels: dict[str, str | None] = body["metadata"]["labels"]
    changes = [f"{key}-" if value is None else f"{key}={value}" for key, value in labels.items()]
    kept = body["metadata"].get("annotations") or {}
    if kept:
        found.append(shlex.join(["kubectl", "annotate", "pod", name, *inside, f"{KEPT}={kept[KEPT]}"]))
    overwriting = overwrite(place.labels, {LABEL: YES})
    found.append(shlex.join(["kubectl", "label", "pod", name, *inside, *overwriting, *changes]))
    return tuple(found)
