"""What a step of a guide is about right now: the row under the cursor, or the sick workload that the diagnosis names.

A proposal is a proposal: it opens a plan, which says what it is aimed at and asks before it does anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from probes.freshness import Snapshot
from probes.rows import Health, Pod, Release, Workload
from runbook.guide import CONNECTIVITY, Filling, Guide, GuideStep, aims_at, of_service
from runbook.guide_answers import MOST_PODS
from runbook.guide_findings import matches
from runbook.workloads import workload_of
from tui.subjects import Subject

if TYPE_CHECKING:
    from runbook.diagnosis.findings import Place
    from runbook.plan import Aim
    from tui.room import ControlRoom

DATABASE, KILL_SESSION = "SqlDatabase", "kill-session"
CHOOSE_FIRST = "select the pod first: in a security incident nothing is aimed by guess"


class Aimed(Struct, frozen=True):
    """Where a plan goes. ``note`` says why there; without an ``aim``, ``refusal`` says why nowhere."""

    aim: Aim | None
    note: str = ""
    refusal: str = ""


def aim_for(host: ControlRoom, guide: Guide, step: GuideStep) -> Aimed:
    """The selected row if that makes sense for this step; else what the diagnosis finds sick; else what is named so."""
    name, globs = step.mitigation, aims_at(guide, step)
    selected = host.desk.aim()
    refusal = host.desk.refusal(name, selected)
    if name == KILL_SESSION and _sql_aim(host) is not None:
        return _session_aim(host, name, refusal)
    own = selected.kind in ("Release", DATABASE) or of_service(_workload_name(selected), globs)
    if name == CONNECTIVITY and not _runs(host, globs):
        # The network is the same from every pod, and nothing can be run in one that does not run.
        if not refusal and not own:
            return Aimed(selected, note=f"no pod of {', '.join(globs)} runs: aimed at the selected row")
        for other in _others_that_run(host, globs):
            aim = host.desk.aim_of(other)
            if not host.desk.refusal(name, aim):
                note = f"no pod of {', '.join(globs)} runs: aimed at {other.name}, for which the network is the same"
                return Aimed(aim, note=note)
    named = _named(host, guide) if guide.security else ""
    if not refusal and own:
        elsewhere = bool(named) and named != selected.name and not named.startswith(f"{selected.name}-")
        return Aimed(selected, note=f"! the warnings name pod/{named}, which is not selected" if elsewhere else "")
    if guide.security:
        return Aimed(None, refusal="; ".join(filter(None, (refusal, CHOOSE_FIRST, named and f"pod/{named} is named"))))
    for row, why in (*_proposed(host, guide, globs), *_databases(host)):
        aim = host.desk.aim_of(row)
        if not host.desk.refusal(name, aim):
            return Aimed(aim, note=f"proposed by the guide, {why}: {aim}")
    if not refusal:
        return Aimed(selected, note=f"nothing here is called {', '.join(globs)}: aimed at the selected row")
    return Aimed(None, refusal=refusal)


def _sql_aim(host: ControlRoom) -> Aim | None:
    """The database that the settings' ``[sql]`` names."""
    from runbook.plan import Aim

    server = host.gate.sql if host.gate is not None else None
    return Aim(kind=DATABASE, namespace=f"sql/{server.context}", name=server.database) if server is not None else None


def _session_aim(host: ControlRoom, name: str, refusal: str) -> Aimed:
    """Sessions are ended on the one server that the console can ask, whatever row is selected."""
    aim = _sql_aim(host)
    if aim is None or host.desk.refusal(name, aim):
        return Aimed(None, refusal=refusal)
    return Aimed(aim, note=f"the SQL server of the settings: {aim.name}")


def _runs(host: ControlRoom, globs: Sequence[str]) -> bool:
    return any(pod.health is Health.HEALTHY and any(matches(pod, glob) for glob in globs) for pod in _pods(host))


def _others_that_run(host: ControlRoom, globs: Sequence[str]) -> list[Workload]:
    rows = [row for row in _workloads(host) if row.ready and not of_service(row.name, globs)]
    return sorted(rows, key=lambda row: (row.namespace, row.name))


def suits(guide: Guide, step: GuideStep, aim: Aim) -> bool:
    """Whether what was done to ``aim`` is what a step asks for, wherever it was begun."""
    if step.mitigation == CONNECTIVITY or guide.security or aim.kind in ("Release", "Node", DATABASE):
        return True
    return of_service(_workload_name(aim), aims_at(guide, step))


def _workload_name(aim: Aim) -> str:
    return workload_of(aim)[1] or aim.name


def _proposed(host: ControlRoom, guide: Guide, globs: Sequence[str]) -> Iterator[tuple[object, str]]:
    """Rows that a step may be about, the likeliest first, with a word on why."""
    for row in _sick(host, guide, globs):
        yield row, "what is sick"
    if globs:
        for row in host.feeds.latest["workloads"].rows.values() if "workloads" in host.feeds.latest else ():
            if of_service(row.name, globs):
                yield row, "what the scenario is about"


def _databases(host: ControlRoom) -> list[tuple[object, str]]:
    snapshot = host.feeds.latest.get("databases")
    rows = sorted(snapshot.rows.values(), key=_unwell_first) if snapshot is not None else []
    return [(row, "the database that is worst off") for row in rows]


