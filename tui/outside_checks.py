"""What ``warroom doctor`` says about the databases' mitigations: allowed in Azure, the SQL server reached, what to do.

Nothing where the settings name neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from probes.errors import ProbeError
from runbook import azure_preflight
from runbook.arm import Arm
from runbook.plan import Level as Found
from tui.check import Check, Level
from tui.outside import outside_of

if TYPE_CHECKING:
    from runbook.mitigation import Mitigation
    from runbook.outside import Outside
    from runbook.sql_server import SqlServer
    from tui.settings import Settings

ALIVE = "SELECT 1 AS alive"


async def check(table: Mapping[str, Mitigation], settings: Settings, limit: float, *, read_only: bool) -> list[Check]:
    """A line for each mitigation that the settings have something for. ``limit`` is in seconds."""
    outside = outside_of(settings)
    try:
        return [
            found
            for group in await asyncio.gather(
                *(
                    _one(each, outside, settings.azure.resource_groups, limit, read_only=read_only)
                    for each in table.values()
                    if (each.place == "account" and outside.account) or (each.place == "sql" and outside.sql)
                )
            )
            for found in group
        ]
    finally:
        await outside.close()


async def _one(
    mitigation: Mitigation, outside: Outside, groups: Sequence[str], limit: float, *, read_only: bool
) -> list[Check]:
    try:
        async with asyncio.timeout(limit):
            if outside.sql is not None and mitigation.place == "sql":
                found = await _sql(mitigation, outside.sql)
            else:
                found = await _azure(mitigation, outside, groups)
    except TimeoutError:
        found = Check(mitigation.id, Level.WARN, f"{mitigation.key} no answer within {limit:g} s", "try it again")
    if not read_only:
        return [found]
    return [Check(found.name, found.level, f"{found.found}; this console is read-only", found.advice)]


async def _azure(mitigation: Mitigation, outside: Outside, groups: Sequence[str]) -> Check:
    assert outside.account is not None
    arm = Arm(outside.account)
    for group in groups:
        scope = arm.path("resourceGroups", group)
        finding = await azure_preflight.allowed(arm, scope, mitigation.actions)
        if finding.level is not Found.GREEN:
            return Check(mitigation.id, Level.WARN, f"{mitigation.key} {group}: {finding.text}", finding.advice)
    where = groups[0] if len(groups) == 1 else f"{len(groups)} resource groups"
    many = "1 action" if len(mitigation.actions) == 1 else f"{len(mitigation.actions)} actions"
    return Check(mitigation.id, Level.OK, f"{mitigation.key} allowed in {where} ({many}, by this login's roles)")


async def _sql(mitigation: Mitigation, server: SqlServer) -> Check:
    from runbook.sql_reading import ask
    from runbook.sql_sessions import may_kill

    where = f"{server.host}/{server.database}"
    try:
        await ask(server, ALIVE)
        allowed = await may_kill(server)
    except ProbeError as error:
        return Check(mitigation.id, Level.WARN, f"{mitigation.key} {error}", error.hint)
    if allowed:
        return Check(mitigation.id, Level.OK, f"{mitigation.key} {where} answers; this login may end sessions")
    said = "does not say whether this login may end sessions" if allowed is None else "lets this login end no session"
    hint = "GRANT KILL DATABASE CONNECTION (Azure), or ALTER ANY CONNECTION"
    return Check(mitigation.id, Level.WARN, f"{mitigation.key} {where} answers, and {said}", hint)
