"""The rows of what carries traffic: services, endpoints, slices, ingresses, network policies, virtual services."""

from __future__ import annotations

from typing import Any, Final

from drill.columns import NONE, UNSET, Cells, Columns, age, label_selector, pairs

Json = dict[str, Any]


def _external(spec: Json, status: Json) -> str:
    addresses: list[str] = [*(spec.get("externalIPs") or ())]
    match spec.get("type", "ClusterIP"):
        case "LoadBalancer":
            ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
            found = [entry.get("ip") or entry.get("hostname", "") for entry in ingress] + addresses
            return ",".join(found) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", NONE))
        case _:
            return ",".join(addresses) or NONE


def _service(obj: Json) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ports = [
        f"{port.get('port')}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    ]
    return [
        obj["metadata"]["name"],
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or NONE,
        _external(spec, status),
        ",".join(ports) or NONE,
        age(obj),
        pairs(spec.get("selector")),
    ]


def _few(values: list[str], limit: int = 3) -> str:
    if not values:
        return NONE
    return ",".join(values[:limit]) + (f" + {len(values) - limit} more..." if len(values) > limit else "")


def _endpoints(obj: Json) -> Cells:
    found = [
        f"{address.get('ip')}:{port.get('port')}" if port else str(address.get("ip"))
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or [{}]
        for address in subset.get("addresses") or ()
    ]
    return [obj["metadata"]["name"], _few(found), age(obj)]


def _slice(obj: Json) -> Cells:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [
        obj["metadata"]["name"],
        obj.get("addressType", ""),
        _few(ports) if ports else UNSET,
        _few(addresses) if addresses else UNSET,
        age(obj),
    ]


def _ingress(obj: Json) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    return [
        obj["metadata"]["name"],
        spec.get("ingressClassName") or NONE,
        _few(hosts) if hosts else "*",
        ",".join(entry.get("ip") or entry.get("hostname", "") for entry in ingress),
        "80, 443" if spec.get("tls") else "80",
        age(obj),
    ]


def _network_policy(obj: Json) -> Cells:
    return [obj["metadata"]["name"], label_selector((obj.get("spec") or {}).get("podSelector")), age(obj)]


def _listed(values: list[str] | None) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]" if values else ""


def _virtual_service(obj: Json) -> Cells:
    spec = obj.get("spec") or {}
    return [obj["metadata"]["name"], _listed(spec.get("gateways")), _listed(spec.get("hosts")), age(obj)]


PRINTERS: Final = {
    "Service": Columns(("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"), _service, ("Selector",)),
    "Endpoints": Columns(("Name", "Endpoints", "Age"), _endpoints),
    "EndpointSlice": Columns(("Name", "AddressType", "Ports", "Endpoints", "Age"), _slice),
    "Ingress": Columns(("Name", "Class", "Hosts", "Address", "Ports", "Age"), _ingress),
    "NetworkPolicy": Columns(("Name", "Pod-Selector", "Age"), _network_policy),
    "VirtualService": Columns(("Name", "Gateways", "Hosts", "Age"), _virtual_service),
}
