"""What the selected row is about, captured when the key was pressed: the row may move, the subject does not."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import msgspec
from msgspec import Struct, field

from incident.entry import Line
from incident.instants import EARLIEST, LATEST, rfc3339
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Workload
from widgets.changes import Change
from widgets.pod_groups import PodRow, WorkloadGroup


class Subject(Struct, frozen=True):
    """One thing that can be shown in detail, followed, pinned and copied.

    ``kind`` is empty for what the Kubernetes API cannot be asked for (an endpoint, a commit). ``whole``: the facts are
    all there is to see of it, and this says whose they are; empty where the server has more.
    ``pods`` are (namespace, pod, containers) whose logs are its logs. ``at`` is its own time in epoch seconds, None
    for now: when an event happened, since when something is ill.
    """

    title: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    at: float | None = None
    level: str = "info"
    text: str = ""  # one line, for the timeline and the clipboard
    facts: dict[str, Any] = field(default_factory=dict)
    pods: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    whole: str = ""


def _sick(health: Health) -> bool:
    """What is ill has the time since when; what is well is seen now, and not when it was created."""
    return health <= Health.DEGRADED


LEVELS = {Health.FAILING: "bad", Health.DEGRADED: "warn", Health.HEALTHY: "good", Health.DORMANT: "info"}


@singledispatch
def subject_of(row: object) -> Subject | None:
    """The subject of a pane's row, or None if the row is about nothing that can be looked at."""
    return None


@subject_of.register
def _pod(row: Pod) -> Subject:
    broken = [c for c in row.containers if not c.ready and c.role != "init"] or list(row.containers)
    exits = [c.last_exit_code for c in broken if c.last_exit_code]
    tail = f", exit {exits[0]}" if exits else ""
    restarts = f", {row.restarts} restarts" if row.restarts else ""
    return Subject(
        title=f"pod/{row.name}",
        kind="Pod",
        namespace=row.namespace,
        name=row.name,
        uid=row.uid,
        at=_trouble_at(row),
        level=LEVELS[row.health],
        text=f"pod {row.name}: {row.status}{tail}, {row.ready} of {row.total} ready{restarts}",
        facts=facts_of(row),
        pods=((row.namespace, row.name, tuple(c.name for c in row.containers)),),
    )


def _trouble_at(pod: Pod) -> float | None:
    return (
        (pod.unready_since or pod.deleting_since or pod.restarted_at or pod.created_at) if _sick(pod.health) else None
    )


@subject_of.register
def _pod_row(row: PodRow) -> Subject:
    return _pod(row.pod)


@subject_of.register
def _group(row: WorkloadGroup) -> Subject:
    words = ", ".join(f"{count} × {word}" for word, count in row.reasons) or ", ".join(row.words)
    return Subject(
        title=f"{row.kind.lower()}/{row.name}",
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
        at=row.trouble_at or None,
        level=LEVELS[row.health],
        text=f"{row.name}: {row.ready} of {row.wanted} ready, {words}",
        facts={
            "kind": row.kind,
            "namespace": row.namespace,
            "name": row.name,
            "ready": row.ready,
            "wanted": row.wanted,
            "restarts": row.restarts,
            "pods": [{"name": pod.name, "status": pod.status, "restarts": pod.restarts} for pod in row.pods],
        },
        pods=tuple((pod.namespace, pod.name, tuple(c.name for c in pod.containers)) for pod in row.pods),
    )


@subject_of.register
def _node(row: Node) -> Subject:
    trouble = ", ".join((*row.pressures, row.reason)).strip(", ")
    return Subject(
        title=f"node/{row.name}",
        kind="Node",
        name=row.name,
        uid=row.uid,
        at=row.changed_at if _sick(row.health) else None,
        level=LEVELS[row.health],
        text=f"node {row.name}: {row.status}{f', {trouble}' if trouble else ''}",
        facts=facts_of(row),
    )


