"""The symptoms by which a scenario is recognised, as far as the probes see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from probes.freshness import State
from probes.rows import Endpoint, Event
from runbook.diagnosis.databases import symptoms_of
from runbook.diagnosis.findings import Place, Seen
from runbook.diagnosis.sightings import Illness
from runbook.diagnosis.situation import (
    Situation,
    answer,
    endpoint_place,
    ill_place,
    ill_text,
    node_place,
    node_trouble,
    stuck,
)
from runbook.diagnosis.warnings import of_database, owner
from runbook.diagnosis.wording import clip, many
from runbook.response import Symptom

SLOWER = 3.0
"""An endpoint is slow from this many times its usual latency on (the runbook's line between minor and more) …"""
SLOW_MS, ALWAYS_SLOW_MS = 500.0, 2_000.0
"""… if that is at least the first of these; from the second on it is slow whatever is usual."""
USUAL_SAMPLES = 6

CLUSTER = ("pods", "nodes", "workloads", "events")

NEEDS: dict[Symptom, tuple[str, ...]] = {
    "all-endpoints-failing": ("endpoints",),
    "endpoint-failing": ("endpoints",),
    "slow-endpoints": ("endpoints",),
    "nodes-not-ready": ("nodes",),
    "api-unreachable": (),
    "pods-crashing": ("pods",),
    "pods-pending": ("pods",),
    "rollout-stuck": ("workloads",),
    "database-timeouts": ("events",),
    "database-at-limit": ("databases",),
    "database-unavailable": ("databases",),
    "auth-anomalies": ("events",),
    "quarantined-pods": (),
}
"""The sources without which a symptom can be neither seen nor ruled out."""

WORDS: dict[Symptom, str] = {
    "all-endpoints-failing": "all endpoints fail",
    "endpoint-failing": "an endpoint fails",
    "nodes-not-ready": "nodes not ready",
    "api-unreachable": "the API server cannot be reached",
    "pods-crashing": "pods crash",
    "pods-pending": "pods do not start",
    "rollout-stuck": "a rollout is stuck",
    "slow-endpoints": "slow endpoints",
    "database-timeouts": "database timeouts",
    "database-at-limit": "a database at a limit",
    "database-unavailable": "a database that is not online",
    "auth-anomalies": "unusual authentication",
    "quarantined-pods": "quarantined pods",
}


def symptoms(now: Situation) -> tuple[Seen, ...]:
    """What is there, in the order of the runbook's list. What a stale probe saw last says since when it is stale."""
    return tuple(seen for found in _FINDERS for seen in found(now))


def unwatched(now: Situation, symptom: Symptom) -> bool:
    """Whether nobody looks at what would tell: the settings name no Azure."""
    return symptom in ("database-at-limit", "database-unavailable") and "databases" not in now.sight.snapshots


def unknowable(now: Situation, symptom: Symptom) -> bool:
    """Whether it cannot be told if a symptom is there: a probe it needs is not live, or watches nothing."""
    if symptom in ("all-endpoints-failing", "endpoint-failing", "slow-endpoints"):
        return not now.sight.live("endpoints") or not any(one.ok is not None for one in now.sight.endpoints)
    return not all(now.sight.live(source) for source in NEEDS.get(symptom, ()))


def _endpoints(now: Situation) -> Iterator[Seen]:
    failing = now.failing_endpoints
    if not failing or not now.sight.seen("endpoints"):
        return
    checked = sum(1 for endpoint in now.sight.endpoints if endpoint.ok is not None)
    began = [endpoint.changed_at for endpoint in failing]
    since = min((at for at in began if at is not None), default=None) if None not in began else None
    told = ", ".join(f"{endpoint.name} {answer(endpoint)}" for endpoint in failing[:3])
    place, as_of = endpoint_place(failing[0]), now.sight.as_of("endpoints")
    names = tuple(endpoint.name for endpoint in failing)
    if len(failing) == checked:
        text = f"{_all(checked)}: {told}"
        yield Seen(symptom="all-endpoints-failing", text=text, since=since, place=place, names=names, as_of=as_of)
    text = f"{len(failing)} of {many(checked, 'endpoint')} fail{'s' if len(failing) == 1 else ''}: {told}"
    yield Seen(symptom="endpoint-failing", text=text, since=since, place=place, names=names, as_of=as_of)


def _all(count: int) -> str:
    return "the only endpoint fails" if count == 1 else f"all {count} endpoints fail"


def _nodes(now: Situation) -> Iterator[Seen]:
    down = [node for node in now.sick_nodes if not node.ready]
    if down and now.sight.seen("nodes"):
        told = ", ".join(f"{node.name} {node_trouble(node)}" for node in down[:3])
        yield Seen(
            symptom="nodes-not-ready",
            text=f"{len(down)} of {many(len(now.sight.rows('nodes')), 'node')} not ready: {told}",
            since=min((node.changed_at for node in down if node.changed_at is not None), default=None),
            place=node_place(down[0]),
            names=tuple(sorted({illness.name for illness in now.illnesses if illness.nodes & {n.name for n in down}})),
            as_of=now.sight.as_of("nodes"),
        )


def _api(now: Situation) -> Iterator[Seen]:
    """Nothing of the cluster answers; one refused watch among others that live is no outage."""
    known = [snapshot.freshness for source in CLUSTER if (snapshot := now.sight.snapshots.get(source)) is not None]
    if known and all(freshness.state in (State.STALE, State.UNAVAILABLE) for freshness in known):
        detail = next((freshness.detail for freshness in known if freshness.detail), "")
        text = "the API server does not answer" + (f": {clip(detail)}" if detail else "")
        yield Seen(
            symptom="api-unreachable",
            text=text,
            since=min(freshness.since for freshness in known),
            place=Place(pane="pods"),
        )


def _crashing(now: Situation) -> Iterator[Seen]:
    found = [ill for ill in now.illnesses if ill.crashing]
    yield from _of_pods(now, "pods-crashing", found)


def _pending(now: Situation) -> Iterator[Seen]:
    yield from _of_pods(now, "pods-pending", [illness for illness in now.illnesses if illness.pending])


def _of_pods(now: Situation, symptom: Symptom, found: list[Illness]) -> Iterator[Seen]:
    if found and now.sight.seen("pods"):
        told = "; ".join(ill_text(illness) for illness in found[:2])
        yield Seen(
            symptom=symptom,
            text=told + (f"; and {many(len(found) - 2, 'more workload')}" if len(found) > 2 else ""),
            since=min((illness.since for illness in found if illness.since is not None), default=None),
            place=ill_place(found[0]),
            names=tuple(illness.name for illness in found),
            as_of=now.sight.as_of("pods"),
        )


def _stuck(now: Situation) -> Iterator[Seen]:
    found = [ill for ill in now.illnesses if ill.row is not None and stuck(ill.row, now.now)]
    if found and now.sight.seen("workloads"):
        row = found[0].row
        assert row is not None
        text = f"{row.name}: {row.updated} of {row.desired} updated, {row.ready} ready, {row.condition}"
        yield Seen(
            symptom="rollout-stuck",
            text=text + (f"; and {many(len(found) - 1, 'more rollout')}" if len(found) > 1 else ""),
            since=min(
                (ill.row.changed_at for ill in found if ill.row and ill.row.changed_at is not None), default=None
            ),
            place=Place(pane="services", kind=row.kind, namespace=row.namespace, name=row.name, key=row.uid),
            names=tuple(illness.name for illness in found),
            as_of=now.sight.as_of("workloads"),
        )


def usual(endpoint: Endpoint) -> float | None:
    """What an endpoint takes on a good day, in ms: the lower quartile of its last half hour; None if not known."""
    answered = sorted(latency for _, latency in endpoint.history if latency >= 0)
    return answered[len(answered) // 4] if len(answered) >= USUAL_SAMPLES else None


def slow(endpoint: Endpoint) -> bool:
    return endpoint.ok is True and endpoint.latency_ms is not None and endpoint.latency_ms >= _limit(endpoint)


def _limit(endpoint: Endpoint) -> float:
    """The latency from which on the endpoint is slow, in ms."""
    normal = usual(endpoint)
    return ALWAYS_SLOW_MS if normal is None else min(ALWAYS_SLOW_MS, max(SLOWER * normal, SLOW_MS))


def _slow(now: Situation) -> Iterator[Seen]:
    found = sorted((one for one in now.sight.endpoints if slow(one)), key=lambda one: (-(one.latency_ms or 0), one.url))
    if found and now.sight.seen("endpoints"):
        told = ", ".join(f"{one.name} {latency_text(one)}" for one in found[:3])
        yield Seen(
            symptom="slow-endpoints",
            text=f"{many(len(found), 'endpoint')} slow: {told}",
            since=_slow_since(found[0]),
            place=endpoint_place(found[0]),
            names=tuple(one.name for one in found),
            as_of=now.sight.as_of("endpoints"),
        )


def latency_text(endpoint: Endpoint) -> str:
    latency, normal = endpoint.latency_ms or 0.0, usual(endpoint)
    told = f"{latency / 1000:.1f} s" if latency >= 1000 else f"{latency:.0f} ms"
    times = latency / normal if normal else 0.0
    return f"{told}, {times:.0f} × the usual" if times >= SLOWER else told


def _slow_since(endpoint: Endpoint) -> float | None:
    """The first of the last samples in a row that were slow."""
    limit, since = _limit(endpoint), None
    for at, latency in reversed(endpoint.history):
        if latency < limit:
            break
        since = at
    return since


def _database(now: Situation) -> Iterator[Seen]:
    for read in now.told.read:
        if read.errors and of_database(read.excerpt):
            text = f"lines read of {read.of}: {clip(read.excerpt)}"
            yield Seen(symptom="database-timeouts", text=text, since=None, place=Place(pane="pods"), names=(read.of,))
            return
    for illness in now.illnesses:
        if illness.database and now.sight.seen("pods"):
            yield Seen(
                symptom="database-timeouts",
                text=f"{illness.name} says: {clip(illness.message)}",
                since=illness.since,
                place=ill_place(illness),
                names=(illness.name,),
                as_of=now.sight.as_of("pods"),
            )
            return
    yield from _told_by(now, "database-timeouts", now.sight.warnings.database.values())


def _auth(now: Situation) -> Iterator[Seen]:
    yield from _told_by(now, "auth-anomalies", now.sight.warnings.break_ins.values())


def _told_by(now: Situation, symptom: Symptom, told: Iterable[Event]) -> Iterator[Seen]:
    """Warnings of late that say so; the newest one is quoted."""
    limit = now.still_counts
    found = [event for event in told if event.last_at >= limit]
    if found and now.sight.seen("events"):
        newest = max(found, key=lambda event: (event.last_at, event.uid))
        yield Seen(
            symptom=symptom,
            text=f"{newest.reason} {owner(newest)}: {clip(newest.message)}",
            since=min(event.first_at for event in found),
            place=event_place(newest),
            names=tuple(sorted({owner(event) for event in found})),
            as_of=now.sight.as_of("events"),
        )


def event_place(event: Event) -> Place:
    return Place(pane="events", kind="Event", namespace=event.namespace, name=event.name, key=event.uid)


def _quarantined(now: Situation) -> Iterator[Seen]:
    if now.told.quarantined:
        yield Seen(
            symptom="quarantined-pods",
            text=f"quarantined: {', '.join(now.told.quarantined[:5])}",
            since=None,
            place=Place(pane="pods"),
            names=now.told.quarantined,
        )


_FINDERS: tuple[Callable[[Situation], Iterator[Seen]], ...] = (
    _endpoints,
    _nodes,
    _api,
    _crashing,
    _pending,
    _stuck,
    _slow,
    symptoms_of,
    _database,
    _auth,
    _quarantined,
)
