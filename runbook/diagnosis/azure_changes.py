"""Which operations in Azure are suspects, and how near to what is ill each of them was.

An operation that changed something counts, and so does what Azure says of its own health while it is bad. It touches a
database (full weight) if it is about a server whose database is ill, or about any database's server while what is ill
speaks of a database; what everything stands on (network, cluster, secrets, identities, databases) is shared; the rest
is elsewhere. One that failed changed little, and counts half. While nodes are not ready, what Azure says of its own
health explains them better than they do themselves, if it goes on: it counts for more than a node, and by no distance.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from heapq import nlargest
from typing import TYPE_CHECKING

from probes.rows import Health
from runbook.diagnosis.change import TOUCHES, Change, closeness
from runbook.diagnosis.findings import Place, Touch
from runbook.diagnosis.wording import clip

if TYPE_CHECKING:
    from probes.azure.rows import Activity
    from runbook.diagnosis.situation import Situation

MOST, BEST, SINCE = 1_000, 12, 8
"""How many of the newest before the first symptom are weighed, how many of those and of what came since are told."""

FAILED = 0.5
EXPLAINS = {"ServiceHealth": 1.25, "ResourceHealth": 1.2}
"""The weight of Azure's own health while nodes are not ready, by category."""

DATABASES = ("microsoft.sql/", "microsoft.dbfor", "microsoft.documentdb/", "microsoft.cache/")
SHARED = (
    *DATABASES,
    "microsoft.network/",
    "microsoft.containerservice/",
    "microsoft.compute/",
    "microsoft.keyvault/",
    "microsoft.managedidentity/",
    "microsoft.authorization/",
    "microsoft.apimanagement/",
    "microsoft.cdn/",
    "microsoft.servicebus/",
    "microsoft.eventhub/",
)
"""Resource types, in lower case, on which what runs in a cluster stands."""

HEALTH = ("ServiceHealth", "ResourceHealth")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def counts(row: Activity) -> bool:
    """Whether it may be the cause of something."""
    return row.change or (row.category in HEALTH and row.health <= Health.DEGRADED)


def azure_changes(now: Situation, oldest: float, began: float) -> Iterator[Change]:
    """The newest before the first symptom (``began``) and the newest since then; none from before ``oldest``."""
    rows = now.sight.newest_operations
    first = bisect_left(rows, -began, key=lambda row: -row.at)
    before = (row for row in rows[first : first + MOST] if row.at >= oldest)
    weighed = ((_weight(now, row) * closeness(began - row.at), row.at, row.key, row) for row in before)
    for *_, row in nlargest(BEST, weighed):
        yield _change(now, row)
    for row in rows[: min(first, SINCE)]:
        yield _change(now, row)


def _weight(now: Situation, row: Activity) -> float:
    if _explains_nodes(now, row):
        return EXPLAINS[row.category]
    return TOUCHES[_touch(now, row)[0]] * (FAILED if _failed(row) else 1.0)


def _explains_nodes(now: Situation, row: Activity) -> bool:
    return row.category in HEALTH and row.health <= Health.DEGRADED and any(not node.ready for node in now.sick_nodes)


def _failed(row: Activity) -> bool:
    return row.health is Health.FAILING and row.change


def _change(now: Situation, row: Activity) -> Change:
    touch, reason = _touch(now, row)
    failed = _failed(row)
    ending = ", failed" if failed else ""
    about = row.operation_text or row.operation
    if row.category in HEALTH and row.description:
        about = f"{about}: {clip(row.description)}"
    return Change(
        id=f"azure:{row.key}",
        kind="azure",
        at=row.at,
        what=f"{about if row.category in HEALTH else clip(about)} {clip(row.resource)}".strip() + ending,
        short=thing(row),
        by=row.caller,
        touch=touch,
        weight=_weight(now, row),
        reason=f"{reason}, but it failed" if failed else reason,
        place=Place(pane="changes", kind="Activity", name=row.resource, key=row.key),
        ongoing=_explains_nodes(now, row),
    )


def thing(row: Activity) -> str:
    """``firewall rule allow-aks-egress``: the last part of the type, in the singular, and of the name."""
    if row.category in HEALTH:
        return "Azure's service health" if row.category == "ServiceHealth" else f"the health of {clip(row.resource)}"
    kind = _WORDS.sub(" ", row.resource_type.rpartition("/")[2]).lower()
    kind = kind[:-1] if kind.endswith("s") and not kind.endswith(("ss", "us", "is")) else kind
    return " ".join(filter(None, (clip(kind), clip(row.resource.rpartition("/")[2])))) or clip(row.operation)


def _touch(now: Situation, row: Activity) -> tuple[Touch, str]:
    kind = row.resource_type.lower()
    if _explains_nodes(now, row):
        return "node", "nodes are not ready, and the machines are Azure's"
    if kind.startswith(DATABASES):
        server = row.resource.partition("/")[0].lower()
        for database in now.sick_databases:
            if database.server.lower() == server:
                return "database", f"it is about the server of {database.name}, which is ill"
        if now.speaks_of_databases:
            return "database", "what is ill speaks of a database"
    if kind.startswith(SHARED) or row.category == "ServiceHealth":
        return "shared", "what is ill may stand on it"
    return "elsewhere", "nothing that is ill is known to stand on it"
