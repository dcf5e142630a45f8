"""Follow a restore that Azure carries out: by the new database's name, so that a console that comes later can, too.

The address of the operation that Azure gave is used besides, while there is somebody who remembers it: a restore that
fails takes its database away with it, and then only the operation knows why.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, NamedTuple

from probes.azure.rows import DatabaseOperation
from probes.errors import BadAnswer, NotFound, ProbeError
from runbook import azure_activity
from runbook import azure_databases as databases
from runbook.azure_databases import Json, Where
from runbook.errors import Uncertain
from runbook.plan import Outcome, Plan, Undo, Verdict
from runbook.restore_points import utc

if TYPE_CHECKING:
    from runbook.arm import Arm
    from runbook.mitigation import Tell
    from runbook.scene import Scene

UNDER_WAY = ("Restoring", "Creating", "Copying", "RecoveryPending", "Recovering")
FIRST, SLOWEST, FACTOR = 0.5, 10.0, 1.5  # seconds between two looks: soon at first, then as Azure likes it
APPEARS = 60.0
FAILED, CANCELLED = "Failed", "Cancelled"


class Stand(NamedTuple):
    """How it stands: the new database if it is there, and the operation that makes it if that can be seen."""

    database: Json | None
    operation: DatabaseOperation | None


class Following:
    """What one process remembers of restores that it began or looks for.

    ``appears``: seconds in which a database that is being made shows itself.
    """

    def __init__(self, appears: float = APPEARS) -> None:
        self.appears = appears
        self._addresses: dict[str, str] = {}  # act → the operation's address
        self._looking_since: dict[str, float] = {}

    def began(self, act: str, address: str) -> None:
        self._addresses[act] = address

    # ------------------------------------------------------------------ did it arrive

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """The database is there, or is being made, or the activity log knows of the request.

        Raises `Uncertain` while it may still show itself.
        """
        arm, new = databases.arm_of(scene), new_database(plan)
        stand = await look(arm, new)
        if stand.database is not None or stand.operation is not None:
            return True
        since = self._looking_since.setdefault(plan.id, scene.now())
        left = self.appears - (scene.now() - since)
        if left > 0:
            raise Uncertain(f"{new.name} is not there; it could still show itself for {left:.0f} s")
        return (await azure_activity.heard(arm, scene, plan, new.id(arm))) is not None

    # ------------------------------------------------------------------ to its end

    async def to_its_end(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        """Watch until the new database is Online, or will never be."""
        arm, new = databases.arm_of(scene), new_database(plan)
        began, pace, seen = scene.now(), FIRST, False
        while True:
            try:
                stand = await look(arm, new)
                seen = seen or stand.database is not None
                verdict = _judged(plan, new, stand) or await self._lost(scene, plan, stand, seen, scene.now() - began)
                if verdict is not None:
                    return verdict
                tell(_spoken(new, stand))
            except ProbeError as error:
                tell(f"cannot look: {error}")
                pace = max(pace, min(error.retry_after or 0.0, 120.0))
            await asyncio.sleep(pace)
            pace = min(pace * FACTOR, SLOWEST)

    async def _lost(self, scene: Scene, plan: Plan, stand: Stand, seen: bool, waited: float) -> Outcome | None:
        """The new database is not there (any more): whether that is the end of it, and why."""
        if stand.database is not None:
            return None
        arm, new = databases.arm_of(scene), new_database(plan)
        ended = await self._operation(arm, plan.id)
        if ended:
            return _failed(new, ended)
        if seen or waited > self.appears:
            known = await azure_activity.heard(arm, scene, plan, new.id(arm))
            if known is not None and known.failed:
                return _failed(new, known.text)
            what = "is gone again" if seen else f"did not appear within {self.appears:.0f} s"
            return _failed(new, f"it {what}: cancelled, failed or deleted; the activity log may say which")
        return None

    async def _operation(self, arm: Arm, act: str) -> str:
        """Why the operation ended without a database; empty while that is not known."""
        address = self._addresses.get(act, "")
        if not address:
            return ""
        try:
            answer = await arm.operation(address)
        except (NotFound, BadAnswer):
            return ""
        status = str(answer.get("status") or "")
        if status not in (FAILED, CANCELLED, "Canceled"):
            return ""
        error = answer.get("error") or {}
        message = " ".join(str(error.get("message") or "").split())[:300]
        return ": ".join(filter(None, (f"the restore {status.lower()}", str(error.get("code") or ""), message)))


def new_database(plan: Plan) -> Where:
    return Where.of_target(plan.target).beside(str(plan.steps["name"]))


async def look(arm: Arm, new: Where) -> Stand:
    """Raises `ProbeError`; what is not there is no error."""
    try:
        database: Json | None = await databases.read(arm, new)
    except NotFound:
        database = None
    try:
        found = await databases.operations(arm, new)
    except NotFound:
        found = []
    except ProbeError:
        if database is None:
            raise
        found = []  # the database itself says enough
    return Stand(database, found[0] if found else None)


def _judged(plan: Plan, new: Where, stand: Stand) -> Outcome | None:
    database, operation = stand
    if database is not None and databases.status_of(database) == "Online":
        return _online(plan, new, database)
    if operation is not None and operation.state in (FAILED, CANCELLED):
        why = f": {operation.error}" if operation.error else ""
        return _failed(new, f"the restore {operation.state.lower()}{why}")
    return None


def _online(plan: Plan, new: Where, database: Json) -> Outcome:
    properties = database.get("properties") or {}
    created = databases.instant(properties.get("creationDate"))
    earliest = databases.instant(properties.get("earliestRestoreDate"))
    parts = [
        f"{new.name} is Online, {databases.objective_of(database)}, as {plan.target.name} was at"
        f" {utc(plan.steps['point'])} UTC",
        f"created {utc(created)} UTC" if created is not None else "",
        f"can itself be restored from {utc(earliest)} UTC on" if earliest is not None else "",
        f"{plan.target.name} was not touched",
    ]
    command = ["az", "sql", "db", "delete", "--resource-group", new.group, "--server", new.server, "--name", new.name]
    return Outcome(
        verdict=Verdict.WORKED,
        text=", ".join(filter(None, parts)),
        evidence={
            "database": {
                "id": database.get("id"),
                "status": databases.status_of(database),
                "created": created,
                "earliest_restore": earliest,
                "objective": databases.objective_of(database),
            }
        },
        undo=Undo(f"nobody deletes it for you; when it is not needed any more: {shlex.join(command)}"),
    )


def _failed(new: Where, why: str) -> Outcome:
    return Outcome(verdict=Verdict.FAILED, text=f"{new.name}: {why}", undo=Undo("nothing is left to take back"))


def _spoken(new: Where, stand: Stand) -> str:
    if stand.operation is not None:
        status = databases.status_of(stand.database or {})
        return ", ".join(filter(None, (databases.spoken_operation(stand.operation), status)))
    if stand.database is not None:
        return databases.status_of(stand.database) or "it is there"
    return f"Azure does not show {new.name} yet"
