"""A SQL database as a plan has it: where it is in Azure, what a plan relies on, and what is going on with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from probes.azure.rows import DatabaseOperation
from probes.errors import NotFound
from runbook.errors import Changed, NoPlan
from runbook.plan import Aim, Target
from runbook.scene import digest

if TYPE_CHECKING:
    from runbook.arm import Arm
    from runbook.scene import Scene

Json = dict[str, Any]

KIND = "SqlDatabase"
API = "2021-11-01"  # of Microsoft.Sql, the version that azure-mgmt-sql 4 speaks
SYSTEM = ("master", "model", "msdb", "tempdb")

NO_AZURE = "this console has no Azure account"
NO_AZURE_HINT = "name a subscription and resource groups under [azure] in the settings"
NO_DATABASE = "only for a database"


class Where(NamedTuple):
    """A database's place. ``group`` is the resource group."""

    group: str
    server: str
    name: str

    @classmethod
    def of(cls, aim: Aim) -> Where:
        """Where the row that was aimed at is. Raises `NoPlan`."""
        group, _, server = aim.namespace.partition("/")
        if aim.kind != KIND or not (group and server and aim.name):
            raise NoPlan(NO_DATABASE)
        return cls(group, server, aim.name)

    @classmethod
    def of_target(cls, target: Target) -> Where:
        group, _, server = target.namespace.partition("/")
        return cls(group, server, target.name)

    def beside(self, name: str) -> Where:
        """Another database on the same server."""
        return self._replace(name=name)

    @property
    def namespace(self) -> str:
        return f"{self.group}/{self.server}"

    def id(self, arm: Arm) -> str:
        """The resource id, each name quoted: the path of its requests."""
        return f"{self.server_id(arm)}/databases/{quote(self.name, safe='')}"

    def server_id(self, arm: Arm) -> str:
        return arm.path("resourceGroups", self.group, "providers", "Microsoft.Sql", "servers", self.server)

    def aim(self) -> Aim:
        return Aim(kind=KIND, namespace=self.namespace, name=self.name)


def refuse_no_database(aim: Aim) -> str:
    """Why a row is none that a mitigation of databases is about."""
    if aim.kind != KIND:
        return NO_DATABASE
    return "a system database is Azure's own" if aim.name.lower() in SYSTEM else ""


def arm_of(scene: Scene) -> Arm:
    """The console's way to read Azure. Raises `NoPlan` where there is none."""
    if scene.arm is None:
        raise NoPlan(NO_AZURE, NO_AZURE_HINT)
    return scene.arm


async def read(arm: Arm, where: Where) -> Json:
    """The database as Azure has it now. Raises `ProbeError`, `NotFound` among them."""
    return await arm.get(where.id(arm), API, f"database {where.name}")


async def found(scene: Scene, aim: Aim) -> tuple[Target, Json]:
    """The database that a row means, as the plan's target, and itself. Raises `NoPlan`, `ProbeError`."""
    arm, where = arm_of(scene), Where.of(aim)
    try:
        obj = await read(arm, where)
    except NotFound as error:
        raise NoPlan(f"{where.name} is not on {where.server} any more", "look again: the pane will follow") from error
    return target_of(arm, where, obj), obj


async def again(scene: Scene, target: Target) -> Target:
    """The plan's database as it is now. Raises `Changed` when it is gone, `ProbeError` when nobody knows."""
    arm, where = arm_of(scene), Where.of_target(target)
    try:
        return target_of(arm, where, await read(arm, where))
    except NotFound as error:
        raise Changed(f"{where.name} is not on {where.server} any more; nothing was sent") from error


def target_of(arm: Arm, where: Where, obj: Json) -> Target:
    """``resource_version`` is the database's own id: one that was dropped and created again has another."""
    properties = obj.get("properties") or {}
    return Target(
        context=arm.subscription,
        server=arm.server,
        kind=KIND,
        namespace=where.namespace,
        name=where.name,
        uid=str(obj.get("id") or where.id(arm)).lower(),
        resource_version=str(properties.get("databaseId") or ""),
        digest=digest(relied_on(obj)),
    )


