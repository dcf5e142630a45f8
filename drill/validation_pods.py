"""Why a pod, or the pod that a template would make, is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from drill import naming
from drill.quantities import parse

Json = dict[str, Any]
Cause = tuple[str, str, str]  # reason, field, message
_PULLING: Final = ("Always", "IfNotPresent", "Never")
_RESTARTING: Final = ("Always", "OnFailure", "Never")
_DNS: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def missing(field: str) -> Cause:
    return ("FieldValueRequired", field, "Required value")


def invalid(field: str, value: object, why: str, *, quoted: bool = True) -> Cause:
    """``quoted``: a text is shown in quotation marks."""
    shown = f'"{value}"' if isinstance(value, str) and quoted else f"{value}"
    return ("FieldValueInvalid", field, f"Invalid value: {shown}: {why}")


def supported(field: str, value: object, known: Iterable[str], *, quoted: bool = True) -> Cause:
    listed = ", ".join(f'"{one}"' for one in known)
    shown = f'"{value}"' if quoted else value
    return ("FieldValueNotSupported", field, f"Unsupported value: {shown}: supported values: {listed}")


def duplicate(field: str, value: str) -> Cause:
    return ("FieldValueDuplicate", field, f'Duplicate value: "{value}"')


def pod_spec(spec: Json, at: str, *, template: bool = False) -> list[Cause]:
    """The causes, in the order in which a real server finds them."""
    volumes, causes = _volumes(spec.get("volumes") or [], f"{at}.volumes")
    seen: set[str] = set()
    containers = spec.get("containers") or []
    if not containers:
        causes.append(missing(f"{at}.containers"))
    for name in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(name) or []):
            causes += _container(container, f"{at}.{name}[{index}]", volumes, seen)
    restart = spec.get("restartPolicy", "Always")
    if restart not in _RESTARTING:
        causes.append(supported(f"{at}.restartPolicy", restart, _RESTARTING))
    dns = spec.get("dnsPolicy", "ClusterFirst")
    if dns not in _DNS:
        causes.append(supported(f"{at}.dnsPolicy", dns, _DNS))
    if spec.get("nodeName"):
        causes += [invalid(f"{at}.nodeName", spec["nodeName"], why) for why in naming.subdomain(spec["nodeName"])]
    if template and restart in ("OnFailure", "Never"):
        causes.append(supported(f"{at}.restartPolicy", restart, ("Always",)))
    return causes


def _volumes(volumes: list[Json], at: str) -> tuple[set[str], list[Cause]]:
    names: set[str] = set()
    causes: list[Cause] = []
    for index, volume in enumerate(volumes):
        name = volume.get("name", "")
        causes += _name(name, f"{at}[{index}].name", names)
        names.add(name)
    return names, causes


def _name(name: str, at: str, taken: set[str]) -> list[Cause]:
    """What is wrong with a name that is a label and must be the only one of its kind."""
    if not name:
        return [missing(at)]
    return [invalid(at, name, why) for why in naming.label(name)] or ([duplicate(at, name)] if name in taken else [])


def _container(container: Json, at: str, volumes: set[str], seen: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    name, image = container.get("name", ""), container.get("image", "")
    causes += _name(name, f"{at}.name", seen)
    seen.add(name)
    if not image:
        causes.append(missing(f"{at}.image"))
    for index, port in enumerate(container.get("ports") or []):
        number = port.get("containerPort", 0)
        if number == 0:
            causes.append(missing(f"{at}.ports[{index}].containerPort"))
        elif not 1 <= number <= 65535:
            why = "must be between 1 and 65535, inclusive"
            causes.append(invalid(f"{at}.ports[{index}].containerPort", number, why))
    for index, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            causes.append(missing(f"{at}.env[{index}].name"))
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            shown = f'Not found: "{mount.get("name", "")}"'
            causes.append(("FieldValueNotFound", f"{at}.volumeMounts[{index}].name", shown))
    policy = container.get("imagePullPolicy", "Always")
    if policy not in _PULLING:
        causes.append(supported(f"{at}.imagePullPolicy", policy, _PULLING))
    return causes + _resources(container.get("resources") or {}, f"{at}.resources")


def _resources(resources: Json, at: str) -> list[Cause]:
    causes: list[Cause] = []
    limits = resources.get("limits") or {}
    for name, value in (resources.get("requests") or {}).items():
        if name in limits and parse(value) > parse(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid(f"{at}.requests", value, why))
    return causes
