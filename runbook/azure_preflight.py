"""What is looked at before an act on a database, each as a finding: allowed, its state, who else is at it.

A question that cannot be answered is never green: it is amber, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from probes.azure.rows import DatabaseOperation
from probes.errors import ProbeError
from runbook.azure_databases import Json, going_on, spoken_operation, status_of
from runbook.azure_refusals import ROLE
from runbook.plan import Finding, Level

if TYPE_CHECKING:
    from runbook.arm import Arm
    from runbook.scene import Scene

PERMISSIONS = "2022-04-01"  # of Microsoft.Authorization/permissions
ASKING = "Microsoft.Authorization/permissions/read"
"""The action that asking needs; without it, a plan says that it cannot know."""

RECENTLY = 300.0  # seconds


async def allowed(arm: Arm, scope: str, actions: Sequence[str]) -> Finding:
    """Whether the caller's roles at ``scope`` (a resource id) have all ``actions``.

    Azure has no SelfSubjectAccessReview. What a caller's roles allow is listed where that may be read; denials by
    policies, locks and deny assignments are not in it, and so green says whose word it is.
    """
    try:
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        roles = await arm.values(path, PERMISSIONS, "this login's permissions")
    except ProbeError as error:
        text = f"whether {_spoken(actions)} is allowed cannot be known before it is tried: {error}"
        return Finding("allowed", Level.AMBER, text, error.hint)
    missing = [action for action in actions if not permits(roles, action)]
    if missing:
        return Finding("allowed", Level.RED, f"this login's roles do not have {_spoken(missing)}", ROLE)
    return Finding("allowed", Level.GREEN, f"{_spoken(actions)}, by this login's roles")


def permits(roles: Iterable[Json], action: str) -> bool:
    """Whether one of the permissions has the action. ``*`` stands for anything, and case does not count."""
    return any(_matches(role.get("actions"), action) and not _matches(role.get("notActions"), action) for role in roles)


def _matches(patterns: Any, action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, str(pattern).split("*"))), action, re.IGNORECASE)
        for pattern in patterns or ()
    )


def _spoken(actions: Sequence[str]) -> str:
    return ", ".join(actions)


def online(obj: Json, what: str = "the database") -> Finding:
    """Whether it is in use as it should be."""
    status = status_of(obj)
    if status == "Online":
        return Finding("source", Level.GREEN, f"{what} is Online")
    return Finding("source", Level.RED, f"{what} is {status or 'in no known state'}, not Online", "wait until it is")


def alone(scene: Scene, seen: Sequence[DatabaseOperation] | ProbeError) -> Finding:
    """Who else changes it now, or did just now."""
    if isinstance(seen, ProbeError):
        return Finding("alone", Level.AMBER, f"whether somebody else is at it is not known: {seen}", seen.hint)
    if now := going_on(seen):
        text = f"something goes on with it already: {spoken_operation(now[0])}"
        return Finding("alone", Level.RED, text, "wait until it ended")
    newest = seen[0] if seen else None
    if newest is not None and newest.started_at is not None and scene.now() - newest.started_at < RECENTLY:
        ago = max(0, round(scene.now() - newest.started_at))
        text = f"{newest.operation} began {ago} s ago ({newest.state}): is somebody else at it?"
        return Finding("alone", Level.AMBER, text)
    return Finding("alone", Level.GREEN, "no operation on it in the last 5 minutes")
