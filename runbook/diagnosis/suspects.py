"""What changed before the first symptom, ranked: releases, rollouts, scaling, nodes, Azure, commits.

The rule. A change that came after the first symptom did not cause it, and is listed apart (`SKEW` seconds are
forgiven, because Helm writes its own machine's time and the cluster its own). Among those before it,

    score = kind × touch × closeness

``closeness`` is 1 / (1 + minutes before / 10): a bad release shows within minutes, so one of ten minutes ago counts
half of one of this moment; but it never reaches nothing, because a leak takes hours. Older than `OLDEST` is no suspect.

``touch``: a change of the very workload that is ill counts full (1), and so does one of a node under its pods or of the
server of a database that is ill; one in its namespace 0.5 (neighbours share configuration, quotas and databases), and
one of what all may stand on in Azure (`runbook.diagnosis.azure_changes`) too; one elsewhere 0.2. While nodes are under
pressure, whatever was scaled up counts full: it takes room on them, whoever has to go for it. A commit touches a
workload if its subject names it; it counts 0.8 then, because a subject is only words.

``kind``: a release is what changes most at once and can be taken back with one key (1); a rollout without a release is
somebody's change by hand (0.95); Azure and nodes change under everything (0.8); scaling changes how many and not what
(0.7); a commit changes nothing until it is released (0.6), so it stays behind the release that carried it.

A workload scaled or rolled out within `CARRIED` seconds after a release that owns it is that release's work and no
suspect of its own. Equal scores go to the later change, then by name: the same input has the same order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache

from probes.rows import Commit, Event, Node, Release, Revision
from runbook.diagnosis.azure_changes import azure_changes
from runbook.diagnosis.change import TOUCHES, Change, closeness
from runbook.diagnosis.findings import ChangeKind, Place, Suspect, Touch
from runbook.diagnosis.situation import SKEW, Situation, node_place, node_trouble
from runbook.diagnosis.symptoms import event_place
from runbook.diagnosis.wording import clip

OLDEST = 24 * 3600.0
CARRIED = 120.0
TOGETHER = 120.0  # seconds between two steps of one rollout
MOST, MOST_AFTER = 8, 5
REVISIONS = 3
NAMEABLE = 40  # of what is ill, the gravest; subjects are searched for their names

KINDS: dict[ChangeKind, float] = {
    "release": 1.0,
    "rollout": 0.95,
    "azure": 0.8,
    "node": 0.8,
    "scaling": 0.7,
    "commit": 0.6,
}
NAMED = 0.8  # of a commit that names what is ill

_SCALED = re.compile(r"Scaled (?:up|down) replica set (\S+) (?:from (\d+) )?to (\d+)", re.ASCII)
_NODE_WORDS = {
    "NodeNotReady": "not ready",
    "NodeReady": "ready",
    "NodeNotSchedulable": "cordoned",
    "NodeSchedulable": "uncordoned",
    "RegisteredNode": "joined",
    "RemovingNode": "removed",
    "DeletingNode": "removed",
    "Rebooted": "rebooted",
    "NodeHasDiskPressure": "under DiskPressure",
    "NodeHasInsufficientMemory": "under MemoryPressure",
    "NodeHasInsufficientPID": "under PIDPressure",
}
# Words in names of workloads that tell nothing apart.
_COMMON = frozenset({"service", "server", "api", "app", "web", "worker", "backend", "frontend", "the"})


def suspects(now: Situation) -> tuple[tuple[Suspect, ...], tuple[Suspect, ...]]:
    """(before the first symptom, by rank; since then, the newest first). Nothing is suspected while all is well."""
    began = now.began
    if began is None:
        return (), ()
    before: list[Suspect] = []
    after: list[Suspect] = []
    for change in _changes(now, began):
        suspect = _ranked(change, began)
        if change.at <= began + SKEW:
            before.append(suspect)
        elif change.at <= now.now + SKEW:
            after.append(suspect)
    before.sort(key=lambda one: (-one.score, -one.at, one.id))
    after.sort(key=lambda one: (-one.at, one.id))
    return tuple(before[:MOST]), tuple(after[:MOST_AFTER])


def _ranked(change: Change, began: float) -> Suspect:
    before = began - change.at
    return Suspect(
        id=change.id,
        kind=change.kind,
        what=change.what,
        short=change.short,
        by=change.by,
        at=change.at,
        before=before,
        touch=change.touch,
        score=KINDS[change.kind] * change.weight * closeness(0.0 if change.ongoing else before),
        why=change.reason,
        place=change.place,
    )


def _changes(now: Situation, began: float) -> Iterator[Change]:
    """Every change within `OLDEST` before the first symptom, and all since."""
    oldest = began - OLDEST
    releases = [(release, revision) for release in now.sight.releases for revision in _revisions(release, began)]
    owned: dict[tuple[str, str], list[str]] = defaultdict(list)
    for illness in now.illnesses:
        if illness.row is not None and illness.row.release:
            owned[illness.row.namespace, illness.row.release].append(illness.name)
    for release, revision in releases:
        yield _release(now, release, revision, owned.get((release.namespace, release.name), []))
    about = _about(tuple(illness.name for illness in now.illnesses[:NAMEABLE]))
    for commit in now.sight.commits:
        if commit.at >= oldest:
            yield _commit(now, commit, about)
    yield from azure_changes(now, oldest, began + SKEW)
    events = [event for event in now.sight.changes.values() if event.last_at >= oldest]
    yield from _of_workloads(now, [event for event in events if event.kind != "Node"], releases, began)
    yield from _of_nodes(now, [event for event in events if event.kind == "Node"], began, oldest)


def _revisions(release: Release, began: float) -> Iterator[Revision]:
    """All since the first symptom, and the newest `REVISIONS` before it: older ones have been taken over by those."""
    before = 0
    for revision in release.history:  # newest first
        if revision.updated is None or revision.updated < began - OLDEST:
            continue
        before += revision.updated <= began
        if before > REVISIONS:
            return
        yield revision


def _release(now: Situation, release: Release, revision: Revision, owned: list[str]) -> Change:
    touch: Touch = "workload" if owned else "namespace" if release.namespace in now.namespaces else "elsewhere"
    chart = "-".join(filter(None, (revision.chart, revision.chart_version)))
    parts = [f"revision {revision.number} of {release.name}", chart, revision.status]
    if revision.rollback_to:
        parts.append(f"back to revision {revision.rollback_to}")
    return Change(
        id=f"release:{release.namespace}/{release.name}/{revision.number}",
        kind="release",
        at=revision.updated or 0.0,
        what=", ".join(filter(None, parts)),
        short=f"revision {revision.number}",
        by="",  # Helm does not keep it
        touch=touch,
        weight=TOUCHES[touch],
        reason=f"it carries {_some(owned)}" if owned else _where(touch),
        place=Place(
            pane="changes",
            kind="Release",
            namespace=release.namespace,
            name=release.name,
            key=release.key,
            revision=revision.number,
        ),
    )


def _commit(now: Situation, commit: Commit, about: re.Pattern[str]) -> Change:
    found = about.search(commit.subject)
    named = now.illnesses[(found.lastindex or 1) - 1].name if found else ""
    touch: Touch = "workload" if named else "namespace"
    return Change(
        id=f"commit:{commit.commit}",
        kind="commit",
        at=commit.at,
        what=f"commit {commit.commit[:7]}: {clip(commit.subject)}",
        short=f"commit {commit.commit[:7]}",
        by=commit.author,
        touch=touch,
        weight=NAMED if named else TOUCHES["namespace"],
        reason=f"its subject names {named}" if named else "it names nothing that is ill",
        place=Place(pane="changes", kind="Commit", name=commit.commit, key=commit.commit),
    )


def names(subject: str, workload: str) -> bool:
    """Whether a commit's subject is about a workload: its name, or the first word of it that tells it apart."""
    return _about((workload,)).search(subject) is not None


