"""The activity log: what was done to resources, by whom, and how it ended, as events that share a correlation.

Wire form: Azure/azure-rest-api-specs, Microsoft.Insights 2015-04-01, GetActivityLogsFiltered.
"""

from __future__ import annotations

import base64
import binascii
import random
import re
import uuid
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from msgspec import Struct

from drill.azure.errors import bad_request
from drill.azure.faults import AzureFaults
from drill.azure.instants import Instants, read

Json = dict[str, Any]

FIRST: Final = "aW5mIDA"  # the token of a first page: before it comes nothing
KEPT: Final = 90 * 86_400.0  # seconds
_CLAUSE: Final = re.compile(r"\s*(\w+)\s+(ge|le|eq)\s+'([^']*)'\s*", re.IGNORECASE)
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)
_FIELDS: Final = {
    "resourcegroupname": lambda event: event.act.group,
    "resourceuri": lambda event: event.act.resource,
    "resourceid": lambda event: event.act.resource,
    "resourceprovider": lambda event: event.act.provider,
    "correlationid": lambda event: event.act.correlation,
    "caller": lambda event: event.act.caller,
    "categories": lambda event: event.act.category,  # as 2017-03-01-preview has it; documented nowhere
    "level": lambda event: event.level,
}
_METHODS: Final = {"write": "PUT", "delete": "DELETE", "action": "POST", "read": "GET"}


class Act(Struct, frozen=True):
    """What all events of one operation have in common. ``resource`` is a resource id."""

    operation: str
    text: str
    resource: str
    caller: str
    correlation: str
    category: str = "Administrative"
    description: str = ""
    client_request: str = ""

    @property
    def group(self) -> str:
        parts = self.resource.split("/")
        return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""

    @property
    def provider(self) -> str:
        return self.resource_type.partition("/")[0]

    @property
    def resource_type(self) -> str:
        """``Microsoft.Sql/servers/firewallRules``"""
        _, _, below = self.resource.rpartition("/providers/")
        provider, *rest = below.split("/")
        return "/".join([provider, *rest[::2]])


class Event(Struct, frozen=True):
    """One event; ``at`` in world seconds. ``sub_status`` is (value, as it is worded)."""

    at: float
    number: int
    act: Act
    status: str
    sub_status: tuple[str, str]
    level: str
    name: tuple[str, str]
    properties: Mapping[str, str]
    id: str

    @property
    def key(self) -> tuple[float, int]:
        return self.at, self.number


class Page(Struct, frozen=True):
    """Some events, the newest first, and the token of the page after it ("" if there is none)."""

    events: list[Event]
    token: str


