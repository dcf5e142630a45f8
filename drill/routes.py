"""What a URL of the API means: which kind, namespace, object and subresource, and the verb that access rules know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drill import kinds
from drill.kinds import Kind

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that a request is about. ``namespace`` is ``""`` for the cluster scope and for all namespaces."""

    kind: Kind
    namespace: str
    name: str
    subresource: str

    def verb(self, method: str, watching: bool) -> str:
        """get, list, watch, create, update, patch, delete or deletecollection."""
        if method in ("GET", "HEAD"):
            if self.name:
                return "get"
            return "watch" if watching else "list"
        if method == "DELETE":
            return "delete" if self.name else "deletecollection"
        return _VERBS.get(method, method.lower())


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """Discovery of one group (``version`` empty) or of one version of it."""

    group: str
    version: str


def parse(path: str) -> Target | GroupTarget | None:
    """The meaning of a decoded path below /api or /apis; None if nothing is there."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return None
    if parts[0] == "api":
        if len(parts) < 2 or parts[1] != "v1":
            return None
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) >= 2:
        group, version, rest = parts[1], parts[2] if len(parts) > 2 else "", parts[3:]
    else:
        return None
    if not rest:
        return GroupTarget(group, version)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not (len(rest) == 3 and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "watch":
        return None  # the deprecated /watch/ paths
    kind = kinds.find(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        return None
    name = rest[1] if len(rest) > 1 else ""
    if name and kind.namespaced and not namespace:
        return None
    return Target(kind, namespace, name, rest[2] if len(rest) > 2 else "")