@lru_cache(maxsize=64)
def _about(workloads: tuple[str, ...]) -> re.Pattern[str]:
    """Finds any of the workloads in a subject; the one that is found is the number of the group, less one."""
    ways = []
    for workload in workloads:
        words = (word for word in re.split(r"[-._]", workload) if len(word) > 3 and word.casefold() not in _COMMON)
        stem = next(words, "")
        either = [re.escape(workload)] if workload else []
        either += [rf"\b{re.escape(stem)}"] if stem else []
        ways.append(f"({'|'.join(either) or '(?!)'})")
    return re.compile("|".join(ways) or "(?!)", re.IGNORECASE)


def _of_workloads(
    now: Situation, events: list[Event], releases: list[tuple[Release, Revision]], began: float
) -> Iterator[Change]:
    """One change for each rollout or scaling, however many steps it took."""
    steps: dict[tuple[str, str, str], list[tuple[float, Event]]] = defaultdict(list)
    for event in events:
        steps[event.namespace, event.kind, event.object_name].append((_instant(event, began), event))
    for (namespace, kind, name), found in sorted(steps.items()):
        row = now.sight.workload((namespace, kind, name))
        carried = [
            revision.updated or 0.0
            for release, revision in releases
            if row is not None and (release.namespace, release.name) == (namespace, row.release)
        ]
        found.sort(key=lambda step: (step[0], step[1].uid))
        for run in _runs(found):
            at = run[0][0]
            if not any(-SKEW <= at - released <= CARRIED for released in carried):
                yield _scaling(now, namespace, name, at, [event for _, event in run])


