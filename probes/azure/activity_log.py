"""The events of an activity log folded into operations, whatever order they come in and however often. Pure.

Events arrive late (Azure says within minutes), out of order, and again with every look that overlaps the one before.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from probes.azure import wire
from probes.azure.resources import group_of, names_of, type_of
from probes.azure.rows import Activity
from probes.rows import Health

MOST = 10_000  # operations kept, the newest; and events that wait to be known again
GOING_ON = 3600.0  # seconds after which an operation whose end was never logged is not said to go on any more
_MOST_TEXT = 500  # characters of a description

_FINAL = ("Succeeded", "Failed", "Canceled", "Cancelled", "Resolved", "Completed")
_ORDER = {"Started": 0, "Accepted": 1, "InProgress": 2}  # of events that bear the same instant
_LEVELS = ("Critical", "Error", "Warning", "Informational", "Verbose")
# Their status goes to and fro; of all others an end stays an end, although clocks differ by which events are stamped.
_INCIDENTS = ("ServiceHealth", "ResourceHealth", "Alert")


class Seen(Struct, frozen=True, gc=False):
    """What is remembered of one event."""

    at: float
    status: str
    sub_status: str
    description: str


class _Operation(Struct):
    row: Activity
    newest: Seen


class ActivityLog:
    """The newest ``most`` operations; ``put`` and ``drop`` are told of every row that changed.

    ``only`` is the category that is taken in, where not all of them are.
    """

    def __init__(
        self, put: Callable[[str, Activity], None], drop: Callable[[str], None], most: int = MOST, only: str = ""
    ) -> None:
        self._put = put
        self._drop = drop
        self._most = most
        self._only = only
        self._operations: dict[str, _Operation] = {}
        self._known: dict[str, float] = {}  # event → its instant
        self.forgotten_until = float("-inf")
        """What was before it was dropped to make room, and does not come back (epoch seconds)."""
        self.unreadable = 0

    def __len__(self) -> int:
        return len(self._operations)

    def take(self, raws: Iterable[msgspec.Raw], now: float) -> float | None:
        """Fold one page of events in. ``now`` is Azure's time. Returns the instant of the newest event on the page."""
        touched: dict[str, None] = {}
        newest: float | None = None
        for raw in raws:
            try:
                event = _decoder.decode(raw)
            except (msgspec.DecodeError, RecursionError):
                event = wire.Event()
            at = wire.instant(event.event_timestamp)
            if at is None:
                self.unreadable += 1
                continue
            newest = at if newest is None else max(newest, at)
            if self._only and _category(event) != self._only:
                continue
            if (key := self._fold(event, at, now)) is not None:
                touched[key] = None
        for key in touched:
            self._put(key, self._operations[key].row)
        self._bound()
        return newest

    def settle(self, now: float, needed_from: float) -> None:
        """Time has passed: what never ended is given up, and events before ``needed_from`` are not read again."""
        for key, operation in self._operations.items():
            row = operation.row
            if row.health is Health.DEGRADED and row.ended_at is None:
                operation.row = replace(row, health=_health(operation.newest, row.level, row.category, now))
                if operation.row != row:
                    self._put(key, operation.row)
        if len(self._known) > 2 * self._most:
            self._known = {event: at for event, at in self._known.items() if at >= needed_from}

    def _fold(self, event: wire.Event, at: float, now: float) -> str | None:
        """The key of the operation that the event belongs to; None if it is known, or from before what is kept."""
        identity = event.event_data_id or event.id or f"{event.correlation_id} {at}"
        if identity in self._known or at < self.forgotten_until:
            return None
        self._known[identity] = at
        seen = Seen(
            at,
            sys.intern(event.status.value or "" if event.status else ""),
            sys.intern(event.sub_status.text if event.sub_status else ""),
            _description(event),
        )
        key = _key(event, identity)
        operation = self._operations.get(key)
        if operation is None:
            row, newest = _row(event, key, at), seen
        else:
            row = operation.row
            ordered = sorted((operation.newest, seen), key=lambda each: _place(each, row.category))
            newest = ordered[-1]
        level = min(filter(None, (row.level, event.level)), key=_severity, default="")
        row = replace(
            row,
            at=min(row.at, at),
            ended_at=newest.at if _final(newest.status) else None,
            status=newest.status,
            sub_status=newest.sub_status,
            level=sys.intern(level),
            description=newest.description or seen.description or row.description,
            events=row.events + 1,
            health=_health(newest, level, row.category, now),
        )
        self._operations[key] = _Operation(row, newest)
        return key

    def _bound(self) -> None:
        """Drop the oldest; a tenth more may be there, so that it is not sorted for each page."""
        if len(self._operations) <= self._most + self._most // 10:
            return
        by_age = sorted(self._operations.items(), key=lambda item: item[1].newest.at)
        for key, operation in by_age[: len(by_age) - self._most]:
            self.forgotten_until = max(self.forgotten_until, operation.newest.at)
            del self._operations[key]
            self._drop(key)
        self._known = {event: at for event, at in self._known.items() if at >= self.forgotten_until}