def relied_on(obj: Json) -> Any:
    """What a plan about a database relies on: which it is, its size, where it is, whether it is in use."""
    properties = obj.get("properties") or {}
    kept = (
        "databaseId", "creationDate", "currentServiceObjectiveName", "requestedServiceObjectiveName", "maxSizeBytes",
        "elasticPoolId", "status", "zoneRedundant",
    )  # fmt: skip
    return [obj.get("location"), obj.get("sku"), {name: properties.get(name) for name in kept}]


# ---------------------------------------------------------------- what is known of one


def status_of(obj: Json) -> str:
    return str((obj.get("properties") or {}).get("status") or "")


def objective_of(obj: Json) -> str:
    """``S3``, ``GP_Gen5_4``: what it has now."""
    properties, sku = obj.get("properties") or {}, obj.get("sku") or {}
    return str(properties.get("currentServiceObjectiveName") or sku.get("name") or "")


def asked_for(obj: Json) -> str:
    """The service objective that it is to have: another than it has while it is scaled."""
    return str((obj.get("properties") or {}).get("requestedServiceObjectiveName") or objective_of(obj))


def edition_of(obj: Json) -> str:
    return str((obj.get("sku") or {}).get("tier") or "")


def sku_of(obj: Json) -> Json:
    """Its size, as another of the same size is asked for."""
    sku = obj.get("sku") or {}
    return {name: sku[name] for name in ("name", "tier", "family", "capacity", "size") if sku.get(name) is not None}


def pool_of(obj: Json) -> str:
    """The id of the elastic pool it is in; empty if it is in none."""
    return str((obj.get("properties") or {}).get("elasticPoolId") or "")


def max_size_of(obj: Json) -> int | None:
    size = (obj.get("properties") or {}).get("maxSizeBytes")
    return int(size) if isinstance(size, int | float) and size > 0 else None


def instant(text: object) -> float | None:
    """An Azure time as epoch seconds, None for what is none; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def spoken_size(size: int | None) -> str:
    """``250 GB``: what its data may grow to."""
    if size is None:
        return "of unknown size"
    gib = size / 2**30
    return (
        f"{gib / 1024:g} TB" if gib >= 1024 and gib % 1024 == 0 else f"{gib:.3g} GB" if gib < 1000 else f"{gib:.0f} GB"
    )


# ---------------------------------------------------------------- operations


async def operations(arm: Arm, where: Where) -> list[DatabaseOperation]:
    """What goes on or went on with a database, the newest first. Raises `ProbeError`."""
    items = await arm.values(f"{where.id(arm)}/operations", API, f"the operations of {where.name}")
    found = [_operation(item) for item in items]
    return sorted(found, key=lambda one: -(one.started_at or 0.0))


def _operation(item: Json) -> DatabaseOperation:
    properties: Json = item.get("properties") or {}
    percent = properties.get("percentComplete")
    error = " ".join(str(properties.get("errorDescription") or "").split())[:300]
    code = properties.get("errorCode")
    return DatabaseOperation(
        id=str(item.get("name") or ""),
        operation=str(properties.get("operationFriendlyName") or properties.get("operation") or ""),
        state=str(properties.get("state") or ""),
        percent=int(percent) if isinstance(percent, int | float) else None,
        started_at=instant(properties.get("startTime")),
        error=f"{error} (error {code})" if error and code else error,
        cancellable=bool(properties.get("isCancellable")),
    )


def going_on(found: Sequence[DatabaseOperation]) -> list[DatabaseOperation]:
    return [one for one in found if one.going_on]


def spoken_operation(one: DatabaseOperation) -> str:
    percent = f", {one.percent} %" if one.percent is not None else ""
    return f"{one.operation} {one.state}{percent}"
