"""Restore a database to a point in time, into a new one: ``az sql db restore``. The runbook, "Database Recovery".

The source is only read. What Azure does takes from minutes to hours and goes on without us: it is followed by the new
database's name, by whichever console is there. On a database that is being restored, the same key cancels that.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import TYPE_CHECKING, ClassVar, Literal

from probes.azure.rows import DatabaseOperation
from probes.errors import NotFound, ProbeError
from runbook import azure_databases as databases
from runbook import azure_preflight, preflight, restore_cancelling, restore_following
from runbook.azure_databases import API, KIND, Where
from runbook.errors import Changed
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Field, Finding, Hunk, Json, Level, Outcome, Plan, Recipe, Target, Undo
from runbook.restore_points import Window, asked, utc
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

ACTIONS = ("Microsoft.Sql/servers/databases/read", "Microsoft.Sql/servers/databases/write")
NAME = "name"
TIMESTAMP = "TIMESTAMP"  # in the runbook file's name for the new database: seconds since the epoch
USUAL_NAME = "restore-TIMESTAMP"

# learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
_FREE_NAME = re.compile(r"[^<>*%&:\\/?@'\"\x00-\x1f\x7f]{0,127}[^<>*%&:\\/?@'\"\x00-\x1f\x7f. ]")


class RestoreDatabase(Mitigation):
    label: ClassVar[str] = "restore database"
    sentence: ClassVar[str] = "Restore a database to a point in time, into a new one; or cancel such a restore"
    detached: ClassVar[bool] = True
    place: ClassVar[Literal["cluster", "account", "sql"]] = "account"
    actions: ClassVar[tuple[str, ...]] = (*ACTIONS, *restore_cancelling.ACTIONS)
    takes: ClassVar[float] = 12 * 3600.0  # a large database takes hours

    def __init__(self, id: str, key: str, choosable: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__(id, key, choosable)
        self.following = restore_following.Following()

    def refuses(self, aim: Aim) -> str:
        return databases.refuse_no_database(aim)

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        target, obj = await databases.found(scene, aim)
        arm, source = databases.arm_of(scene), Where.of(aim)
        if choices.get(restore_cancelling.CANCEL) or databases.status_of(obj) in restore_following.UNDER_WAY:
            return await restore_cancelling.plan(self.id, scene, target, obj)
        name = _name(scene, self.id, source, choices)
        window = Window(
            databases.instant((obj.get("properties") or {}).get("earliestRestoreDate")), scene.now(), scene.began
        )
        answered = asked(window, choices)
        allowed, going, free = await asyncio.gather(
            azure_preflight.allowed(arm, source.server_id(arm), ACTIONS),
            _operations(scene, source),
            _free(scene, source, name),
        )
        objective, size = databases.objective_of(obj), databases.spoken_size(databases.max_size_of(obj))
        pool = databases.pool_of(obj).rpartition("/")[2]
        kind = f"{objective} of {size}" if not pool else f"database of {size} in the pool {pool}"
        fields = (
            Field(id=NAME, label="new database", kind="text", value=name, hint="must not exist"),
            *answered.fields,
        )
        new = source.beside(name)
        point = answered.point if answered.point is not None else window.proposed
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Restore {source.name} as of {utc(point)} UTC into {name}",
            verb="Restore",
            remark=f"{objective}, {size}",
            target=target,
            commands=(_command(arm.subscription, source, name, point, obj),),
            diff=Diff(hunks=(Hunk(f"{KIND}/{name}", tuple(f"+ {line}" for line in _made(source, point, obj))),)),
            findings=(
                *(each for each in answered.findings if each.level is Level.RED),
                free,
                allowed,
                azure_preflight.online(obj, source.name),
                *(each for each in answered.findings if each.level is not Level.RED),
                azure_preflight.alone(scene, going),
                preflight.fresh(scene, ("databases",)),
                Finding("untouched", Level.GREEN, f"{source.name} is only read; whoever uses it goes on using it"),
                Finding(
                    "cost",
                    Level.AMBER,
                    f"billed as a second {kind} until it is deleted"
                    if not pool
                    else f"a second {kind}: it takes of the pool's load and storage until it is deleted",
                ),
            ),
            fields=fields,
            choices={field.id: field.value for field in fields},
            steps={
                "name": name,
                "point": point,
                "objective": objective,
                "sku": databases.sku_of(obj),
                "location": str(obj.get("location") or ""),
                "pool": databases.pool_of(obj),
            },
            verified_by=f"{name} is Online",
            undo=Undo(
                f"while it runs, it can be cancelled; afterwards the new database is deleted by hand: {_delete(new)}",
                Recipe(mitigation=self.id, aim=new.aim(), choices={restore_cancelling.CANCEL: "yes"}),
            ),
            phrase=source.name,
            blast=f"a new database, {kind}",
            wide=True,
            reaches=(source.group, source.server, source.name),
        )

    def warned_of(self, plan: Plan) -> bool:
        return not restore_cancelling.cancels(plan)

    async def again(self, scene: Scene, plan: Plan) -> Target:
        target = await databases.again(scene, plan.target)
        if not restore_cancelling.cancels(plan):
            name = plan.steps["name"]
            try:
                await databases.read(databases.arm_of(scene), Where.of_target(target).beside(name))
            except NotFound:
                return target
            raise Changed(f"there is a database {name} by now; nothing was sent")
        return target

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        if restore_cancelling.cancels(plan):
            return await restore_cancelling.act(hands, scene, plan, tell)
        arm, source, steps = databases.arm_of(scene), Where.of_target(plan.target), plan.steps
        properties: Json = {
            "createMode": "PointInTimeRestore",
            "sourceDatabaseId": source.id(arm),
            "restorePointInTime": _rfc3339(steps["point"]),
        }
        body: Json = {"location": steps["location"], "properties": properties, "tags": hands.stamp.tags}
        if steps["pool"]:
            properties["elasticPoolId"] = steps["pool"]
        else:
            body["sku"] = steps["sku"]
        accepted = await hands.azure.put(source.beside(steps["name"]).id(arm), API, body)
        self.following.began(plan.id, accepted.operation)
        tell(f"Azure has accepted it ({accepted.status})")
        return {"status": accepted.status, "request": accepted.request}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        if restore_cancelling.cancels(plan):
            return await restore_cancelling.verify(scene, plan, tell)
        return await self.following.to_its_end(scene, plan, tell)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        if restore_cancelling.cancels(plan):
            return await restore_cancelling.took_effect(scene, plan)
        return await self.following.took_effect(scene, plan)


# ---------------------------------------------------------------- what is asked


def _name(scene: Scene, mitigation: str, source: Where, choices: Choices) -> str:
    usual = scene.playbook.default(mitigation, NAME, f"{source.name}-{USUAL_NAME}")
    return choices.get(NAME, usual.replace(TIMESTAMP, str(int(scene.now())))).strip()


async def _free(scene: Scene, source: Where, name: str) -> Finding:
    """Whether nothing has the new database's name."""
    if not _FREE_NAME.fullmatch(name) or name.lower() in databases.SYSTEM:
        return Finding(NAME, Level.RED, f"{name[:60]!r} is no name for a database", "choose another name")
    if name.lower() == source.name.lower():
        return Finding(NAME, Level.RED, "a restore never goes over the database it is made of", "choose another name")
    try:
        await databases.read(databases.arm_of(scene), source.beside(name))
    except NotFound:
        return Finding(NAME, Level.GREEN, f"{name} is free on {source.server}")
    except ProbeError as error:
        return Finding(NAME, Level.RED, f"whether {name} is free is not known: {error}", error.hint)
    return Finding(NAME, Level.RED, f"there is a database {name} on {source.server} already", "choose another name")