class ActivityLog:
    """All events of one subscription. ``chance`` makes their ids."""

    def __init__(
        self, subscription: str, tenant: str, instants: Instants, faults: AzureFaults, chance: random.Random
    ) -> None:
        self._subscription = subscription
        self._tenant = tenant
        self._instants = instants
        self._faults = faults
        self._chance = chance
        self._events: list[Event] = []
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._events)

    def guid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def note(
        self,
        act: Act,
        at: float,
        status: str,
        *,
        sub_status: tuple[str, str] = ("", ""),
        level: str = "Informational",
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Write one event at an instant of the world."""
        self._numbers += 1
        begins = status == "Started"
        name = ("BeginRequest", "Begin request") if begins else ("EndRequest", "End request")
        about = {"eventCategory": act.category, "entity": act.resource, "message": act.operation}
        event = Event(
            at, self._numbers, act, status, sub_status, level, name, {**about, **(properties or {})}, self.guid()
        )
        insort(self._events, event, key=lambda event: event.key)

    def page(self, wanted: Filter, token: str, size: int) -> Page:
        """At most ``size`` events that are wanted. Raises `ArmError` for a token that is none of ours."""
        newest = self._instants.world(self._instants.wall() - self._faults.lag)
        last = bisect_right(self._events, min(newest, wanted.until), key=lambda event: event.at)
        if token:
            last = min(last, bisect_left(self._events, _key(token), key=lambda event: event.key))
        first = bisect_left(self._events, wanted.since, key=lambda event: event.at)
        found: list[Event] = []
        for index in range(last - 1, first - 1, -1):
            event = self._events[index]
            if wanted.fits(event):
                if len(found) == size:
                    return Page(found, _token(found[-1]))
                found.append(event)
        return Page(found, "")

    def body(self, event: Event) -> Json:
        """An event on the wire."""
        act, stamp = event.act, self._instants.ticks(event.at)
        verb = act.operation.rpartition("/")[2].lower()
        ticks = int(self._instants.wall(event.at) * 10_000_000) + 621_355_968_000_000_000  # since the year 1
        return {
            "authorization": {"action": act.operation, "scope": act.resource},
            "caller": act.caller,
            "channels": "Operation",
            "claims": {"aud": "https://management.azure.com/", "name": act.caller.partition("@")[0]},
            "correlationId": act.correlation,
            "description": act.description,
            "eventDataId": event.id,
            "eventName": _words(*event.name),
            "category": _words(act.category, act.category),
            "httpRequest": {
                "clientRequestId": act.client_request or act.correlation,
                "clientIpAddress": "20.103.12.7",
                "method": _METHODS.get(verb, "POST"),
            },
            "id": f"{act.resource}/events/{event.id}/ticks/{ticks}",
            "level": event.level,
            "resourceGroupName": act.group,
            "resourceProviderName": _words(act.provider, act.provider),
            "resourceId": act.resource,
            "resourceType": _words(act.resource_type, act.resource_type),
            "operationId": act.correlation,
            "operationName": _words(act.operation, act.text),
            "properties": dict(event.properties),
            "status": _words(event.status, event.status),
            "subStatus": _words(*event.sub_status),
            "eventTimestamp": stamp,
            "submissionTimestamp": self._instants.ticks(event.at),
            "subscriptionId": self._subscription,
            "tenantId": self._tenant,
        }


class Filter(Struct, frozen=True):
    """Which events are wanted: world seconds, and what must be equal."""

    since: float
    until: float
    equal: tuple[tuple[Callable[[Event], str], str], ...]

    def fits(self, event: Event) -> bool:
        return all(get(event).lower() == value for get, value in self.equal)


def parse(text: str, instants: Instants) -> Filter:
    """The ``$filter`` of a request. Raises `ArmError` in words like Azure's."""
    since: float | None = None
    until = float("inf")
    equal: list[tuple[Callable[[Event], str], str]] = []
    for clause in _AND.split(text) if text.strip() else ():
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise bad_request(f"The filter clause '{clause}' is not supported.", bare=True)
        field, operator, value = match[1].lower(), match[2].lower(), match[3]
        if field == "eventtimestamp" and operator in ("ge", "le"):
            at = _instant(value, instants)
            since, until = (at, until) if operator == "ge" else (since, at)
        elif field in _FIELDS and operator == "eq":
            equal.append((_FIELDS[field], value.lower()))
        elif field == "eventchannels" and operator == "eq":
            continue
        else:
            raise bad_request(f"The filter clause '{clause}' is not supported.", bare=True)
    if since is None:
        raise bad_request("The start time of the query is missing: $filter=eventTimestamp ge '…'.", bare=True)
    if since < instants.world(instants.wall() - KEPT):
        raise bad_request("The start time cannot be more than 90 days in the past.", bare=True)
    if until < since:
        raise bad_request("The end time must not be before the start time.", bare=True)
    return Filter(since, until, tuple(equal))


def selected(body: Json, select: str) -> Json:
    """Only the properties that ``$select`` names; all if it is empty."""
    names = {name.strip().lower() for name in select.split(",") if name.strip()}
    return {key: value for key, value in body.items() if key.lower() in names} if names else body


def _instant(text: str, instants: Instants) -> float:
    try:
        return instants.world(read(unquote(text)))
    except ValueError:
        raise bad_request(f"The timestamp '{text}' is not valid.", bare=True) from None


def _words(value: str, localized: str) -> Json:
    return {"value": value, "localizedValue": localized}


def _token(event: Event) -> str:
    return base64.urlsafe_b64encode(f"{event.at!r} {event.number}".encode()).decode().rstrip("=")


def _key(token: str) -> tuple[float, int]:
    try:
        at, _, number = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(" ")
        return float(at), int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise bad_request("The skip token is not valid.", bare=True) from None


def bodies(log: ActivityLog, events: Iterable[Event], select: str) -> list[Json]:
    return [selected(log.body(event), select) for event in events]
