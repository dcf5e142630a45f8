"""What a container of the platform reaches when it opens a connection: names, ports, and who is behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from drill import pods
from drill.chart import PORT
from drill.health import HealthEndpoints
from drill.kinds import kind
from drill.label_selector import selects
from drill.mesh import ABORTED, aborted
from drill.scenario import External
from drill.store import ObjectStore
from drill.world import ENDPOINTS, POD, SERVICE

Json = dict[str, Any]
Trouble = Literal["", "unresolved", "refused", "silent", "untrusted", "plain"]

DOMAIN: Final = "banking-platform.com"  # of the public health endpoints
_NETWORK_POLICY: Final = kind("networkpolicies")
_QUICK: Final = 0.004  # seconds that a service in the cluster takes
_OUTSIDE: Final = "20.50.2.77"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a connection goes. ``trouble`` says why there will be none: ``plain`` is TLS spoken to who speaks none."""

    trouble: Trouble
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer after ``seconds`` of the world."""

    status: int
    body: str
    seconds: float


class Network:
    """``externals`` are the hosts outside by name, with their fates; they may be changed while it runs."""

    def __init__(self, store: ObjectStore, health: HealthEndpoints, externals: Mapping[str, External]) -> None:
        self.externals = dict(externals)
        self._store = store
        self._health = health

    def find(self, pod: Json, host: str, port: int, *, tls: bool) -> Destination:
        """What comes of dialling a host from a pod."""
        address, trouble, speaks_tls = self._locate(pod, host, port)
        if self._may_not(pod, "Egress") and host not in ("localhost", "127.0.0.1"):
            return Destination("silent", address)  # a policy drops; it does not refuse
        if not trouble and tls and not speaks_tls:
            trouble = "plain"
        return Destination(trouble, address)

    def answer(self, pod: Json, host: str, port: int, path: str) -> Reply:
        """What who was found there says to a GET."""
        if path.split("?")[0].rstrip("/").split("/")[1:2] != ["health"]:
            return Reply(404, "", _QUICK)
        outside = self.externals.get(host)
        if outside is not None:
            return Reply(outside.status, outside.body, outside.latency)
        if (name := self._public(host, port)) is not None:
            if name != "api":
                login = self._health.login()
                return Reply(503 if login["status"] == "Unhealthy" else 200, json.dumps(login), 0.041)
            seconds, tired = self._health.patience()
            report = self._health.report(tired=tired)
            return Reply(503 if report["status"] == "Unhealthy" else 200, json.dumps(report), seconds)
        service = self._service(pod, host)
        if service is not None:
            meta = service["metadata"]
            status = aborted(self._store, meta["namespace"], meta["name"])
            if status is not None:
                return Reply(status, ABORTED, _QUICK)
        ready = host not in ("localhost", "127.0.0.1") or pods.is_ready(pod)
        return Reply(200 if ready else 503, json.dumps({"status": "Healthy" if ready else "Unhealthy"}), _QUICK)

    # Names

    def _locate(self, pod: Json, host: str, port: int) -> tuple[str, Trouble, bool]:
        """Address, trouble, and whether TLS is spoken there."""
        if host in ("localhost", "127.0.0.1") and self._public(host, port) is None:
            return "127.0.0.1", "" if port == PORT else "refused", False
        outside = self.externals.get(host)
        if outside is not None:
            fate = outside.fate
            return outside.address, "" if fate == "answers" else fate, port == 443
        if self._public(host, port) is not None:
            return _OUTSIDE, "", port == 443
        service = self._service(pod, host)
        if service is None:
            return "", "unresolved", False
        address = str(service["spec"].get("clusterIP") or "")
        if port not in [entry["port"] for entry in service["spec"].get("ports") or ()]:
            return address, "silent", False
        targets = self._targets(service)
        if not targets:
            return address, "refused", False  # kube-proxy rejects what has no endpoint
        if all(self._may_not(target, "Ingress") for target in targets):
            return address, "silent", False
        return address, "", False

    def _public(self, host: str, port: int) -> str | None:
        """``api`` or ``login``, by its public name, or by the address at which it is really served here."""
        for name, url in self._health.urls.items():
            if host == f"{name}.{DOMAIN}" and port in (80, 443):
                return name
            if url.startswith(f"http://{host}:{port}/"):
                return name
        return None

    def _service(self, pod: Json, host: str) -> Json | None:
        """NAME, NAME.NAMESPACE, and the longer forms of it."""
        name, *rest = host.removesuffix(".").split(".")
        if rest[1:] not in ([], ["svc"], ["svc", "cluster", "local"]):
            return None
        return self._store.get(SERVICE, rest[0] if rest else pod["metadata"]["namespace"], name)

    def _targets(self, service: Json) -> list[Json]:
        """The pods that its ready endpoints are."""
        meta = service["metadata"]
        endpoints = self._store.get(ENDPOINTS, meta["namespace"], meta["name"]) or {}
        names = [
            address["targetRef"]["name"]
            for subset in endpoints.get("subsets") or ()
            for address in subset.get("addresses") or ()
            if address.get("targetRef")
        ]
        found = (self._store.get(POD, meta["namespace"], name) for name in names)
        return [pod for pod in found if pod is not None]

    def _may_not(self, pod: Json, direction: Literal["Ingress", "Egress"]) -> bool:
        """Whether policies select the pod for that direction and none of them allows anything."""
        concerned = [
            policy["spec"]
            for policy in self._store.list(_NETWORK_POLICY, pod["metadata"]["namespace"])
            if selects(policy["spec"].get("podSelector") or {}, pods.labels(pod))
            and direction in _types(policy["spec"])
        ]
        return bool(concerned) and not any(spec.get(direction.lower()) for spec in concerned)


def _types(spec: Json) -> list[str]:
    """policyTypes, and what they are when nobody says so."""
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
