"""The objects that the sequences are about. None needs a pod to run unless its sequence is about that."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
IMAGE = "bankingacr.example/pay:1.0.0"


def config_map(name: str, labels: Json | None = None, **data: str) -> Json:
    metadata: Json = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def pod(name: str, labels: Json | None = None, **spec: Any) -> Json:
    """A pod that no scheduler feels responsible for: it stays as it was written."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": "pay"}},
        "spec": {
            "schedulerName": "nobody",
            "automountServiceAccountToken": False,
            "containers": [{"name": "pay", "image": IMAGE}],
            **spec,
        },
    }


def deployment(name: str, replicas: int = 0, tag: str = "1.0.0", **spec: Any) -> Json:
    labels = {"app": name}
    containers = [{"name": "pay", "image": f"bankingacr.example/pay:{tag}", "env": [{"name": "POOL", "value": "5"}]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, "terminationGracePeriodSeconds": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def is_settled(obj: Json) -> bool:
    """Whether the controller of a Deployment has seen it and everything about it has come to rest."""
    status, spec = obj.get("status", {}), obj.get("spec", {})
    wanted = spec.get("replicas", 1)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
    seen = status.get("observedGeneration") == obj["metadata"]["generation"]
    progressing = [one for one in status.get("conditions", ()) if one["type"] == "Progressing"]
    done = bool(spec.get("paused")) or any(one["reason"] == "NewReplicaSetAvailable" for one in progressing)
    return seen and counts == [wanted] * 4 and done


def is_last(event: Json) -> bool:
    """Whether an event of a watch, as a table or not, is about the object of that name."""
    thing = event["object"]
    rows = thing.get("rows")
    metadata = rows[0]["object"]["metadata"] if rows else thing.get("metadata", {})
    return bool(metadata.get("name") == "last")