def _runs(steps: Iterable[tuple[float, Event]]) -> Iterator[list[tuple[float, Event]]]:
    run: list[tuple[float, Event]] = []
    for step in steps:
        if run and step[0] - run[-1][0] > TOGETHER:
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _scaling(now: Situation, namespace: str, name: str, at: float, events: list[Event]) -> Change:
    parsed = [found for event in events if (found := _SCALED.search(event.message))]
    sets = {found[1] for found in parsed}
    fresh = len(sets) > 1 or any(found[2] == "0" and found[3] != "0" for found in parsed)
    kind: ChangeKind = "rollout" if fresh else "scaling"
    crowds = False
    if fresh:
        what, short = f"{name} rolled out", f"the rollout of {name}"
    else:
        first, last = (parsed[0], parsed[-1]) if parsed else (None, None)
        sizes = f" from {first[2]} to {last[3]}" if first and last and first[2] else ""
        grown = bool(sizes) and first is not None and last is not None and int(last[3]) > int(first[2])
        crowds = grown and any(node.pressures for node in now.sick_nodes)
        what, short = (f"{name} scaled{sizes}" if parsed else f"{name}: {clip(events[0].message)}"), f"scaling {name}"
    touch: Touch = "workload" if name in now.names else "namespace" if namespace in now.namespaces else "elsewhere"
    reason = "it is what is ill" if touch == "workload" else _where(touch)
    if crowds and touch != "workload":
        touch, reason = "node", "nodes are under pressure, and it takes room on them"
    return Change(
        id=f"event:{events[0].uid}",
        kind=kind,
        at=at,
        what=what,
        short=short,
        by=events[0].reporter,
        touch=touch,
        weight=TOUCHES[touch],
        reason=reason,
        place=event_place(events[0]),
    )


def _of_nodes(now: Situation, events: list[Event], began: float, oldest: float) -> Iterator[Change]:
    """What happened to nodes: by their own conditions, and by events for what has passed since."""
    under = {node for illness in now.illnesses for node in illness.nodes}
    told: dict[str, list[float]] = defaultdict(list)
    for node in now.sick_nodes:
        if node.changed_at is not None and node.changed_at >= oldest:
            told[node.name].append(node.changed_at)
            yield _node(node.name, node_trouble(node), node.changed_at, f"node:{node.uid}", under, node_place(node))
    known: dict[str, Node] = {node.name: node for node in now.sight.nodes}
    for event in sorted(events, key=lambda one: (one.first_at, one.uid)):
        at = _instant(event, began)
        if event.reason not in _NODE_WORDS or any(abs(at - other) <= TOGETHER for other in told[event.object_name]):
            continue
        told[event.object_name].append(at)
        there = known.get(event.object_name)
        place = node_place(there) if there is not None else event_place(event)
        yield _node(event.object_name, _NODE_WORDS[event.reason], at, f"event:{event.uid}", under, place)


def _node(name: str, word: str, at: float, found: str, under: set[str], place: Place) -> Change:
    touch: Touch = "node" if name in under else "elsewhere"
    return Change(
        id=found,
        kind="node",
        at=at,
        what=f"node {name} {word}",
        short=f"node {name} {word}",
        by="",
        touch=touch,
        weight=TOUCHES[touch],
        reason="pods that are ill run on it" if touch == "node" else "nothing that is ill runs on it",
        place=place,
    )


def _instant(event: Event, began: float) -> float:
    """When it happened: of a repeated event the last time before the first symptom, where that is known."""
    return event.last_at if event.last_at <= began + SKEW else event.first_at


def _some(found: list[str]) -> str:
    return f"{found[0]}, which is ill" if len(found) == 1 else f"what is ill: {found[0]} and {len(found) - 1} more"


def _where(touch: Touch) -> str:
    return "it is in the namespace of what is ill" if touch == "namespace" else "nothing that is ill belongs to it"
