"""Scale a database: ``az sql db update --service-objective``. The runbook, Scenario 3, "Scale up database DTUs".

It starts at the size there is, so that a key too many changes nothing.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, ClassVar, Literal

from probes.azure.rows import DatabaseOperation
from probes.errors import NotFound, ProbeError
from runbook import azure_databases as databases
from runbook import azure_preflight, preflight
from runbook.answers import chosen_in
from runbook.azure_databases import API, KIND, Where
from runbook.errors import NoPlan, Uncertain
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Field, Finding, Hunk, Json, Level, Outcome, Plan, Recipe, Target, Undo, Verdict
from runbook.service_objectives import Objective, around
from runbook.stamps import TAG_ACT, new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

ACTIONS = ("Microsoft.Sql/servers/databases/read", "Microsoft.Sql/servers/databases/write")
OBJECTIVE = "objective"
FIRST, SLOWEST, FACTOR = 0.5, 10.0, 1.5  # seconds between two looks
SHOWS = 30.0  # seconds in which a change that was accepted shows


class ScaleDatabase(Mitigation):
    label: ClassVar[str] = "scale database"
    sentence: ClassVar[str] = "Scale a database: more DTUs or vCores, or fewer"
    place: ClassVar[Literal["cluster", "account", "sql"]] = "account"
    actions: ClassVar[tuple[str, ...]] = ACTIONS
    takes: ClassVar[float] = 3600.0  # minutes for most, longer where the data has to move
    detached: ClassVar[bool] = True

    def __init__(self, id: str, key: str, choosable: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__(id, key, choosable)
        self._looking_since: dict[str, float] = {}

    def refuses(self, aim: Aim) -> str:
        return databases.refuse_no_database(aim)

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        target, obj = await databases.found(scene, aim)
        arm, where = databases.arm_of(scene), Where.of(aim)
        now, size = databases.objective_of(obj), databases.max_size_of(obj)
        if pool := databases.pool_of(obj).rpartition("/")[2]:
            raise NoPlan(f"{where.name} is in the elastic pool {pool}, which has the DTUs or vCores", "scale the pool")
        known = {one.name: one for one in around(now, size)}
        if not known:
            raise NoPlan(f"{where.name} has the service objective {now or '?'}, which this console cannot scale")
        # Never what the runbook file says: the size that is there is the only one that nobody has to think about.
        options = tuple((name, f"{one}{', now' if name == now else ''}") for name, one in known.items())
        value = choices.get(OBJECTIVE, now)
        field, wrong = chosen_in(Field(id=OBJECTIVE, label="objective", kind="choice", value=value, options=options))
        before, wanted = known[now], known.get(field.value, known[now])
        allowed, going = await asyncio.gather(
            azure_preflight.allowed(arm, where.id(arm), ACTIONS), _operations(scene, where)
        )
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Scale database {where.name} from {now} to {wanted.name}",
            verb="Scale",
            remark=f"{before.amount:,} {before.unit} now",
            target=target,
            commands=(_command(arm.subscription, where, wanted),),
            diff=_difference(where, before, wanted),
            findings=(
                *wrong,
                *([] if wrong else _change(before, wanted)),
                azure_preflight.online(obj, where.name),
                allowed,
                *_connections(scene, where, target.uid),
                azure_preflight.alone(scene, going),
                preflight.fresh(scene, ("databases",)),
            ),
            fields=(field,),
            choices={OBJECTIVE: field.value},
            steps={
                "objective": wanted.name,
                "sku": wanted.sku,
                "before": now,
                "tags": [[str(name), str(value)] for name, value in (obj.get("tags") or {}).items()],
                "known": [] if isinstance(going, ProbeError) else [one.id for one in going],
            },
            verified_by=f"{wanted.name} in force, {where.name} Online",
            undo=Undo(
                f"scale back to {now}; its connections are cut once more",
                Recipe(mitigation=self.id, aim=where.aim(), choices={OBJECTIVE: now}),
            ),
            blast=f"every connection to {where.name}, for some seconds",
            wide=True,
            reaches=(where.group, where.server, where.name),
        )

    async def again(self, scene: Scene, plan: Plan) -> Target:
        return await databases.again(scene, plan.target)

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        steps = plan.steps
        # Tags are replaced as a whole; those that are there stay.
        tags = {str(name): str(value) for name, value in steps["tags"]} | hands.stamp.tags
        body: Json = {"sku": steps["sku"], "tags": tags}
        arm = databases.arm_of(scene)
        accepted = await hands.azure.patch(Where.of_target(plan.target).id(arm), API, body)
        tell(f"Azure has accepted it ({accepted.status})")
        return {"status": accepted.status, "request": accepted.request}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        arm, where, pace = databases.arm_of(scene), Where.of_target(plan.target), FIRST
        began = scene.now()
        while True:
            try:
                obj = await databases.read(arm, where)
                outcome = await _judged(scene, plan, obj, tell, scene.now() - began)
                if outcome is not None:
                    return outcome
            except NotFound:
                return Outcome(verdict=Verdict.FAILED, text=f"{where.name} is not on {where.server} any more")
            except ProbeError as error:
                tell(f"cannot look: {error}")
                pace = max(pace, min(error.retry_after or 0.0, 120.0))
            await asyncio.sleep(pace)
            pace = min(pace * FACTOR, SLOWEST)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """By the tag that the request set; else by an operation that is new, or the size that was asked for.

        Raises `Uncertain` while it may still show.
        """
        arm, where = databases.arm_of(scene), Where.of_target(plan.target)
        obj = await databases.read(arm, where)
        if (obj.get("tags") or {}).get(TAG_ACT) == plan.id:
            return True
        if databases.asked_for(obj) == plan.steps["objective"]:
            return True if await _new_operation(scene, plan) is not None else None
        since = self._looking_since.setdefault(plan.id, scene.now())
        left = SHOWS - (scene.now() - since)
        if left > 0:
            raise Uncertain(f"it is {databases.objective_of(obj)}; it could still change for {left:.0f} s")
        return False


async def _judged(scene: Scene, plan: Plan, obj: Json, tell: Tell, waited: float) -> Outcome | None:
    wanted, now, asked = plan.steps["objective"], databases.objective_of(obj), databases.asked_for(obj)
    name, status = plan.target.name, databases.status_of(obj)
    operation = await _new_operation(scene, plan)
    going = operation is not None and operation.going_on
    if now == wanted and status == "Online" and not going:
        return Outcome(verdict=Verdict.WORKED, text=f"{name} is {now} and Online")
    if operation is not None and operation.state in ("Failed", "Cancelled"):
        why = f": {operation.error}" if operation.error else ""
        return Outcome(verdict=Verdict.FAILED, text=f"scaling {operation.state.lower()}, {name} is {now}{why}")
    if asked not in (wanted, plan.steps["before"]) and not going:
        return Outcome(verdict=Verdict.FAILED, text=f"somebody has it scaled to {asked} meanwhile")
    if asked == now != wanted and not going and waited > SHOWS:
        return Outcome(verdict=Verdict.FAILED, text=f"{name} is {now} as before: Azure has not changed it")
    said = databases.spoken_operation(operation) if operation is not None else f"{now}, to be {asked}"
    tell(", ".join(filter(None, (said, status))))
    return None


async def _new_operation(scene: Scene, plan: Plan) -> DatabaseOperation | None:
    """The newest operation that was not there when the plan was made; None too where they may not be listed."""
    try:
        found = await databases.operations(databases.arm_of(scene), Where.of_target(plan.target))
    except ProbeError:
        return None
    return next((one for one in found if one.id not in plan.steps["known"]), None)


async def _operations(scene: Scene, where: Where) -> list[DatabaseOperation] | ProbeError:
    try:
        return await databases.operations(databases.arm_of(scene), where)
    except ProbeError as error:
        return error


# ---------------------------------------------------------------- in words


def _change(before: Objective, wanted: Objective) -> list[Finding]:
    if wanted.name == before.name:
        return [Finding(OBJECTIVE, Level.RED, f"nothing changes: it is {before.name} already", "choose another size")]
    said = []
    if wanted.amount < before.amount:
        text = f"{wanted.name} has {wanted.amount:,} {wanted.unit} instead of {before.amount:,}: is that enough?"
        said.append(Finding(OBJECTIVE, Level.AMBER, text))
    else:
        more = f"{wanted.amount:,} {wanted.unit} instead of {before.amount:,}"
        said.append(Finding(OBJECTIVE, Level.GREEN, f"{wanted.name} has {more}"))
    said.append(Finding("cost", Level.GREEN, f"billed as {wanted.name} instead of {before.name} from then on"))
    if wanted.edition != before.edition:
        text = f"from {before.edition} to {wanted.edition} its data is copied first: minutes to hours until it switches"
        said.append(Finding("edition", Level.AMBER, text))
    return said


def _connections(scene: Scene, where: Where, uid: str) -> list[Finding]:
    text = (
        "when it switches, every open connection is dropped and what is not committed is rolled back: applications"
        " have to reconnect"
    )
    found = [Finding("connections", Level.AMBER, text)]
    snapshot = scene.latest.get("databases")
    row = snapshot.rows.get(uid) if snapshot is not None else None
    for replica in row.replicas if row is not None else ():
        partner = f"{replica.server}/{replica.database}"
        text = f"it is replicated with {partner} ({replica.role.lower() or 'partner'}), which stays as it is"
        found.append(Finding("replica", Level.AMBER, text, "a secondary is scaled up before its primary"))
    return found


def _difference(where: Where, before: Objective, wanted: Objective) -> Diff:
    if wanted.name == before.name:
        return Diff()
    return Diff(hunks=(Hunk(f"{KIND}/{where.name}", (f"- sku: {before}", f"+ sku: {wanted}")),))


def _command(subscription: str, where: Where, wanted: Objective) -> str:
    words = ["az", "sql", "db", "update", "--subscription", subscription, "--resource-group", where.group]
    words += ["--server", where.server, "--name", where.name]
    return shlex.join([*words, "--edition", wanted.edition, "--service-objective", wanted.name])
