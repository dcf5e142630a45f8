"""What an API server fills in before it stores an object, for the kinds that people and charts create here.

Stored objects must have them: otherwise the first patch through the API would add them to a Deployment's template,
and a template that changed is a rollout that nobody asked for.
"""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_PROBE: Final = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def container(spec: Json) -> Json:
    """A container with its defaults, as pkg/apis/core/v1/defaults.go sets them."""
    tag = spec["image"].rpartition("/")[2].partition(":")[2]
    filled: Json = {
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always" if tag in ("", "latest") else "IfNotPresent",
        **spec,
    }
    if spec.get("ports"):
        filled["ports"] = [{"protocol": "TCP", **port} for port in spec["ports"]]
    if spec.get("env"):
        filled["env"] = [_variable(one) for one in spec["env"]]
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        if name in spec:
            probe = {**_PROBE, **spec[name]}
            if "httpGet" in probe:
                probe["httpGet"] = {"scheme": "HTTP", **probe["httpGet"]}
            filled[name] = probe
    return filled


def requested(spec: Json) -> Json:
    """A pod's spec in which what is limited and not asked for is asked for in full. Templates stay as they are."""
    lists: Json = {}
    for name in ("initContainers", "containers"):
        containers = spec.get(name) or []
        if any((one.get("resources") or {}).get("limits") for one in containers):
            lists[name] = [_requested(one) for one in containers]
    return {**spec, **lists} if lists else spec


def _requested(one: Json) -> Json:
    resources = one.get("resources") or {}
    if not resources.get("limits"):
        return one
    requests = {**resources["limits"], **(resources.get("requests") or {})}
    return {**one, "resources": {**resources, "requests": requests}}


def _variable(variable: Json) -> Json:
    source = variable.get("valueFrom")
    if not isinstance(source, dict) or "fieldRef" not in source:
        return variable
    return {**variable, "valueFrom": {**source, "fieldRef": {"apiVersion": "v1", **source["fieldRef"]}}}


def pod_spec(spec: Json) -> Json:
    """A pod's spec with its defaults."""
    return {
        **spec,
        **_listed(spec),
        "restartPolicy": spec.get("restartPolicy", "Always"),
        "terminationGracePeriodSeconds": spec.get("terminationGracePeriodSeconds", 30),
        "dnsPolicy": spec.get("dnsPolicy", "ClusterFirst"),
        "securityContext": spec.get("securityContext", {}),
        "schedulerName": spec.get("schedulerName", "default-scheduler"),
    }


def _listed(spec: Json) -> Json:
    """The containers and volumes of a pod's spec, those that it has."""
    lists: Json = {
        name: [container(one) for one in spec[name]] for name in ("initContainers", "containers") if spec.get(name)
    }
    if spec.get("volumes"):
        lists["volumes"] = [_volume(one) for one in spec["volumes"]]
    return lists


def _volume(volume: Json) -> Json:
    filled = {**volume} if len(volume) > 1 else {**volume, "emptyDir": {}}
    for source in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(filled.get(source), dict):
            filled[source] = {"defaultMode": 420, **filled[source]}
    if isinstance(filled.get("hostPath"), dict):
        filled["hostPath"] = {"type": "", **filled["hostPath"]}
    return filled


def deployment(obj: Json) -> Json:
    """A Deployment with its defaults."""
    spec = obj["spec"]
    strategy = spec.get("strategy") or {"type": "RollingUpdate"}
    if (strategy.get("type") or "RollingUpdate") == "RollingUpdate":
        rolling = {"maxUnavailable": "25%", "maxSurge": "25%", **(strategy.get("rollingUpdate") or {})}
        strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    filled = {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        **spec,
        "template": _template(spec["template"]),
        "strategy": strategy,
    }
    return {**obj, "spec": filled}


def stateful_set(obj: Json) -> Json:
    """A StatefulSet with its defaults."""
    spec = obj["spec"]
    filled = {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        **spec,
        "template": _template(spec["template"]),
    }
    return {**obj, "spec": filled}


def daemon_set(obj: Json) -> Json:
    """A DaemonSet with its defaults."""
    spec = obj["spec"]
    filled = {
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "revisionHistoryLimit": 10,
        **spec,
        "template": _template(spec["template"]),
    }
    return {**obj, "spec": filled}


def service_defaults(obj: Json) -> Json:
    """A Service with its defaults."""
    spec = obj["spec"]
    filled = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        **spec,
        "ports": [{"protocol": "TCP", "targetPort": port["port"], **port} for port in spec.get("ports") or ()],
    }
    return {**obj, "spec": filled}


def service(obj: Json, cluster_ip: str) -> Json:
    """A Service with its defaults and the address that the API server would give it."""
    obj = service_defaults(obj)
    addresses = {
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "clusterIP": cluster_ip,
        "clusterIPs": [cluster_ip],
    }
    return {**obj, "spec": {**addresses, **obj["spec"]}, "status": {"loadBalancer": {}}}


def network_policy(spec: Json) -> Json:
    """A NetworkPolicy's spec with its defaults."""
    types = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    filled: Json = {"podSelector": {}, "policyTypes": types, **spec}
    for direction in ("ingress", "egress"):
        if direction in spec:
            filled[direction] = [
                {**rule, "ports": [{"protocol": "TCP", **port} for port in rule["ports"]]} if "ports" in rule else rule
                for rule in spec[direction]
            ]
    return filled


def _template(template: Json) -> Json:
    return {**template, "spec": pod_spec(template["spec"])}
