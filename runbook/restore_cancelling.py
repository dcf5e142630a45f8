"""Cancel a restore that is under way, where Azure lets: a plan of its own, about the database that is being made."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from probes.errors import NotFound, ProbeError
from runbook import azure_databases as databases
from runbook import azure_preflight
from runbook.azure_databases import API, KIND, Where
from runbook.errors import NoPlan
from runbook.plan import Diff, Finding, Hunk, Json, Level, Outcome, Plan, Target, Undo, Verdict
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.mitigation import Tell
    from runbook.scene import Scene

CANCEL = "cancel"  # a step and a choice
ACTIONS = ("Microsoft.Sql/servers/databases/operations/cancel/action",)
FIRST, SLOWEST, FACTOR = 0.5, 10.0, 1.5


def cancels(plan: Plan) -> bool:
    return bool(plan.steps.get(CANCEL))


async def plan(mitigation: str, scene: Scene, target: Target, obj: Json) -> Plan:
    """Raises `NoPlan` where nothing is under way (any more), `ProbeError`."""
    arm, where = databases.arm_of(scene), Where.of_target(target)
    going = databases.going_on(await databases.operations(arm, where))
    delete = ["az", "sql", "db", "delete", "--resource-group", where.group, "--server", where.server]
    delete = [*delete, "--name", where.name]
    if not going:
        status = databases.status_of(obj) or "in no known state"
        raise NoPlan(
            f"nothing goes on with {where.name} that could be cancelled: it is {status}",
            f"if it is not needed any more: {shlex.join(delete)}",
        )
    operation = going[0]
    words = ["az", "sql", "db", "op", "cancel", "--subscription", arm.subscription, "--resource-group", where.group]
    words += ["--server", where.server, "--database", where.name, "--name", operation.id]
    said = Finding("operation", Level.GREEN, databases.spoken_operation(operation))
    if not operation.cancellable:
        text = f"Azure does not let this be cancelled: {databases.spoken_operation(operation)}"
        said = Finding("operation", Level.RED, text, f"wait until it ended, then: {shlex.join(delete)}")
    return Plan(
        id=new_act(),
        mitigation=mitigation,
        title=f"Cancel the restore of {where.name}",
        verb="Cancel it",
        remark=databases.spoken_operation(operation),
        target=target,
        commands=(shlex.join(words),),
        diff=Diff(hunks=(Hunk(f"{KIND}/{where.name}", (f"- being made: {operation.operation}",)),)),
        findings=(said, await azure_preflight.allowed(arm, where.id(arm), ACTIONS)),
        steps={CANCEL: operation.id},
        verified_by="the operation has ended, and the database is not there",
        undo=Undo("a restore that was cancelled is begun anew"),
        phrase=where.name,
        blast="what was restored so far is given up",
        wide=True,
        reaches=(where.group, where.server, where.name),
    )


async def act(hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
    arm, where = databases.arm_of(scene), Where.of_target(plan.target)
    path = f"{where.id(arm)}/operations/{quote(str(plan.steps[CANCEL]), safe='')}/cancel"
    accepted = await hands.azure.post(path, API)
    tell(f"Azure has accepted it ({accepted.status})")
    return {"status": accepted.status, "request": accepted.request}


async def verify(scene: Scene, plan: Plan, tell: Tell) -> Outcome:
    arm, where = databases.arm_of(scene), Where.of_target(plan.target)
    pace = FIRST
    while True:
        try:
            database = await databases.read(arm, where)
            state = await _state(scene, plan)
        except NotFound:
            return Outcome(verdict=Verdict.WORKED, text=f"cancelled: {where.name} is not there any more")
        except ProbeError as error:
            tell(f"cannot look: {error}")
        else:
            if databases.status_of(database) == "Online":
                text = f"the restore was finished before it could be cancelled: {where.name} is Online"
                return Outcome(verdict=Verdict.FAILED, text=text)
            if state == "Cancelled":
                left = databases.status_of(database)
                return Outcome(
                    verdict=Verdict.WORKED, text=f"cancelled; {where.name} is left, {left}: delete it by hand"
                )
            tell(f"{state or 'not known'}, {databases.status_of(database)}")
        await asyncio.sleep(pace)
        pace = min(pace * FACTOR, SLOWEST)


async def took_effect(scene: Scene, plan: Plan) -> bool | None:
    """Whether it is being cancelled, or is no more. While it just goes on, nobody can tell."""
    try:
        state = await _state(scene, plan)
    except NotFound:
        return True
    return True if state in ("CancelInProgress", "Cancelled") else None


async def _state(scene: Scene, plan: Plan) -> str:
    arm, where = databases.arm_of(scene), Where.of_target(plan.target)
    found = await databases.operations(arm, where)
    return next((one.state for one in found if one.id == plan.steps[CANCEL]), "")
