"""Everything that a scenario has in Azure, as it stands: one group, one server, its databases, alerts and activity."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from drill.azure import errors
from drill.azure.activity import Act, ActivityLog
from drill.azure.database import Database, WasDown
from drill.azure.faults import AzureFaults
from drill.azure.history import History
from drill.azure.instants import Instants
from drill.azure.metrics import DEFINITIONS, MINUTE, Metrics
from drill.azure.operations import Operation
from drill.azure.part import Activity, Alert, Azure, SqlDatabase
from drill.azure.sessions import Sessions
from drill.azure.tiers import TIERS, Tier
from drill.clock import Clock
from drill.offsets import seconds

Json = dict[str, Any]

_QUIET: Final = ("ServiceHealth", "ResourceHealth", "Alert", "Recommendation", "Security")  # those have one event only


class Estate:
    """Built from a scenario's part ``azure``; ``start`` is the world instant that its offsets are relative to.

    ``was_down`` tells whether a service of the cluster was not available at an instant, ``was_gone`` whether it had no
    ready pod at all; ``needed_by`` are the services that need a database; ``seed`` decides ids and spans.
    """

    def __init__(
        self,
        part: Azure,
        clock: Clock,
        start: float,
        was_down: WasDown | None = None,
        *,
        needed_by: Mapping[str, tuple[str, ...]] | None = None,
        was_gone: WasDown = lambda service, at: False,
        seed: int = 29,
    ) -> None:
        self.part = part
        self.clock = clock
        self.faults = AzureFaults()
        self.instants = Instants(clock, self.faults)
        self.chance = random.Random(seed)  # noqa: S311 (ids and durations)
        self.log = ActivityLog(part.subscription, part.tenant, self.instants, self.faults, self.chance)
        self.metrics = Metrics(self.instants, self.faults)
        self._needed_by, self._was_gone = needed_by or {}, was_gone
        self.databases: list[Database] = []
        self.operations: dict[str, Operation] = {}
        self._start = start
        self._was_down: WasDown = was_down or (lambda service, at: False)
        for data in part.databases:
            self.add(data, start + seconds(data.created))
        for entry in part.activity:
            self._remember(entry)

    # Names

    @property
    def scope(self) -> str:
        """The resource id of the group."""
        return f"/subscriptions/{self.part.subscription}/resourceGroups/{self.part.group}"

    @property
    def server_id(self) -> str:
        return f"{self.scope}/providers/Microsoft.Sql/servers/{self.part.server}"

    def id_of(self, database: Database) -> str:
        return f"{self.server_id}/databases/{database.name}"

    # What is there

    def find(self, name: str) -> Database | None:
        """A database by its name, whatever its case."""
        return next((found for found in self.databases if found.name.lower() == name.lower()), None)

    def database(self, name: str) -> Database:
        """Raises `ArmError` (404)."""
        found = self.find(name)
        if found is None:
            raise errors.no_resource(f"Microsoft.Sql/servers/{self.part.server}/databases/{name}", self.part.group)
        return found

    def pressure(self, name: str, at: float) -> float:
        """Demand of a database as a share of what it has, at an instant; 0 for one that is not there."""
        found = self.find(name)
        return found.pressure(at) if found is not None else 0.0

    def interrupted(self, name: str, at: float) -> bool:
        """Whether a database takes no connections at an instant; one that is not there takes none."""
        found = self.find(name)
        return found is None or found.interrupted(at)

    def add(self, data: SqlDatabase, created: float, *, tier: Tier | None = None) -> Database:
        """Put a database on the server."""
        database = Database(
            group=self.part.group,
            server=self.part.server,
            part=data,
            guid=self.log.guid(),
            created=created,
            start=self._start,
            tier=History(tier or TIERS[data.objective]),
            sessions=Sessions(data.blockers, self.clock, self._start),
            was_down=self._was_down,
            needed_by=self._needed_by.get(data.name, ()),
            was_gone=self._was_gone,
            max_gb=data.max_gb,
            zone_redundant=data.zone_redundant,
        )
        self.databases.append(database)
        return database

    def remove(self, database: Database) -> None:
        """Take it off the server; it may be gone already."""
        if not database.deleted:
            database.deleted = True
            self.databases.remove(database)

    # The past

    def _remember(self, entry: Activity) -> None:
        """The events of an operation of the past."""
        act = Act(
            operation=entry.operation,
            text=entry.text,
            resource=self._resource(entry),
            caller=entry.caller,
            correlation=self.log.guid(),
            category=entry.category,
            description=entry.description,
        )
        begun = self._start + seconds(entry.at)
        if entry.category in _QUIET or entry.status in ("Active", "Resolved"):
            self.log.note(act, begun, entry.status, level=entry.level)
            return
        ended = begun + seconds(entry.takes)
        failed = entry.status == "Failed"
        self.log.note(act, begun, "Started")
        if seconds(entry.takes) > 15:
            self.log.note(act, begun + 1.0, "Accepted", sub_status=ACCEPTED, properties={"statusCode": "Accepted"})
        self.log.note(
            act,
            ended,
            entry.status,
            sub_status=CONFLICT if failed else OK,
            level="Error" if failed else entry.level,
            properties={"statusCode": "Conflict" if failed else "OK"},
        )

    def _resource(self, entry: Activity) -> str:
        if entry.category == "ServiceHealth":  # it is about a region, and not about a group of ours
            return f"/subscriptions/{self.part.subscription}/providers/{entry.resource}"
        return f"{self.scope}/providers/{entry.resource}"

    # Alerts

    def fired(self, alert: Alert) -> bool:
        """Whether the metric's average over the alert's window, world seconds, is above its threshold."""
        database = self.find(alert.database)
        if database is None or not database.readable:
            return False
        minutes = max(1, int(seconds(alert.window) // MINUTE))
        now = self.clock.now
        ends = [min(now, now // MINUTE * MINUTE - MINUTE * (ago - 1)) for ago in range(minutes)]
        found = [DEFINITIONS[alert.metric].value(database, at) for at in ends if at >= database.created]
        values = [value for value in found if value is not None]
        return bool(values) and sum(values) / len(values) > alert.threshold


ACCEPTED: Final = ("Accepted", "Accepted (HTTP Status Code: 202)")
OK: Final = ("OK", "OK (HTTP Status Code: 200)")
CONFLICT: Final = ("Conflict", "Conflict (HTTP Status Code: 409)")
