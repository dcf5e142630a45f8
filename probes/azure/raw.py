"""What Azure itself has of a row, fetched when somebody wants to see or keep it: a database, an operation's events."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from probes.azure.account import MONITOR_ACTIVITY, SQL_VERSION, Account
from probes.azure.activity import OVERLAP
from probes.azure.wire import filter_time
from probes.errors import BadAnswer

_PRIVATE = ("claims", "httpRequest", "authorization")
_BODIES = ("requestbody", "responsebody")


async def raw_database(account: Account, resource_id: str) -> dict[str, Any]:
    """The database of this moment, as Azure has it. Raises `ProbeError`."""
    asked = f"the database {resource_id.rpartition('/')[2]}"
    reply = await account.get(quote(resource_id), {"api-version": SQL_VERSION}, asked=asked)
    try:
        return msgspec.json.decode(reply.body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise BadAnswer(f"Azure's answer to {asked} is not a JSON object") from None


async def raw_events(
    account: Account, *, correlation: str, resource_id: str, operation: str, since: float, until: float
) -> list[dict[str, Any]]:
    """The events that were folded into one operation, the oldest first. Instants in epoch seconds. Raises `ProbeError`.

    Left out: the caller's claims and address, and the bodies of requests, which may hold passwords.
    """
    which = f"correlationId eq '{correlation}'" if correlation else f"resourceUri eq '{resource_id}'"
    span = f"eventTimestamp ge '{filter_time(since - 1)}' and eventTimestamp le '{filter_time(until + OVERLAP)}'"
    query = {"api-version": MONITOR_ACTIVITY, "$filter": f"{span} and {which}"}
    path = f"/subscriptions/{account.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    found: list[dict[str, Any]] = []
    async for page in account.pages(path, query, asked="the events of the operation", service="monitor"):
        for item in page.items:
            try:
                event = msgspec.json.decode(item, type=dict[str, Any])
            except (msgspec.DecodeError, RecursionError):
                continue
            name = event.get("operationName")
            if isinstance(name, dict) and name.get("value") == operation:
                found.append(_public(event))
    return sorted(found, key=lambda event: str(event.get("eventTimestamp")))


def _public(event: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in event.items() if name not in _PRIVATE}
    if isinstance(properties := kept.get("properties"), dict):
        kept["properties"] = {name: value for name, value in properties.items() if name.lower() not in _BODIES}
    return kept
