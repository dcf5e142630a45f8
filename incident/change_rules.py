"""What may change about an incident: asked once, in the transaction that writes the change, and not when it is played.

`incident.standing` plays whatever the entries say, so that a chain of any age or origin can be verified.
"""

from __future__ import annotations

from itertools import pairwise

from msgspec.structs import replace

from incident import particulars
from incident.entry import MARKS, Draft, Incident, Kind, Status
from incident.instants import rfc3339
from incident.standing import OPEN, change_of, role_draft

NEXT: dict[Status, tuple[Status, ...]] = {
    Status.INVESTIGATING: (Status.MITIGATING, Status.RESOLVED),
    Status.MITIGATING: (Status.RESOLVED, Status.INVESTIGATING),
    Status.RESOLVED: (Status.REVIEWED, Status.INVESTIGATING),
    Status.REVIEWED: (Status.INVESTIGATING,),
}
"""Where an incident may go from each status. INVESTIGATING after RESOLVED or REVIEWED is reopening it."""

DECLARED = ", which is when it was declared: say first when it was detected"

MINUTE = 60_000  # ms: people type 14:06 for what was declared at 14:06:42
LENIENCE = 60_000  # ms that a time may lie in the future: two machines' clocks are never quite the same


def informed(incident: Incident, draft: Draft, recorded_at: int) -> Draft:
    """The draft with what only the store knows: whom a role passes from, and that nothing is resolved before it began.

    A clock that was set back must not make an incident end before its declaration: then the end is its latest moment.
    """
    change = change_of(draft.evidence)
    made = (draft.evidence or {}).get("role")
    if isinstance(made, dict) and isinstance(change.get("roles"), dict):
        for role, person in change["roles"].items():
            before = incident.roles.get(role)
            if before != made.get("before"):
                made_anew = role_draft(role, person, draft.author, name=str(made.get("name", "")), before=before)
                draft = replace(draft, text=made_anew.text, evidence=made_anew.evidence)
    if change.get("status") == Status.RESOLVED and draft.happened_at is None:
        latest = max(incident.declared_at, *incident.times.values(), 0)
        if latest > recorded_at:
            draft = replace(draft, happened_at=latest)
    return draft


def check(before: Incident, after: Incident, draft: Draft, recorded_at: int) -> None:
    """Whether the change makes sense.

    Raises:
        ValueError: it does not, and why: a status that cannot follow, a role nobody gives up, a time out of order.
    """
    if draft.kind is not Kind.STATUS:
        return
    change = change_of(draft.evidence)
    if "status" in change:
        _check_status(before.status, after.status)
    if "roles" in change and before.roles == after.roles:
        role, person = next(iter(particulars.roles_of(change["roles"]).items()), ("", None))
        raise ValueError(f"{person} is {_called(role)} already" if person else f"nobody is {_called(role)}")
    if "times" in change or "status" in change:
        _check_times(after, recorded_at, declared="times" in change)
    if "times" in change and after.status not in OPEN and change["times"].get("resolved", 0) is None:
        raise ValueError("the incident is resolved, so there is a time when it was: correct it, or reopen the incident")


def _check_status(before: Status, after: Status) -> None:
    if before is after:
        raise ValueError(f"the incident is {after} already")
    if after not in NEXT[before]:
        ways = " or ".join(NEXT[before])
        raise ValueError(f"an incident that is {before} cannot become {after}, only {ways}")


def _check_times(incident: Incident, recorded_at: int, *, declared: bool) -> None:
    """Every duration of the incident is positive or nothing, and none of its moments is still to come.

    ``declared``: it counts as detected when it was declared, unless somebody has set that, as every review has it.
    """
    times = dict(incident.times)
    if declared:
        times.setdefault("detected", incident.declared_at)
    if incident.resolved_at is not None:
        times.setdefault("resolved", incident.resolved_at)
    known = [(mark, times[mark]) for mark in MARKS if mark in times]
    for (mark, at), (later, then) in pairwise(known):
        supposed = "detected" in (mark, later) and "detected" not in incident.times
        if then < at - (at % MINUTE if supposed and mark == "detected" else 0):
            hint = DECLARED if supposed else ""
            raise ValueError(f"{later} at {_clock(then)} would be before {mark} at {_clock(at)}{hint}")
    for mark, at in incident.times.items():
        if at > recorded_at + LENIENCE and at > (incident.resolved_at or 0):
            raise ValueError(f"{mark} at {_clock(at)} is still to come: it is {_clock(recorded_at)}")


def _clock(at: int) -> str:
    return f"{rfc3339(at)[:19].replace('T', ' ')} UTC"


def _called(role: str) -> str:
    return role.replace("-", " ")
