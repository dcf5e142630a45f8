"""Resource ids taken apart: ``/subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME/TYPE/NAME``. Pure."""

from __future__ import annotations

import re

_GROUP = re.compile(r"/resourceGroups/([^/]+)", re.IGNORECASE)
_PROVIDERS = re.compile(r"/providers/", re.IGNORECASE)


def group_of(resource: str) -> str:
    found = _GROUP.search(resource)
    return found[1] if found else ""


def type_of(resource: str) -> str:
    """``Microsoft.Sql/servers/databases``, of the innermost provider."""
    parts = _PROVIDERS.split(resource)
    if len(parts) < 2:
        return "Microsoft.Resources/resourceGroups" if group_of(resource) else "Microsoft.Resources/subscriptions"
    segments = parts[-1].strip("/").split("/")
    return "/".join((segments[0], *segments[1::2]))


def names_of(resource: str) -> str:
    """What tells it from the others of its group: ``banking-sql/allow-aks``; the group itself is its name."""
    parts = _PROVIDERS.split(resource.rstrip("/"))
    names = [name for part in parts[1:] for name in part.strip("/").split("/")[2::2]]
    if names:
        return "/".join(names)
    return group_of(resource) or resource.rstrip("/").rpartition("/")[2]