async def _operations(scene: Scene, source: Where) -> list[DatabaseOperation] | ProbeError:
    try:
        return await databases.operations(databases.arm_of(scene), source)
    except ProbeError as error:
        return error


# ---------------------------------------------------------------- in words


def _made(source: Where, point: float, obj: Json) -> list[str]:
    pool = databases.pool_of(obj).rpartition("/")[2]
    size = f"{databases.objective_of(obj)} ({databases.edition_of(obj)})" if not pool else f"in the pool {pool}"
    return [
        f"server: {source.server}",
        f"restored from: {source.name}",
        f"as of: {utc(point)} UTC",
        f"size: {size}, {databases.spoken_size(databases.max_size_of(obj))}",
    ]


def _command(subscription: str, source: Where, name: str, point: float, obj: Json) -> str:
    words = ["az", "sql", "db", "restore", "--subscription", subscription, "--resource-group", source.group]
    words += ["--server", source.server, "--name", source.name, "--dest-name", name, "--time", _rfc3339(point)]
    if pool := databases.pool_of(obj):
        words += ["--elastic-pool", pool]
    else:
        words += ["--edition", databases.edition_of(obj), "--service-objective", databases.objective_of(obj)]
    return shlex.join(words)


def _delete(where: Where) -> str:
    words = ["--resource-group", where.group, "--server", where.server, "--name", where.name]
    return shlex.join(["az", "sql", "db", "delete", *words])


def _rfc3339(at: float) -> str:
    return f"{utc(at).replace(' ', 'T')}Z"
