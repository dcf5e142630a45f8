"""What a user must be allowed for Helm to roll a release back: as the real helm asks the server, in both versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probes.helm_secret import Hook
from runbook.manifests import Comparison, Ident
from runbook.plan import Need

HISTORY = 10  # revisions that helm keeps; older ones it deletes
ON_ROLLBACK = ("pre-rollback", "post-rollback")

_CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PodSecurityPolicy",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


def storage(namespace: str, revisions: int) -> list[Need]:
    """For the Secrets in which Helm keeps the release; ``revisions`` is how many there are."""
    verbs = ["update", "create", "list", "get", *(["delete"] if revisions >= HISTORY else [])]
    return [Need(verb, "secrets", namespace=namespace) for verb in verbs]


def rollback(
    namespace: str, comparison: Comparison, *, revisions: int, major: int, server_side: bool, hooks: Sequence[Hook] = ()
) -> tuple[Need, ...]:
    """For all of a rollback, what changes something first. ``major`` is Helm's; ``hooks`` are the chosen revision's."""
    stay = (*comparison.changed, *comparison.relabelled, *comparison.unchanged)
    needs = _for("patch", stay if server_side else (*comparison.changed, *comparison.relabelled))
    needs += _for("create", comparison.created)
    needs += _for("delete", comparison.deleted)
    needs += storage(namespace, revisions)
    there = (*stay, *comparison.created, *comparison.deleted)
    needs += _for("get", there)
    if major >= 4:  # its waiter watches every kind there is
        needs += _for("list", there) + _for("watch", there)
    if any(ident.kind in ("Deployment", "StatefulSet", "DaemonSet") for ident in there):
        needs.append(Need("list", "pods", namespace=namespace))
    if any(ident.kind == "Deployment" for ident in there):
        needs.append(Need("list", "replicasets", "apps", namespace=namespace))
    run = [hook for hook in hooks if set(hook.events or ()) & set(ON_ROLLBACK)]
    for kind in dict.fromkeys(hook.kind for hook in run if hook.kind):
        group = "batch" if kind in ("Job", "CronJob") else ""
        verbs = ("create", "delete", "get", "list", "watch")
        needs += [Need(verb, plural(kind), group, namespace=namespace) for verb in verbs]
    return tuple(dict.fromkeys(needs))


def usual(namespace: str) -> tuple[Need, ...]:
    """For charts of the usual kinds."""
    kinds = [
        Ident("apps/v1", "Deployment", namespace, ""),
        Ident("apps/v1", "StatefulSet", namespace, ""),
        Ident("apps/v1", "DaemonSet", namespace, ""),
        Ident("v1", "Service", namespace, ""),
        Ident("v1", "ConfigMap", namespace, ""),
    ]
    needs = [need for verb in ("get", "list", "watch", "patch", "create", "delete") for need in _for(verb, kinds)]
    needs += [Need("list", "pods", namespace=namespace), Need("list", "replicasets", "apps", namespace=namespace)]
    return (*storage(namespace, HISTORY), *needs)


def is_cluster_wide(kind: str) -> bool:
    """Whether objects of this kind are in no namespace; unknown kinds are taken to be in one."""
    return kind in _CLUSTER_WIDE


def plural(kind: str) -> str:
    """The resource of a kind, as the API's own machinery guesses it (apimachinery, UnsafeGuessKindToResource)."""
    name = kind.lower()
    if name.endswith("endpoints"):
        return name
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _for(verb: str, idents: Iterable[Ident]) -> list[Need]:
    return list(
        dict.fromkeys(
            Need(
                verb,
                plural(ident.kind),
                ident.group,
                namespace="" if is_cluster_wide(ident.kind) else ident.namespace,
            )
            for ident in idents
        )
    )
