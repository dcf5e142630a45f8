"""What kubectl asks first: which groups, versions and resources there are, singly or aggregated; and the version."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from drill.kinds import KINDS, ONE_OBJECT, Kind

Json = dict[str, Any]

_SUBRESOURCE_KIND: Final = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
    "exec": ("", "v1", "PodExecOptions"),
}
_SUBRESOURCE_VERBS: Final = {
    "log": ("get",),
    "eviction": ("create",),
    "binding": ("create",),
    "exec": ("create", "get"),
}


def version_body(git_version: str) -> Json:
    major, minor = git_version.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": git_version,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.24.9",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


class Discovery:
    """The discovery documents of the kinds that are served; not those of groups and versions in ``without``."""

    def __init__(self, *, metrics: bool, without: Collection[str] = ()) -> None:
        unserved = {*without} | (set() if metrics else {"metrics.k8s.io"})
        self.kinds = tuple(kind for kind in KINDS if not {kind.group, kind.api_version} & unserved)
        self._groups: dict[str, list[str]] = {}
        for kind in self.kinds:
            versions = self._groups.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)

    def serves(self, kind: Kind) -> bool:
        return kind in self.kinds

    def legacy_versions(self, address: str) -> Json:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }

    def groups(self) -> Json:
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [self._group(group) for group in self._groups if group],
        }

    def group(self, name: str) -> Json | None:
        if not name or name not in self._groups:
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(name)}

    def _group(self, name: str) -> Json:
        versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in self._groups[name]]
        return {"name": name, "versions": versions, "preferredVersion": versions[0]}

    def resources(self, group: str, version: str) -> Json | None:
        """The APIResourceList of a version, sorted by name as the real one is; None if it is not served."""
        if version not in self._groups.get(group, ()):
            return None
        resources: list[Json] = []
        for kind in self._of(group, version):
            entry: Json = {
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": [*kind.verbs],
            }
            if kind.short_names:
                entry["shortNames"] = [*kind.short_names]
            if kind.categories:
                entry["categories"] = [*kind.categories]
            resources.append(entry)
            for subresource in kind.subresources:
                sub_group, sub_version, sub_kind = _SUBRESOURCE_KIND.get(subresource, ("", "", kind.kind))
                named: Json = {"group": sub_group, "version": sub_version} if sub_group else {}
                resources.append(
                    {
                        "name": f"{kind.plural}/{subresource}",
                        "singularName": "",
                        "namespaced": kind.namespaced,
                        **named,
                        "kind": sub_kind,
                        "verbs": [*_SUBRESOURCE_VERBS.get(subresource, ONE_OBJECT)],
                    }
                )
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": resources,
        }

    def aggregated(self, *, core: bool, version: str) -> Json:
        """All of /api (``core``) or of /apis as one APIGroupDiscoveryList of apidiscovery.k8s.io/``version``."""
        items: list[Json] = []
        for group, versions in self._groups.items():
            if (group == "") is not core:
                continue
            items.append(
                {
                    "metadata": {"name": group} if group else {},
                    "versions": [
                        {
                            "version": one,
                            "resources": [self._aggregated(kind) for kind in self._of(group, one)],
                            "freshness": "Current",
                        }
                        for one in versions
                    ],
                }
            )
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }

    def _of(self, group: str, version: str) -> list[Kind]:
        return sorted((k for k in self.kinds if k.group == group and k.version == version), key=lambda k: k.plural)

    @staticmethod
    def _aggregated(kind: Kind) -> Json:
        entry: Json = {
            "resource": kind.plural,
            "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular,
            "verbs": [*kind.verbs],
        }
        if kind.short_names:
            entry["shortNames"] = [*kind.short_names]
        if kind.categories:
            entry["categories"] = [*kind.categories]
        subresources: list[Json] = []
        for subresource in kind.subresources:
            group, version, name = _SUBRESOURCE_KIND.get(subresource, (kind.group, kind.version, kind.kind))
            subresources.append(
                {
                    "subresource": subresource,
                    "responseKind": {"group": group, "version": version, "kind": name},
                    "verbs": [*_SUBRESOURCE_VERBS.get(subresource, ONE_OBJECT)],
                }
            )
        if subresources:
            entry["subresources"] = subresources
        return entry
