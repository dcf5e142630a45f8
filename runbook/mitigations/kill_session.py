"""End a session that others wait for: ``KILL``. The runbook, Scenario 3, "Kill long-running blocking transactions".

A session is meant by its number and the time it logged in: numbers are given again. What it does stands in the plan.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, ClassVar, Literal

from probes.errors import NotFound, ProbeError
from runbook.answers import chosen_in
from runbook.azure_databases import KIND as DATABASE
from runbook.azure_databases import NO_DATABASE
from runbook.errors import Changed, NoPlan
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Field, Finding, Hunk, Json, Level, Outcome, Plan, Target, Undo, Verdict
from runbook.scene import digest
from runbook.sql_sessions import Session, blockers, may_kill, session
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene
    from runbook.sql_server import SqlServer

KIND = "SqlSession"
SESSION = "session"
FIRST, SLOWEST, FACTOR = 0.5, 5.0, 1.5  # seconds between two looks
MOST_LINES = 60  # of a statement


class KillSession(Mitigation):
    label: ClassVar[str] = "kill session"
    sentence: ClassVar[str] = "End a database session that others wait for; its transaction is rolled back"
    place: ClassVar[Literal["cluster", "account", "sql"]] = "sql"

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == DATABASE else NO_DATABASE

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        server, elsewhere = _server(scene, aim)
        found, permitted = await asyncio.gather(blockers(server), _permitted(server))
        if not found:
            raise NoPlan(f"no session of {server.database} is waited for by another", "look again when there is one")
        known = {one.key: one for one in found}
        field, wrong = chosen_in(
            Field(
                id=SESSION,
                label="session",
                kind="choice",
                value=choices.get(SESSION, found[0].key),
                options=tuple((one.key, str(one)) for one in found),
            )
        )
        chosen = known.get(field.value, found[0])
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"End session {chosen.number} of {chosen.login} on {server.database}",
            verb="End it",
            remark=f"since {chosen.login_time}",
            target=_target(server, chosen),
            commands=(_command(server, chosen),),
            diff=Diff(hunks=(Hunk(f"session {chosen.number}, as it is now", _lines(chosen)),), source="the server"),
            findings=(*wrong, permitted, *elsewhere, *_findings(chosen)),
            fields=(field,),
            choices={SESSION: field.value},
            steps={"session": chosen.number, "login_time": chosen.login_time},
            verified_by=f"session {chosen.number} is gone",
            undo=Undo("what it had not committed is lost; whoever began it has to do it again"),
            phrase=f"kill {chosen.number}",
            blast=f"one session; {chosen.blocks} wait for it",
            wide=True,
            reaches=(server.host, server.context, server.database),
        )

    async def again(self, scene: Scene, plan: Plan) -> Target:
        server = _known_server(scene)
        now = await session(server, plan.steps["session"], plan.steps["login_time"])
        if now is None:
            raise Changed(f"session {plan.steps['session']} has ended, or is another's by now; nothing was sent")
        return _target(server, now)

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        await hands.sql.kill(plan.steps["session"], plan.steps["login_time"])
        tell("the server has accepted it")
        return {"session": plan.steps["session"]}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        server, number, pace = _known_server(scene), plan.steps["session"], FIRST
        while True:
            try:
                now = await session(server, number, plan.steps["login_time"])
            except ProbeError as error:
                tell(f"cannot look: {error}")
            else:
                if now is None:
                    return await _gone(server, number)
                rolled = f", {now.percent:.0f} % rolled back" if now.percent else ""
                tell(f"it is still there: {now.command or now.status}{rolled}, {now.blocks} wait for it")
            await asyncio.sleep(pace)
            pace = min(pace * FACTOR, SLOWEST)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """Gone, or being rolled back. It may have ended by itself, which comes to the same."""
        now = await session(_known_server(scene), plan.steps["session"], plan.steps["login_time"])
        return now is None or now.command == "KILLED/ROLLBACK"


def _known_server(scene: Scene) -> SqlServer:
    if scene.sql is None:
        raise NoPlan("this console knows no SQL server", "name one under [sql] in the settings")
    return scene.sql


def _server(scene: Scene, aim: Aim) -> tuple[SqlServer, list[Finding]]:
    """The server of the settings, if its database is the one that was aimed at. Raises `NoPlan`.

    A server may be reached under a name of its own (an alias, a private endpoint): that is said, and acknowledged.
    """
    server = _known_server(scene)
    if aim.name.lower() != server.database.lower():
        raise NoPlan(
            f"the settings' [sql] is {server.database} on {server.host}, and not {aim.name}",
            "select that database, or change [sql]",
        )
    aimed = aim.namespace.rpartition("/")[2].lower()
    if aimed == server.context:
        return server, []
    text = f"the row is of {aimed}; what is asked, and acted on, is the settings' {server.host}"
    return server, [Finding("server", Level.AMBER, text, "is that the same server?")]


async def _permitted(server: SqlServer) -> Finding:
    try:
        allowed = await may_kill(server)
    except NotFound:
        raise
    except ProbeError as error:
        return Finding("allowed", Level.AMBER, f"whether this login may end sessions is not known: {error}", error.hint)
    if allowed is None:
        return Finding("allowed", Level.AMBER, "the server does not say whether this login may end sessions")
    if allowed:
        return Finding("allowed", Level.GREEN, "this login may end sessions")
    hint = "GRANT KILL DATABASE CONNECTION (Azure), or ALTER ANY CONNECTION"
    return Finding("allowed", Level.RED, "this login may not end sessions", hint)


def _findings(chosen: Session) -> list[Finding]:
    waiting = "1 session waits for it" if chosen.blocks == 1 else f"{chosen.blocks} sessions wait for it"
    found = [Finding("waiting", Level.GREEN, waiting)]
    if chosen.waits_for:
        text = f"it waits for session {chosen.waits_for} itself: that is the one to look at first"
        found.append(Finding("waiting", Level.AMBER, text))
    text = (
        f"what it has not committed is rolled back, which may take as long as it has worked ({chosen.seconds} s) and"
        " blocks until it is done"
    )
    found.append(Finding("rollback", Level.AMBER, text))
    if not chosen.transactions:
        found.append(
            Finding("transaction", Level.AMBER, "it has no transaction open: is it really what holds the locks?")
        )
    return found


def _lines(chosen: Session) -> tuple[str, ...]:
    lines = chosen.text.replace("\r", "").split("\n") if chosen.text else ["(the server has no text of it)"]
    more = [f"… {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    about = [f"program: {chosen.program}", f"status: {chosen.status}, open transactions: {chosen.transactions}"]
    return tuple(f"- {line}" for line in (*about, *lines[:MOST_LINES], *more))


def _target(server: SqlServer, chosen: Session) -> Target:
    return Target(
        context=server.context,
        server=server.address,
        kind=KIND,
        namespace=server.database,
        name=str(chosen.number),
        uid=chosen.key,
        resource_version=chosen.login_time,
        digest=digest([chosen.key, chosen.login, chosen.host, chosen.program]),
    )


def _command(server: SqlServer, chosen: Session) -> str:
    where = ["-S", f"{server.host},{server.port}", "-d", server.database]
    return shlex.join(["sqlcmd", *where, "-G", "-Q", f"KILL {chosen.number}"])


async def _gone(server: SqlServer, number: int) -> Outcome:
    try:
        left = await blockers(server)
    except ProbeError:
        left = []
    still = f"; {len(left)} other blocking session{'s' if len(left) > 1 else ''} left: {left[0]}" if left else ""
    return Outcome(verdict=Verdict.WORKED, text=f"session {number} is gone{still}")