def _key(event: wire.Event, identity: str) -> str:
    """Correlation, operation and resource; one that is alone has its own id."""
    if not event.correlation_id:
        return identity
    operation = (event.operation_name.value or "" if event.operation_name else "").lower()
    told = f"{operation}\n{_resource(event).lower()}".encode("utf-8", "replace")
    return f"{event.correlation_id}:{hashlib.blake2b(told, digest_size=6).hexdigest()}"


def _row(event: wire.Event, key: str, at: float) -> Activity:
    resource = _resource(event)
    kind = (event.resource_type.value if event.resource_type else "") or type_of(resource)
    name = event.operation_name or wire.Named()
    operation = name.value or (event.authorization.action if event.authorization else "") or ""
    return Activity(
        key=key,
        at=at,
        ended_at=None,
        category=sys.intern(_category(event)),
        operation=sys.intern(operation),
        operation_text=sys.intern(name.text or operation),
        status="",
        sub_status="",
        level="",
        caller=sys.intern(event.caller or ""),
        resource_id=sys.intern(resource),
        resource_type=sys.intern(kind),
        resource=sys.intern(names_of(resource)),
        resource_group=sys.intern(event.resource_group_name or group_of(resource)),
        correlation=event.correlation_id or "",
        description="",
        events=0,
        health=Health.HEALTHY,
    )


def _resource(event: wire.Event) -> str:
    """The resource's id; older events have it as the scope of the authorization, or only inside their own id."""
    if event.resource_id:
        return event.resource_id
    if event.authorization and event.authorization.scope:
        return event.authorization.scope
    return (event.id or "").partition("/events/")[0]


def _description(event: wire.Event) -> str:
    """Azure's own words on it: of a failure why, of an incident its title."""
    if not event.properties:
        return _short(event.description or "")
    try:
        properties = _properties.decode(event.properties)
    except (msgspec.DecodeError, RecursionError):
        return _short(event.description or "")
    told = properties.status_message
    message = _message(told.encode() if isinstance(told, str) else bytes(told or b""))
    if event.status and event.status.value == "Failed" and message:
        return _short(message)
    return _short(event.description or properties.title or properties.details or properties.cause or "")


class _Said(Struct):
    message: str | None = ""


class _Message(Struct):
    error: _Said | None = None
    message: str | None = ""


def _message(told: bytes) -> str:
    """The sentence in a ``statusMessage``, which is an error body, or plain text."""
    if not told:
        return ""
    try:
        found = _messages.decode(told)
    except (msgspec.DecodeError, RecursionError):
        return told.decode("utf-8", "replace")
    return (found.error.message if found.error else found.message) or ""


def _short(text: str) -> str:
    text = " ".join(text[: 4 * _MOST_TEXT].split())
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _final(status: str) -> bool:
    return status in _FINAL


def _category(event: wire.Event) -> str:
    return (event.category.value if event.category else "") or "Administrative"


def _place(seen: Seen, category: str) -> tuple[bool, float, int]:
    ends = category not in _INCIDENTS and _final(seen.status)
    return ends, seen.at, _ORDER.get(seen.status, 3)


def _severity(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _health(newest: Seen, level: str, category: str, now: float) -> Health:
    """FAILING: failed or critical; DEGRADED: a warning, or still going on; DORMANT: its end was never logged."""
    if newest.status == "Resolved":
        return Health.HEALTHY
    if newest.status == "Failed" or level == "Critical":
        return Health.FAILING
    if level in ("Error", "Warning"):
        return Health.DEGRADED
    if _final(newest.status) or (category not in _INCIDENTS and newest.status not in _ORDER):
        return Health.HEALTHY
    if category in _INCIDENTS:
        return Health.DEGRADED
    return Health.DEGRADED if now - newest.at <= GOING_ON else Health.DORMANT


_decoder = msgspec.json.Decoder(wire.Event)
_properties = msgspec.json.Decoder(wire.EventProperties)
_messages = msgspec.json.Decoder(_Message)