def _unwell_first(row: Any) -> tuple[Health, float, str]:
    load = row.load.last if row.load is not None else None
    return row.health, -(load or 0.0), row.name


def _named(host: ControlRoom, guide: Guide) -> str:
    """The pod of the warning for which a scenario fits; empty if no warning speaks for it."""
    found, snapshot = host.diagnosing.latest, host.feeds.latest.get("events")
    for seen in (seen for fit in found.fits if fit.id == guide.id for seen in fit.reasons) if found is not None else ():
        event = snapshot.rows.get(seen.place.key) if snapshot is not None and seen.place.kind == "Event" else None
        if event is not None and event.kind == "Pod":
            return str(event.object_name)
    return ""


def _sick(host: ControlRoom, guide: Guide, globs: Sequence[str]) -> Iterator[object]:
    found = host.diagnosing.latest
    if found is None:
        return
    reasons = [seen for fit in found.fits if fit.id == guide.id for seen in fit.reasons]
    for seen in (*reasons, *found.symptoms):
        row = row_of(seen.place, host.feeds.latest)
        if row is not None and (seen.place.kind == "Node" or of_service(seen.place.name, globs)):
            yield row


def row_of(place: Place, latest: Mapping[str, Snapshot[Any]]) -> object | None:
    """The probes' own row of a place: a workload's, a lone pod's or a node's."""
    if place.kind in ("Pod", "Node"):
        snapshot = latest.get("pods" if place.kind == "Pod" else "nodes")
        return snapshot.rows.get(place.key) if snapshot is not None else None
    snapshot = latest.get("workloads")
    wanted = (place.kind, place.namespace, place.name)
    rows = snapshot.rows.values() if snapshot is not None else ()
    return next((row for row in rows if (row.kind, row.namespace, row.name) == wanted), None)


def workload_about(host: ControlRoom, guide: Guide, step: GuideStep) -> str:
    """The name of the workload that a step's code means; empty if there is none."""
    globs = aims_at(guide, step)
    kind, name = workload_of(host.desk.aim())
    if kind and globs and of_service(name, globs):
        return name
    rows = (row for row, _ in _proposed(host, guide, globs) if isinstance(row, Workload))
    proposed = next(rows, None)
    return proposed.name if proposed is not None else name


def filling(host: ControlRoom, guide: Guide, step: GuideStep) -> Filling:
    """What is known of what a step's code leaves open."""
    # Only for what asks for one: there may be thousands, and a guide is drawn anew each second.
    pods = _pods(host) if "pod>" in step.code or "pod-name>" in step.code else []
    selected = host.desk.aim()
    workload = workload_about(host, guide, step)
    release = next((row.release for row in _workloads(host) if row.name == workload), "")
    return Filling(
        workload=workload,
        chosen=selected.name if selected.kind == "Pod" else "",
        pods=tuple((pod.name, pod.owner.name if pod.owner is not None else "") for pod in pods),
        revision=_previous(host, release),
    )


def _workloads(host: ControlRoom) -> list[Workload]:
    snapshot = host.feeds.latest.get("workloads")
    return list(snapshot.rows.values()) if snapshot is not None else []


def _pods(host: ControlRoom) -> list[Pod]:
    """The sick ones first; what has ended is nobody's target."""
    snapshot = host.feeds.latest.get("pods")
    rows: list[Pod] = list(snapshot.rows.values()) if snapshot is not None else []
    return sorted((pod for pod in rows if pod.health is not Health.DORMANT), key=lambda pod: pod.health)


def _previous(host: ControlRoom, name: str) -> int:
    """The last revision of a release before this one that was in force; 0 if none is known."""
    snapshot = host.feeds.latest.get("releases")
    rows: list[Release] = list(snapshot.rows.values()) if snapshot is not None else []
    release = next((row for row in rows if row.name == name), rows[0] if len(rows) == 1 else None)
    if release is None:
        return 0
    return next((old.number for old in release.history[1:] if old.status in ("superseded", "deployed")), 0)


def logs_of(host: ControlRoom, guide: Guide, step: GuideStep) -> Subject | None:
    """Whose logs a step reads, with all its pods, the sickest first; None if nothing is selected that has any."""
    of = step.look.of if step.look is not None else ""
    of = of or workload_about(host, guide, step)
    pods = sorted((pod for pod in _pods(host) if matches(pod, of)), key=lambda pod: (pod.health, pod.name))
    if not of or not pods:
        return None
    first = pods[0]
    kind, name = (first.owner.kind, first.owner.name) if first.owner is not None else ("Pod", first.name)
    own = [pod for pod in pods if pod.namespace == first.namespace]
    return Subject(
        title=f"{kind.lower()}/{name}",
        kind=kind,
        namespace=first.namespace,
        name=name,
        pods=tuple((pod.namespace, pod.name, tuple(each.name for each in pod.containers)) for pod in own),
    )


def targets_of(subject: Subject) -> list[tuple[str, str]]:
    """(pod, container) of the pods whose logs a step reads: a few of them, not those of a hundred replicas."""
    return [(pod, container) for _, pod, containers in subject.pods[:MOST_PODS] for container in containers]
