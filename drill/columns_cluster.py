"""The rows of the rest: nodes, events, namespaces, configuration, storage, access, leases, metrics."""

from __future__ import annotations

from typing import Any, Final

from drill.columns import NONE, UNSET, Cell, Cells, Columns, age, since

Json = dict[str, Any]
_ROLE_PREFIX: Final = "node-role.kubernetes.io/"


def _node(obj: Json) -> Cells:
    spec, status, labels = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"].get("labels") or {}
    ready = [c.get("status") for c in status.get("conditions") or () if c.get("type") == "Ready"]
    words = [("Ready" if ready[0] == "True" else "NotReady") if ready else "Unknown"]
    if spec.get("unschedulable"):
        words.append("SchedulingDisabled")
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)} - {""}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    addresses = {a.get("type"): a.get("address") for a in reversed(status.get("addresses") or [])}
    info = status.get("nodeInfo") or {}
    return [
        obj["metadata"]["name"],
        ",".join(words),
        ",".join(sorted(roles)) or NONE,
        age(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP") or NONE,
        addresses.get("ExternalIP") or NONE,
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _event(obj: Json) -> Cells:
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or first
    count = obj.get("count") or 1
    series = obj.get("series")
    if series:
        last, count = series.get("lastObservedTime"), series.get("count", 1)
    regarding, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    target = regarding.get("kind", "").lower() + (f"/{regarding['name']}" if regarding.get("name") else "")
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return [
        since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        regarding.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (obj.get("message") or "").strip(),
        since(first),
        count,
        obj["metadata"]["name"],
    ]


def _namespace(obj: Json) -> Cells:
    return [obj["metadata"]["name"], (obj.get("status") or {}).get("phase", ""), age(obj)]


def _secret(obj: Json) -> Cells:
    return [obj["metadata"]["name"], obj.get("type", "Opaque"), len(obj.get("data") or ()), age(obj)]


def _config_map(obj: Json) -> Cells:
    return [obj["metadata"]["name"], len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj)]


def _service_account(obj: Json) -> Cells:
    return [obj["metadata"]["name"], len(obj.get("secrets") or ()), age(obj)]


_MODES: Final = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(modes: list[str] | None) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in modes or ())


def _claim(obj: Json) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return [
        obj["metadata"]["name"],
        phase,
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        age(obj),
        spec.get("volumeMode") or UNSET,
    ]


def _volume(obj: Json) -> Cells:
    spec, status, claim = obj.get("spec") or {}, obj.get("status") or {}, (obj.get("spec") or {}).get("claimRef") or {}
    return [
        obj["metadata"]["name"],
        (spec.get("capacity") or {}).get("storage", ""),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason", ""),
        age(obj),
        spec.get("volumeMode") or UNSET,
    ]


def _quota(obj: Json) -> Cells:
    status = obj.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    shown: dict[bool, list[str]] = {False: [], True: []}
    for resource in sorted(hard):
        shown[resource.startswith("limits.")].append(f"{resource}: {used.get(resource, '0')}/{hard[resource]}")
    return [obj["metadata"]["name"], ", ".join(shown[False]), ", ".join(shown[True]), age(obj)]


def _binding(obj: Json) -> Cells:
    role = obj.get("roleRef") or {}
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        named.setdefault(subject.get("kind", ""), []).append(name)
    shown = (", ".join(named[kind]) for kind in ("User", "Group", "ServiceAccount"))
    return [obj["metadata"]["name"], f"{role.get('kind', '')}/{role.get('name', '')}", age(obj), *shown]


def _lease(obj: Json) -> Cells:
    return [obj["metadata"]["name"], (obj.get("spec") or {}).get("holderIdentity", ""), age(obj)]


def _storage_class(obj: Json) -> Cells:
    default = (obj["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        obj["metadata"]["name"] + (" (default)" if default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age(obj),
    ]


def _priority_class(obj: Json) -> Cells:
    shown: tuple[Cell, ...] = (obj.get("value", 0), bool(obj.get("globalDefault")), age(obj))
    return [obj["metadata"]["name"], *shown, obj.get("preemptionPolicy", "PreemptLowerPriority")]


def _node_metrics(obj: Json) -> Cells:
    usage = obj.get("usage") or {}
    return [obj["metadata"]["name"], usage.get("cpu", ""), usage.get("memory", ""), obj.get("window", "")]


def _pod_metrics(obj: Json) -> Cells:
    usage: Json = next((c.get("usage") or {} for c in obj.get("containers") or ()), {})
    return [obj["metadata"]["name"], usage.get("cpu", ""), usage.get("memory", ""), obj.get("window", "")]


_BINDING: Final = Columns(("Name", "Role", "Age"), _binding, ("Users", "Groups", "ServiceAccounts"))
_METRICS: Final = ("Name", "CPU", "Memory", "Window")

PRINTERS: Final = {
    "Node": Columns(
        ("Name", "Status", "Roles", "Age", "Version"),
        _node,
        ("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
    ),
    "Event": Columns(
        ("Last Seen", "Type", "Reason", "Object", "~Subobject", "~Source", "Message"),
        _event,
        ("First Seen", "Count", "Name"),
    ),
    "Namespace": Columns(("Name", "Status", "Age"), _namespace),
    "Secret": Columns(("Name", "Type", "Data", "Age"), _secret),
    "ConfigMap": Columns(("Name", "Data", "Age"), _config_map),
    "ServiceAccount": Columns(("Name", "Secrets", "Age"), _service_account),
    "PersistentVolumeClaim": Columns(
        ("Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age"),
        _claim,
        ("VolumeMode",),
    ),
    "PersistentVolume": Columns(
        (
            "Name",
            "Capacity",
            "Access Modes",
            "Reclaim Policy",
            "Status",
            "Claim",
            "StorageClass",
            "VolumeAttributesClass",
            "Reason",
            "Age",
        ),
        _volume,
        ("VolumeMode",),
    ),
    "ResourceQuota": Columns(("Name", "Request", "Limit", "Age"), _quota),
    "ClusterRoleBinding": _BINDING,
    "RoleBinding": _BINDING,
    "Lease": Columns(("Name", "Holder", "Age"), _lease),
    "StorageClass": Columns(
        ("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"), _storage_class
    ),
    "PriorityClass": Columns(("Name", "Value", "Global-Default", "Age", "PreemptionPolicy"), _priority_class),
    "NodeMetrics": Columns(_METRICS, _node_metrics),
    "PodMetrics": Columns(_METRICS, _pod_metrics),
}
