"""Azure's activity and its fired alerts as rows of the changes pane. Imported with the first of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from probes.azure.rows import Activity, FiredAlert
from probes.rows import Health
from widgets.changes import Change
from widgets.plain import plain

CATEGORIES: Mapping[str, str] = {
    "ServiceHealth": "service health",
    "ResourceHealth": "resource health",
    "Autoscale": "autoscale",
    "Alert": "alert",
    "Policy": "policy",
    "Security": "security",
    "Recommendation": "advice",
}
"""Azure's categories as a person says them; Administrative is told by its operation."""

TOLD = ("ServiceHealth", "ResourceHealth", "Alert", "Security")
"""Categories that are worth a row though nobody changed anything."""

GOING_ON = ("Started", "Accepted", "Running", "InProgress")
_OBJECT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def activity_change(row: Activity) -> Change:
    failed, changed = row.health is Health.FAILING, row.change
    ending = " failed" if failed and row.category == "Administrative" else " …" if row.status in GOING_ON else ""
    told = row.description if failed or row.category in TOLD else ""
    of, _, leaf = row.resource.rpartition("/")  # what tells apart comes first: there is little room
    words = (leaf, row.sub_status if failed else "", told, of and f"of {of}", row.operation_text)
    return Change(
        key=activity_key(row.key),
        at=row.at,
        source="activity",
        system="azure",
        what=plain(short_operation(row.operation, row.category) + ending, 80),
        subject=plain("  ".join(filter(None, words))),
        author=plain(caller(row), 80),
        bad=row.health < Health.HEALTHY and ending != " …",
        item=row,
        revision=None,
        quiet=not (changed or row.category in TOLD or row.health < Health.HEALTHY),
        candidate=changed,
    )


def alert_change(row: FiredAlert) -> Change:
    severity = "" if row.severity is None else f"sev {row.severity}"
    return Change(
        key=f"alert:{row.key}",
        at=row.at,
        source="alerts",
        system="alert",
        what=plain(row.rule, 80),
        subject=plain("  ".join(filter(None, (severity, row.target.rpartition("/")[2], row.description)))),
        author="azure monitor",
        bad=row.health < Health.HEALTHY,
        item=row,
        revision=None,
        candidate=False,
    )


def activity_key(key: str) -> str:
    """The key of an operation's row in the changes pane."""
    return f"azure:{key}"


@lru_cache(maxsize=1024)
def short_operation(operation: str, category: str) -> str:
    """``firewallRules/write`` of ``Microsoft.Sql/servers/firewallRules/write``; or what its category is called."""
    if category in CATEGORIES and category != "Autoscale":
        return CATEGORIES[category]
    parts = operation.split("/")
    if len(parts) > 2 and parts[-1].lower() == "action":
        return "/".join(parts[-3:-1]) if len(parts) > 3 else parts[-2]
    return "/".join(parts[-2:])


def caller(row: Activity) -> str:
    """Who did it: an address without its domain; of an application that is only known by its id, the id's end."""
    name, at, _ = row.caller.partition("@")
    if at:
        return name
    if _OBJECT_ID.fullmatch(row.caller):
        return f"app …{row.caller[-6:]}"
    return row.caller.rpartition("/")[2]  # Microsoft.Insights/autoscaleSettings
