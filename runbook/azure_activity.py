"""What Azure's activity log knows of an act's own request, by its id. Asked where looking does not tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from probes.errors import ProbeError
from runbook.stamps import correlation_of

if TYPE_CHECKING:
    from runbook.arm import Arm
    from runbook.plan import Plan
    from runbook.scene import Scene

API = "2015-04-01"  # of Microsoft.Insights/eventtypes
PATH = "providers/Microsoft.Insights/eventtypes/management/values"
EARLIER = 900.0  # seconds: Azure's clock and ours, and the time a plan was read


class Heard(NamedTuple):
    """The newest event of the request. ``failed``: Azure gave it up; ``text`` says why, as Azure does."""

    status: str
    failed: bool
    text: str


async def heard(arm: Arm, scene: Scene, plan: Plan, resource: str) -> Heard | None:
    """What the log has of the act's request on a resource (its id); None for nothing, or if it may not be read."""
    since = datetime.fromtimestamp(plan.made_at - EARLIER, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = correlation_of(scene.incident, plan.id)
    # By the resource and not by the correlation: Resource Manager may have given it one of its own.
    condition = f"eventTimestamp ge '{since}' and resourceUri eq '{unquote(resource)}'"
    try:
        events = await arm.values(arm.path(*PATH.split("/")), API, "the activity log", {"$filter": condition})
    except ProbeError:
        return None
    ours = [event for event in events if wanted in _ids(event)]
    if not ours:
        return None
    newest = max(ours, key=lambda event: str(event.get("eventTimestamp") or ""))
    status = str((newest.get("status") or {}).get("value") or "")
    properties = newest.get("properties") or {}
    message = " ".join(str(properties.get("statusMessage") or newest.get("description") or "").split())[:300]
    return Heard(status, status == "Failed", f"{status}: {message}" if message else status)


def _ids(event: dict[str, Any]) -> tuple[str, str]:
    request = event.get("httpRequest") or {}
    return str(event.get("correlationId") or ""), str(request.get("clientRequestId") or "")