@subject_of.register
def _workload(row: Workload) -> Subject:
    return Subject(
        title=f"{row.kind.lower()}/{row.name}",
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
        uid=row.uid,
        at=row.changed_at if _sick(row.health) else None,
        level=LEVELS[row.health],
        text=f"{row.kind.lower()} {row.name}: {row.ready} of {row.desired} ready, {row.condition}",
        facts=facts_of(row),
    )


@subject_of.register
def _event(row: Event) -> Subject:
    return Subject(
        title=f"event/{row.name}",
        kind="Event",
        namespace=row.namespace,
        name=row.name,
        uid=row.uid,
        at=row.last_at,
        level="warn" if row.type == "Warning" else "info",
        text=f"{row.reason} {row.kind.lower()}/{row.object_name}: {row.message}"
        + (f" (× {row.count})" if row.count > 1 else ""),
        facts=facts_of(row),
    )


@subject_of.register
def _endpoint(row: Endpoint) -> Subject:
    answer = str(row.status) if row.status is not None else row.error or "not checked yet"
    latency = f" in {row.latency_ms:.0f} ms" if row.latency_ms is not None else ""
    return Subject(
        title=row.name,
        name=row.name,
        at=row.checked_at,
        level=LEVELS[row.health],
        text=f"{row.name}: {answer}{latency}",
        facts=facts_of(row),
    )


@subject_of.register
def _commit(row: Commit) -> Subject:
    return Subject(
        title=f"commit {row.commit[:8]}",
        name=row.commit,
        at=row.at,
        text=f"commit {row.commit[:8]} by {row.author}: {row.subject}",
        facts=facts_of(row),
    )


@subject_of.register
def _change(row: Change) -> Subject:
    if not isinstance(row.item, Release):
        found = subject_of(row.item)
        assert found is not None
        return found
    selected = next((each for each in row.item.history if each.number == row.revision), None)
    return Subject(
        title=f"{row.item.name} {row.what}",
        kind="Release",
        namespace=row.item.namespace,
        name=row.item.name,
        at=row.at,
        level="bad" if row.bad else "info",
        text=f"helm {row.item.name} {row.what}" + (f": {row.subject}" if row.subject else ""),
        facts={"selected": facts_of(selected)} | facts_of(row.item) if selected is not None else facts_of(row.item),
    )


@subject_of.register
def _line(row: Line) -> Subject:
    """The entry as it was written; ``text`` is how it reads after its amendments."""
    facts = facts_of(row.entry)
    facts |= {name: instant(facts[name]) for name in ("happened_at", "recorded_at")}
    if row.amended_at is not None:
        facts["amended"] = {"at": instant(row.amended_at), "text": row.text, "happened_at": instant(row.happened_at)}
    if row.retracted is not None:
        facts["retracted"] = row.retracted
    if row.count > 1:
        facts |= {"count": row.count, "last_at": instant(row.last_at)}
    if row.outcome is not None and row.ended_at is not None:
        facts["outcome"] = {"at": instant(row.ended_at), "by": row.ended_by, "text": row.outcome}
        if row.earlier:
            facts["outcome"]["before that"] = list(row.earlier)
    del facts["evidence_on_disk"], facts["ending_on_disk"]
    return Subject(
        title=f"entry {row.entry.seq}",
        at=row.happened_at / 1000,
        level=row.level,
        text=row.text,
        facts=facts,
    )


def instant(at: int) -> str | int:
    """As data leaves the program; the number itself where no calendar reaches."""
    return rfc3339(at) if EARLIEST <= at <= LATEST else at


def facts_of(row: msgspec.Struct) -> dict[str, Any]:
    """What the probes know of a row, as data leaves the program: instants in RFC 3339, health as a word."""
    facts: dict[str, Any] = msgspec.to_builtins(row)
    told: dict[str, Any] = _told(facts)
    if isinstance(row, Endpoint):
        told["history"] = [[instant(round(at * 1000)), round(latency, 1)] for at, latency in row.history]
    return told


def _told(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _told(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_told(each) for each in value]
    if isinstance(value, float):
        is_instant = name.endswith(("_at", "_since")) or name in ("at", "updated")
        return instant(round(value * 1000)) if is_instant else round(value, 3)
    return Health(value).name.lower() if name == "health" and isinstance(value, int) else value
