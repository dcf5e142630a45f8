"""What patches and field ownership must know of the built-in types: which lists are keyed, and which values are atomic.

The tables are those of the OpenAPI extensions x-kubernetes-list-map-keys, x-kubernetes-map-type and
x-kubernetes-patch-merge-key, by field name; two field names mean different things in different kinds.
"""

from __future__ import annotations

from typing import Any, Final

Path = tuple[str, ...]

_LIST_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "podIPs": ("ip",),
    "addresses": ("type",),
    "secrets": ("name",),
    "ports": ("containerPort", "protocol"),
}
_DEFAULT_KEYS: Final = {"protocol": "TCP"}  # a key that may be left out, and what it is then
_SETS: Final = frozenset({"finalizers"})
_ATOMIC: Final = frozenset(
    {
        "selector",
        "podSelector",
        "namespaceSelector",
        "nodeSelector",
        "fieldRef",
        "resourceFieldRef",
        "secretKeyRef",
        "configMapKeyRef",
        "claimRef",
        "targetRef",
        "roleRef",
        "involvedObject",
        "regarding",
        "source",
    }
)
_RETAIN_KEYS: Final = frozenset({"strategy", "updateStrategy", "volumes"})
# Structs that are there even when nobody set them: they have no owner of their own.
_ALWAYS_THERE: Final = frozenset(
    {"metadata", "spec", "status", "template", "strategy", "updateStrategy", "jobTemplate"}
)


def list_keys(kind: str, path: Path) -> tuple[str, ...] | None:
    """The keys of a list of objects; None if it is replaced as a whole. ``path`` is of field names, without indices."""
    if not path:
        return None
    name = path[-1]
    if name == "ports":
        if kind == "Service":
            return ("port", "protocol") if path == ("spec", "ports") else None
        return _LIST_KEYS[name] if len(path) > 1 and path[-2].endswith("ontainers") else None
    if name == "addresses" and kind != "Node":
        return None
    if name == "secrets" and kind != "ServiceAccount":
        return None
    return _LIST_KEYS.get(name)


def key_of(item: dict[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    """The values of an item's keys, defaults filled in."""
    return tuple(item.get(key, _DEFAULT_KEYS.get(key)) for key in keys)


def is_set(path: Path) -> bool:
    """Whether a list of primitives is merged as a set."""
    return bool(path) and path[-1] in _SETS


def is_atomic(path: Path) -> bool:
    """Whether an object is replaced and owned as a whole."""
    return bool(path) and path[-1] in _ATOMIC


def retains_keys(path: Path) -> bool:
    """Whether strategic merge honours $retainKeys here."""
    return bool(path) and path[-1] in _RETAIN_KEYS


def is_always_there(path: Path) -> bool:
    return all(name in _ALWAYS_THERE for name in path)


def is_required_list(path: Path) -> bool:
    """Whether a list is there (as null) even in an empty object, so that nobody owns the list itself."""
    return bool(path) and path[-1] == "containers"
