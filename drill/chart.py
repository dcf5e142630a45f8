"""The objects of the platform's Helm chart and of the cluster's own add-ons, rendered from a scenario's services."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from drill.mesh import IN_MESH
from drill.scenario import Addon, Service

Json = dict[str, Any]
Config = dict[str, dict[str, str]]
"""The data of ConfigMaps by their names."""

# libyaml's emitter is ten times faster; the text is the same.
_Safe: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Safe):  # type: ignore[misc]
    """Writes what occurs twice twice, as a template does, instead of an anchor and an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


PORT = 8080


class Chart:
    """Renders one release: ``objects`` to apply, ``manifest`` to store. Unchanged services are rendered once."""

    def __init__(self, release: str, namespace: str, name: str, services: Iterable[Service]) -> None:
        self.release = release
        self.namespace = namespace
        self.name = name
        self.services = tuple(services)
        self._texts: dict[tuple[str, str], str] = {}

    def objects(self, tags: dict[str, str], config: Config) -> list[Json]:
        """ConfigMaps, and workloads and Services with the image tags given by service name."""
        maps = [self._map(name, data) for name, data in config.items()]
        return maps + [obj for service in self.services for obj in self._of(service, tags[service.name])]

    def manifest(self, tags: dict[str, str], config: Config) -> str:
        """The same as Helm's manifest text."""
        maps = "".join(self._written(self._map(name, data), "config") for name, data in config.items())
        return maps + "".join(self._text(service, tags[service.name]) for service in self.services)

    def values(self, tags: dict[str, str]) -> Json:
        """The values that lead to it."""
        return {
            service.name: {
                "replicas": service.replicas,
                "image": {"repository": service.image, "tag": tags[service.name]},
            }
            for service in self.services
        }

    def _text(self, service: Service, tag: str) -> str:
        key = (service.name, tag)
        if key not in self._texts:
            self._texts[key] = "".join(self._written(obj, service.name) for obj in self._of(service, tag))
        return self._texts[key]

    def _written(self, obj: Json, template: str) -> str:
        body = yaml.dump(obj, Dumper=_Dumper, sort_keys=False, width=1000)
        return f"---\n# Source: {self.name}/templates/{template}.yaml\n{body}"

    def _map(self, name: str, data: dict[str, str]) -> Json:
        metadata = {"name": name, "namespace": self.namespace, "labels": self._labels(name)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}

    def _labels(self, name: str) -> dict[str, str]:
        return {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": self.release,
            "app.kubernetes.io/managed-by": "Helm",
        }

    def _of(self, service: Service, tag: str) -> list[Json]:
        labels = self._labels(service.name)
        metadata = {"name": service.name, "namespace": self.namespace, "labels": labels}
        selector = {"app.kubernetes.io/name": service.name}
        ports = [{"name": "http", "port": 80, "targetPort": PORT}]
        return [
            workload(service, tag, metadata, selector),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"selector": selector, "ports": ports},
            },
        ]


def workload(service: Service, tag: str, metadata: Json, selector: Json) -> Json:
    """The Deployment or StatefulSet of a service."""
    marks = {"annotations": dict(IN_MESH)} if service.mesh else {}
    template = {"metadata": {"labels": metadata["labels"], **marks}, "spec": {"containers": [_container(service, tag)]}}
    spec: Json = {"replicas": service.replicas, "selector": {"matchLabels": selector}, "template": template}
    if service.kind == "StatefulSet":
        spec["serviceName"] = service.name
    elif service.strategy == "Recreate":
        spec["strategy"] = {"type": "Recreate"}
    return {"apiVersion": "apps/v1", "kind": service.kind, "metadata": metadata, "spec": spec}


def addon(addon: Addon) -> Json:
    """A workload of the cluster itself: of kube-system, istio-system and the like."""
    labels = {"k8s-app": addon.name}
    container: Json = {"name": addon.name, "image": addon.image, "resources": {"requests": dict(addon.requests)}}
    pod: Json = {"containers": [container]}
    if addon.pool:
        pod["nodeSelector"] = {"agentpool": addon.pool}
    if addon.pool or addon.kind == "DaemonSet":
        pod["tolerations"] = [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    if addon.host_network:
        pod |= {"hostNetwork": True, "priorityClassName": "system-node-critical"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec: Json = {"selector": {"matchLabels": labels}, "template": template}
    if addon.kind != "DaemonSet":
        spec["replicas"] = addon.replicas
    metadata = {"name": addon.name, "namespace": addon.namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": addon.kind, "metadata": metadata, "spec": spec}


def _container(service: Service, tag: str) -> Json:
    container: Json = {
        "name": service.name,
        "image": f"{service.image}:{tag}",
        "ports": [{"containerPort": PORT}],
        "resources": {"requests": dict(service.requests), "limits": dict(service.limits)},
    }
    if service.env:
        container["env"] = [{"name": name, "value": value} for name, value in service.env.items()]
    if service.probe:
        container["readinessProbe"] = {
            "httpGet": {"path": service.probe, "port": PORT},
            "initialDelaySeconds": 5,
            "periodSeconds": 10,
        }
    return container
