"""What a probe knows of a checklist: a `Signal` holds, does not, or is not known, and a sentence shows it. Pure.

Which items an incident has is here too. Ticks are entries (`incident.checks`); nothing here writes any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct

from probes.freshness import Snapshot
from probes.rows import Endpoint, Event, Health, Node, Pod, Release, Usage, Workload
from runbook.diagnosis.situation import answer, node_trouble
from runbook.diagnosis.wording import many, not_live, span, utc
from runbook.response import Checklist, Item, Response, Signal

NEAR = 0.85
"""The part of a node's processor or memory in use from which on it is near its limits: the nodes pane's own line."""

UNSAID = ("deployed", "superseded", "uninstalled")
"""Words of a Helm release with which nothing is wrong."""

Latest = Mapping[str, Snapshot[Any]]


class Reading(Struct, frozen=True, kw_only=True):
    """``holds`` None: it cannot be told now, and ``evidence`` says why."""

    holds: bool | None
    evidence: str


def items(checklist: Checklist, severity: int | None, scenarios: Collection[str]) -> list[Item]:
    """The items of a checklist for an incident. One that nobody has classified has those of every severity."""

    def belongs(item: Item) -> bool:
        if not item.severities and not item.scenarios:
            return True
        rated = bool(item.severities) and (severity is None or severity in item.severities)
        return rated or any(scenario in scenarios for scenario in item.scenarios)

    return [item for item in checklist.items if belongs(item)]


def read(signal: Signal, latest: Latest, response: Response, now: float, services: Collection[str] = ()) -> Reading:
    """What the newest snapshots say of a signal at ``now`` (epoch seconds). Never raises for what is in them.

    ``services`` are those that the incident affects: where each is a workload that is seen, errors of others, of which
    a big cluster always has some, keep none of its items open.
    """
    source = SOURCES[signal]
    snapshot = latest.get(source)
    if snapshot is None or not snapshot.freshness.live:
        return Reading(holds=None, evidence=not_live(source, snapshot, utc))
    if signal == "errors-gone":
        return _errors_gone(snapshot, response.errors_gone_for, now, _seen(services, latest))
    return READERS[signal](latest, snapshot.rows.values())


def _endpoints(latest: Latest, rows: Iterable[Endpoint]) -> Reading:
    known = list(rows)
    if not known:
        return Reading(holds=None, evidence="no health endpoint is configured")
    failing = [one for one in known if one.ok is False]
    if failing:
        told = ", ".join(f"{one.name} {answer(one)}" for one in failing[:2])
        return Reading(holds=False, evidence=f"{len(failing)} of {many(len(known), 'endpoint')} fail: {told}")
    if any(one.ok is None for one in known):
        return Reading(holds=None, evidence="not every endpoint was checked yet")
    return Reading(holds=True, evidence=f"{len(known)} of {many(len(known), 'endpoint')} answer as expected")


def _pods(latest: Latest, rows: Iterable[Pod]) -> Reading:
    should = [pod for pod in rows if pod.health is not Health.DORMANT and pod.deleting_since is None]
    sick = [pod for pod in should if pod.health <= Health.DEGRADED]
    if sick:
        told = ", ".join(f"{pod.name} {'not ready' if pod.status == 'Running' else pod.status}" for pod in sick[:2])
        return Reading(holds=False, evidence=f"{len(sick)} of {many(len(should), 'pod')} not ready: {told}")
    if not should:
        return Reading(holds=None, evidence="there are no pods")
    return Reading(holds=True, evidence=f"{len(should)} of {many(len(should), 'pod')} ready")


def _seen(services: Collection[str], latest: Latest) -> tuple[str, ...]:
    """The services, if all of them are workloads that are seen; none if somebody named one in words of their own."""
    workloads = latest.get("workloads")
    names = {row.name for row in workloads.rows.values()} if workloads is not None else set()
    return tuple(services) if names.issuperset(services) else ()


def _errors_gone(snapshot: Snapshot[Event], quiet: float, now: float, services: Collection[str]) -> Reading:
    """No warning for ``quiet`` seconds, and that has been watched: events of before are forgotten by the cluster."""

    def concerns(event: Event) -> bool:
        name = event.object_name
        return not services or any(name == service or name.startswith(f"{service}-") for service in services)

    warnings = [event for event in snapshot.rows.values() if event.type == "Warning"]
    last = _newest(filter(concerns, warnings))
    about = f" about {', '.join(list(services)[:3])}" if services else ""
    if last is not None and now - last.last_at < quiet:
        return Reading(
            holds=False, evidence=f"the last warning{about} was {_told(last, now, f', not yet {span(quiet)}')}"
        )
    other = _newest(event for event in warnings if not concerns(event) and now - event.last_at < quiet)
    elsewhere = f"; elsewhere the last was {_told(other, now)}" if other is not None else ""
    watched = now - snapshot.freshness.since
    if watched < quiet:
        said = f"no warning{about} for the {span(max(watched, 0.0))} that the events are watched, of {span(quiet)}"
        return Reading(holds=None, evidence=said + elsewhere)
    return Reading(holds=True, evidence=f"no warning event{about} for {span(quiet)}{elsewhere}")


def _newest(events: Iterable[Event]) -> Event | None:
    return max(events, key=lambda event: (event.last_at, event.uid), default=None)


def _told(event: Event, now: float, wanted: str = "") -> str:
    return f"{span(max(now - event.last_at, 0.0))} ago{wanted}: {event.reason} {event.object_name}"


def _rollouts(latest: Latest, rows: Iterable[Workload]) -> Reading:
    wanted = [row for row in rows if row.desired > 0]
    behind = [row for row in wanted if row.updated < row.desired or row.ready < row.desired]
    if behind:
        told = ", ".join(f"{row.name} {row.ready}/{row.desired} ready, {row.updated} updated" for row in behind[:2])
        return Reading(holds=False, evidence=f"{len(behind)} of {many(len(wanted), 'workload')} incomplete: {told}")
    if not wanted:
        return Reading(holds=None, evidence="there are no workloads")
    return Reading(holds=True, evidence=f"{len(wanted)} of {many(len(wanted), 'workload')} updated and ready")


def _usage(latest: Latest, rows: Iterable[Node]) -> Reading:
    nodes = list(rows)
    pressed = [node for node in nodes if node.pressures or not node.ready]
    if pressed:
        told = ", ".join(f"{node.name} {node_trouble(node)}" for node in pressed[:2])
        return Reading(holds=False, evidence=f"{len(pressed)} of {many(len(nodes), 'node')} in trouble: {told}")
    measured = latest.get("usage")
    if not nodes or measured is None or not measured.freshness.live:
        return Reading(holds=None, evidence="what the nodes use is not measured now")
    parts = [(part, node.name, what) for node in nodes for part, what in _parts(node, measured.rows.get(node.name))]
    if not parts:
        return Reading(holds=None, evidence="what the nodes use is not measured now")
    highest, name, what = max(parts)
    said = f"{name} at {highest:.0%} of its {what}"
    near = {name for part, name, _ in parts if part >= NEAR}
    if near:
        return Reading(holds=False, evidence=f"{len(near)} of {many(len(nodes), 'node')} near the limit: {said}")
    return Reading(holds=True, evidence=f"no node under pressure, the most is {said}")


def _parts(node: Node, usage: Usage | None) -> list[tuple[float, str]]:
    if usage is None:
        return []
    found = []
    if node.cpu_allocatable > 0:
        found.append((usage.cpu / node.cpu_allocatable, "processor"))
    if node.memory_allocatable > 0:
        found.append((usage.memory / node.memory_allocatable, "memory"))
    return found


def _releases(latest: Latest, rows: Iterable[Release]) -> Reading:
    known = list(rows)
    wrong = [row for row in known if row.status not in UNSAID]
    if wrong:
        told = ", ".join(f"{row.name} {row.status}" for row in wrong[:2])
        return Reading(holds=False, evidence=f"{len(wrong)} of {many(len(known), 'release')} not deployed: {told}")
    if not known:
        return Reading(holds=None, evidence="there are no Helm releases")
    return Reading(holds=True, evidence=f"{len(known)} of {many(len(known), 'release')} deployed")


SOURCES: dict[Signal, str] = {
    "endpoints-healthy": "endpoints",
    "pods-ready": "pods",
    "errors-gone": "events",
    "rollouts-complete": "workloads",
    "usage-normal": "nodes",
    "releases-deployed": "releases",
}
"""The source without which a signal is not known."""

READERS: dict[Signal, Callable[[Latest, Iterable[Any]], Reading]] = {
    "endpoints-healthy": _endpoints,
    "pods-ready": _pods,
    "rollouts-complete": _rollouts,
    "usage-normal": _usage,
    "releases-deployed": _releases,
}
