"""What a role must allow, by source: the actions of docs/rbac/azure-role.json; the built-in role Reader has all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/read"  # whether a group with an empty log exists

READS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activity": ("Microsoft.Insights/eventtypes/values/read", _GROUP),
        "databases": (
            "Microsoft.Sql/servers/read",
            "Microsoft.Sql/servers/databases/read",
            "Microsoft.Insights/metrics/read",
            "Microsoft.Sql/servers/databases/usages/read",
            "Microsoft.Sql/servers/databases/replicationLinks/read",
            "Microsoft.Sql/servers/databases/operations/read",
        ),
        "alerts": ("Microsoft.Insights/metricAlerts/read", "Microsoft.Insights/metricAlerts/status/read"),
    }
)
