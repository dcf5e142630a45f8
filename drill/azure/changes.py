"""What can be done to the databases: scale, restore, create, delete, cancel; each runs on the platform's clock.

Every one writes to the activity log as Resource Manager does: begun, accepted, and how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct

from drill.azure.activity import Act
from drill.azure.database import GB, Database
from drill.azure.errors import ArmError, bad_request, conflict
from drill.azure.estate import ACCEPTED, CONFLICT, OK, Estate
from drill.azure.instants import read
from drill.azure.operations import Operation, State
from drill.azure.part import SqlDatabase
from drill.azure.tiers import TIERS, Tier, by_sku
from drill.offsets import seconds

Json = dict[str, Any]

WRITE: Final = ("Microsoft.Sql/servers/databases/write", "Update SQL database")
DELETE: Final = ("Microsoft.Sql/servers/databases/delete", "Delete SQL database")
CANCEL: Final = ("Microsoft.Sql/servers/databases/operations/cancel/action", "Cancels database operation")
_PREPARING: Final = 20.0  # seconds of the world until a restore's database is more than a name
_INTERRUPTION: Final = 8.0  # seconds without connections at the end of scaling
_DROPPING: Final = 12.0
_CANCELLING: Final = 10.0
_CREATING: Final = 60.0
_FAILURE: Final = (40197, "The service has encountered an error processing your request. Please try again.")


class Request(Struct, frozen=True):
    """Who asks for a change: the caller, and what the log will join it by."""

    caller: str
    correlation: str
    client_request: str = ""


class Changes:
    """Changes the databases of an estate. What cannot be done raises `ArmError`, and is in the log as failed."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._clock = estate.clock

    # Asked for

    def put(self, name: str, body: Json, request: Request) -> Operation | Database:
        """Create or change a database, or restore one; what changes nothing answers the database."""
        act = self._act(WRITE, name, request)
        with _noted(self._estate, act):
            properties = body.get("properties") or {}
            mode = str(properties.get("createMode") or "Default")
            held = self._estate.find(name)
            if mode == "PointInTimeRestore":
                return self._restore(name, body, properties, act)
            if mode not in ("Default", "None"):
                raise bad_request(f"The create mode '{mode}' is not supported.", "UnsupportedCreateMode")
            if held is not None:
                return self._update(held, body, act)
            return self._create(name, body, act)

    def patch(self, name: str, body: Json, request: Request) -> Operation | Database:
        """Change a database: ``sku``, ``properties.maxSizeBytes``, ``properties.zoneRedundant``, ``tags``."""
        database = self._estate.database(name)
        act = self._act(WRITE, database.name, request)
        with _noted(self._estate, act):
            return self._update(database, body, act)

    def delete(self, name: str, request: Request) -> Operation | None:
        """Drop a database; None if there is none. A restore into it ends with it."""
        database = self._estate.find(name)
        if database is None:
            return None
        act = self._act(DELETE, database.name, request)
        for operation in database.operations:
            if operation.going_on:
                self._end(database, operation, "Cancelled")
        return self._begin(database, act, "DropLogicalDatabase", _DROPPING, lambda: self._estate.remove(database))

    def cancel(self, name: str, operation_id: str, request: Request) -> None:
        """Cancel an operation that goes on."""
        database = self._estate.database(name)
        operation = next((found for found in database.operations if found.id == operation_id.lower()), None)
        act = self._act(CANCEL, database.name, request)
        with _noted(self._estate, act):
            if operation is None:
                raise ArmError(404, "OperationIdNotFound", f"The operation with Id {operation_id} does not exist.")
            if not operation.cancellable:
                raise conflict("CannotCancelOperation", "The management operation cannot be cancelled.")
        operation.state = "CancelInProgress"
        if operation.timer is not None:
            operation.timer.cancel()
        now = self._estate.instants.now
        self._estate.log.note(act, now, "Started")
        self._estate.log.note(act, now, "Succeeded", sub_status=OK)
        operation.timer = self._clock.after(_CANCELLING, lambda: self._cancelled(database, operation))

    # What each of them is

    def _update(self, database: Database, body: Json, act: Act) -> Operation | Database:
        properties = body.get("properties") or {}
        tier = self._tier(body) or database.tier.last
        size = int(properties["maxSizeBytes"]) // GB if properties.get("maxSizeBytes") else database.max_gb
        zones = bool(properties.get("zoneRedundant", database.zone_redundant))
        if size > tier.max_gb:
            raise bad_request(
                f"The service objective '{tier.objective}' does not support the database max size of {size} GB; "
                f"it supports {tier.max_gb} GB at most.",
                "InvalidMaxSizeTierCombination",
            )
        if zones and not tier.zones:
            raise bad_request(
                f"Provisioning of zone redundant database is not supported for '{tier.objective}'.",
                "ProvisioningDisabled",
            )
        if (tier, size, zones) == (database.tier.last, database.max_gb, database.zone_redundant):
            if "tags" in body:
                database.tags = {str(key): str(value) for key, value in (body["tags"] or {}).items()}
                self._done_at_once(act)
            return database
        self._refuse_if_busy(database)
        if "tags" in body:
            database.tags = {str(key): str(value) for key, value in (body["tags"] or {}).items()}
        database.status, database.requested = "Scaling", tier
        takes = seconds(self._estate.part.scaling) * self._estate.chance.uniform(0.9, 1.1)

        def done() -> None:
            now = self._clock.now
            if tier is not database.tier.last:
                database.tier.change(now, tier)
                database.interruptions.append((now, now + _INTERRUPTION))
            database.max_gb, database.zone_redundant = size, zones
            self._settle(database)

        return self._begin(database, act, "UpdateLogicalDatabase", takes, done)

    def _restore(self, name: str, body: Json, properties: Json, act: Act) -> Operation:
        source_id = str(properties.get("sourceDatabaseId") or "")
        prefix = f"{self._estate.server_id}/databases/".lower()
        source = self._estate.find(source_id[len(prefix) :]) if source_id.lower().startswith(prefix) else None
        if source is None:
            raise ArmError(404, "SourceDatabaseNotFound", "The source database does not exist.")
        if self._estate.find(name) is not None:
            raise conflict(
                "DatabaseAlreadyExists",
                f"The destination database name '{name}' already exists on the server '{self._estate.part.server}'.",
            )
        self._check_point(source, str(properties.get("restorePointInTime") or ""))
        tier = self._tier(body) or source.tier.last
        data = SqlDatabase(
            name=name,
            objective=tier.objective,
            max_gb=min(source.max_gb, tier.max_gb),
            used_gb=source.part.used_gb,
            demand=tier.capacity * 0.01,
            swing=tier.capacity * 0.005,
            workers=1,
            sessions=2,
            zone_redundant=source.zone_redundant and tier.zones,
        )
        return self._arrive(data, tier, "RestoreLogicalDatabase", seconds(self._estate.part.restoring), act)

    def _check_point(self, source: Database, point: str) -> None:
        instants = self._estate.instants
        try:
            at = instants.world(read(point))
        except ValueError:
            raise bad_request(
                f"The restore point in time '{point}' is not a valid date.", "InvalidRestorePointInTime"
            ) from None
        earliest = source.earliest_restore(instants.now)
        if not earliest <= at <= instants.now:
            raise bad_request(
                f"The restore point in time '{point}' is not between the earliest '{instants.stamp(earliest)}' and the "
                f"latest '{instants.stamp()}' restore point of database '{source.name}'.",
                "InvalidRestorePointInTime",
            )

    def _create(self, name: str, body: Json, act: Act) -> Operation:
        tier = self._tier(body) or TIERS["GP_Gen5_2"]
        data = SqlDatabase(
            name=name, objective=tier.objective, max_gb=min(32, tier.max_gb), used_gb=0.1, demand=0.1, swing=0.05
        )
        return self._arrive(data, tier, "CreateLogicalDatabase", _CREATING, act)

    def _arrive(self, data: SqlDatabase, tier: Tier, kind: str, takes: float, act: Act) -> Operation:
        """A database that is on its way."""
        database = self._estate.add(data, self._clock.now, tier=tier)
        database.status = "Creating"
        operation = self._begin(
            database, act, kind, takes * self._estate.chance.uniform(0.9, 1.1), lambda: self._settle(database)
        )
        if kind == "RestoreLogicalDatabase":
            self._clock.after(min(_PREPARING, takes / 4), lambda: self._restoring(database, operation))
        return operation

    @staticmethod
    def _restoring(database: Database, operation: Operation) -> None:
        if operation.going_on:
            database.status = "Restoring"

    # An operation's life

    def _begin(self, database: Database, act: Act, kind: str, takes: float, done: Callable[[], None]) -> Operation:
        estate, now = self._estate, self._clock.now
        operation = Operation(
            id=estate.log.guid(),
            kind=kind,
            database=database.name,
            server=database.server,
            begun=now,
            takes=takes,
            correlation=act.correlation,
        )
        estate.operations[operation.id] = operation
        database.operations.insert(0, operation)
        estate.log.note(act, now, "Started")
        estate.log.note(act, now, "Accepted", sub_status=ACCEPTED, properties={"statusCode": "Accepted"})
        if estate.faults.failing > 0:
            estate.faults.failing -= 1
            operation.timer = self._clock.after(takes / 2, lambda: self._failed(database, operation, act))
        else:
            operation.timer = self._clock.after(takes, lambda: self._succeeded(operation, act, done))
        return operation

    def _succeeded(self, operation: Operation, act: Act, done: Callable[[], None]) -> None:
        done()
        operation.state, operation.ended, operation.timer = "Succeeded", self._clock.now, None
        self._estate.log.note(act, self._clock.now, "Succeeded")

    def _failed(self, database: Database, operation: Operation, act: Act) -> None:
        operation.error = _FAILURE
        self._end(database, operation, "Failed")
        properties = {"statusCode": "Conflict", "statusMessage": f'{{"error":{{"code":"{_FAILURE[0]}"}}}}'}
        self._estate.log.note(act, self._clock.now, "Failed", sub_status=CONFLICT, level="Error", properties=properties)

    def _cancelled(self, database: Database, operation: Operation) -> None:
        self._end(database, operation, "Cancelled")
        act = Act(*WRITE, self._estate.id_of(database), self._estate.part.user, operation.correlation)
        self._estate.log.note(act, self._clock.now, "Canceled", level="Warning")

    def _end(self, database: Database, operation: Operation, state: State) -> None:
        """It did not come to its end: what was to be made is gone, what was there is as before."""
        if operation.timer is not None:
            operation.timer.cancel()
        operation.state, operation.ended, operation.timer = state, self._clock.now, None
        if operation.kind in ("RestoreLogicalDatabase", "CreateLogicalDatabase"):
            self._estate.remove(database)
        else:
            self._settle(database)

    @staticmethod
    def _settle(database: Database) -> None:
        database.status, database.requested = "Online", None

    # Rules

    @staticmethod
    def _tier(body: Json) -> Tier | None:
        """What the request's ``sku`` or requested objective means; None if it names none."""
        sku = body.get("sku") or {}
        name = (body.get("properties") or {}).get("requestedServiceObjectiveName")
        if not sku and name:
            sku = {"name": name}
        if not sku:
            return None
        found = by_sku(sku)
        if found is None:
            raise bad_request(f"User specified an invalid sku: {sku}.", "InvalidSku")
        return found

    @staticmethod
    def _refuse_if_busy(database: Database) -> None:
        if not database.readable:
            raise conflict(
                "DatabaseNotInStateToUpdate", f"The database '{database.name}' is {database.status}, not Online."
            )
        if any(operation.going_on for operation in database.operations):
            raise conflict(
                "UpsloUpdateInProgress",
                "User attempted to initiate a service level objective update while one was in progress. Please wait "
                "for in-progress updates to complete before attempting.",
            )

    def _act(self, operation: tuple[str, str], name: str, request: Request) -> Act:
        resource = f"{self._estate.server_id}/databases/{name}"
        return Act(*operation, resource, request.caller, request.correlation, client_request=request.client_request)

    def _done_at_once(self, act: Act) -> None:
        now = self._estate.instants.now
        self._estate.log.note(act, now, "Started")
        self._estate.log.note(act, now, "Succeeded", sub_status=OK)


@contextmanager
def _noted(estate: Estate, act: Act) -> Iterator[None]:
    """A block whose refusal is an entry of the activity log, too."""
    try:
        yield
    except ArmError as error:
        now = estate.instants.now
        estate.log.note(act, now, "Started")
        estate.log.note(
            act,
            now,
            "Failed",
            sub_status=(error.code, f"{error.code} (HTTP Status Code: {error.status})"),
            level="Error",
            properties={"statusCode": error.code, "statusMessage": error.message},
        )
        raise
