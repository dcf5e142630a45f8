"""What is ill at one instant, in a fixed order, and when the first of it began."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from probes.rows import Endpoint, Health, Node, Workload
from runbook.diagnosis.databases import ill_words, onset, place_of
from runbook.diagnosis.findings import Place
from runbook.diagnosis.sightings import Illness, Sightings
from runbook.diagnosis.warnings import Group, of_database
from runbook.diagnosis.wording import Clock, clip, many
from runbook.response import Response

if TYPE_CHECKING:
    from probes.azure.rows import Database

SETTLING = 10.0
"""Seconds that replicas may be missing before that is an illness: they are, in every rolling update."""

STARTING = 60.0
"""Seconds that a new workload may take to its first ready pod."""

CHRONIC = 24 * 3600.0
"""Seconds after which an illness is not what is looked for, as long as there is a younger one."""

SKEW = 5.0
"""Seconds by which a change may seem to come after what it caused: Helm writes its own machine's time."""

STUCK = 60.0
"""Seconds without progress after which a rollout counts as stuck (`probes.workloads`)."""


class LinesRead(Struct, frozen=True, kw_only=True):
    """Log lines that somebody read: of which workload, how many, how many of them errors, and one of those."""

    of: str
    lines: int
    errors: int
    excerpt: str = ""


class FirstSeen(NamedTuple):
    at: float
    text: str


class Told(Struct, frozen=True, kw_only=True):
    """What the probes cannot know. ``began`` is when the incident began, if a person said so.

    ``first`` is what the record of the open incident has as its first symptom: pods come and go, and the newest of them
    are younger than what is wrong. ``quarantined`` are names of pods that were quarantined here.
    """

    read: tuple[LinesRead, ...] = ()
    began: float | None = None
    first: FirstSeen | None = None
    quarantined: tuple[str, ...] = ()


class Onset(NamedTuple):
    at: float
    text: str
    place: Place


class Situation:
    """The sightings, judged at the instant ``now``. Made anew for each diagnosis."""

    def __init__(self, sight: Sightings, response: Response, now: float, clock: Clock, told: Told) -> None:
        self.sight = sight
        self.response = response
        self.now = now
        self.clock = clock
        self.told = told
        present = [illness for illness in sight.illnesses.values() if not self._settling(illness)]
        failing = [endpoint for endpoint in sight.endpoints if endpoint.ok is False]
        self.failing_endpoints: tuple[Endpoint, ...] = tuple(sorted(failing, key=lambda one: (one.name, one.url)))
        sick = [node for node in sight.nodes if node.health <= Health.DEGRADED]
        self.sick_nodes: tuple[Node, ...] = tuple(sorted(sick, key=lambda node: (node.health, node.name)))
        ill = [database for database in sight.databases if database.health <= Health.DEGRADED]
        self.sick_databases: tuple[Database, ...] = tuple(sorted(ill, key=lambda row: (row.health, row.name, row.key)))
        old = [illness for illness in present if illness.since is not None and illness.since < now - CHRONIC]
        # An endpoint that failed when the console opened began at a time nobody knows: it may be what is looked for.
        younger = len(old) < len(present) or any(
            endpoint.changed_at is None or endpoint.changed_at >= now - CHRONIC for endpoint in failing
        )
        self.chronic = len(old) if younger else 0
        left_out = set(map(id, old)) if younger else set()
        self.illnesses: tuple[Illness, ...] = tuple(
            sorted((illness for illness in present if id(illness) not in left_out), key=self._gravity)
        )
        self.names = frozenset(illness.name for illness in self.illnesses)
        self.namespaces = frozenset(illness.key[0] for illness in self.illnesses)
        self.onset = self._onset()
        if self.onset is not None and told.first is not None and told.first.at < self.onset.at:
            self.onset = self.onset._replace(at=told.first.at, text=told.first.text)

    def critical(self, name: str) -> bool:
        """Whether the runbook file calls a workload of this name critical; the first glob that matches decides."""
        return _critical(name, tuple(self.response.services.items()))

    @property
    def began(self) -> float | None:
        """When the first symptom was there: what a person said, or the earliest of what is ill."""
        if self.told.began is not None:
            return self.told.began
        return self.onset.at if self.onset is not None else None

    @property
    def still_counts(self) -> float:
        """The instant from which on a warning counted when the events were right the last time; the file says so."""
        return (self.sight.as_of("events") or self.now) - self.response.errors_gone_for

    @cached_property
    def warnings(self) -> tuple[Group, ...]:
        """The warnings that still count, those about what is ill before the others, then the most frequent first."""
        limit = self.still_counts
        found = [group for group in self.sight.warnings.groups.values() if group.newest.last_at >= limit]
        found.sort(key=lambda one: (one.owner not in self.names, -one.times, one.reason, one.owner))
        return tuple(found)

    @cached_property
    def speaks_of_databases(self) -> bool:
        """Whether what is ill, a warning of late or a log line that was read says that a database timed out."""
        limit = self.still_counts
        return (
            any(illness.database for illness in self.illnesses)
            or any(event.last_at >= limit for event in self.sight.warnings.database.values())
            or any(read.errors and of_database(read.excerpt) for read in self.told.read)
        )

    @property
    def ill(self) -> bool:
        """Whether anything is, whether it is known since when or not."""
        return bool(self.illnesses or self.failing_endpoints or self.sick_nodes or self.sick_databases)

    def dead(self) -> tuple[Illness, ...]:
        """Workloads without one replica that could answer; one that is just being created is none of them."""
        return tuple(
            illness
            for illness in self.illnesses
            if illness.dead and illness.row is not None and illness.row.created_at < self.now - STARTING
        )

    def _settling(self, illness: Illness) -> bool:
        return not illness.failing and illness.since is not None and 0 <= self.now - illness.since < SETTLING

    def _gravity(self, illness: Illness) -> tuple[object, ...]:
        """Dead before short, critical before others, failing before unready, then by when it began."""
        since = illness.since if illness.since is not None else self.now
        return not illness.dead, not self.critical(illness.name), not illness.failing, since, illness.key

    def _onset(self) -> Onset | None:
        """The earliest of pods, workloads and endpoints. Nodes and databases count only when nothing runs badly on them
        yet: otherwise they are what may have caused it."""
        found: list[Onset] = []
        dated = ((illness.since, illness.key, illness) for illness in self.illnesses if illness.since is not None)
        if first := min(dated, default=None):
            found = [Onset(first[0], ill_text(first[2]), ill_place(first[2]))]
        found += [
            Onset(endpoint.changed_at, f"{endpoint.name} {answer(endpoint)}", endpoint_place(endpoint))
            for endpoint in self.failing_endpoints
            if endpoint.changed_at is not None
        ]
        if not found and not self.illnesses and not self.failing_endpoints:
            found = [
                Onset(node.changed_at, f"{node.name} {node_trouble(node)}", node_place(node))
                for node in self.sick_nodes
                if node.changed_at is not None
            ]
            found += [
                Onset(at, ill_words(database), place_of(database))
                for database in self.sick_databases
                if (at := onset(database)) is not None
            ]
        return min(found, key=lambda onset: (onset.at, onset.text), default=None)


@lru_cache(maxsize=8192)
def _critical(name: str, services: tuple[tuple[str, bool], ...]) -> bool:
    return next((is_so for glob, is_so in services if fnmatchcase(name, glob)), False)


def ill_text(illness: Illness) -> str:
    """``3 of 3 payment-service in CrashLoopBackOff``, or what the workload's rollout says."""
    if not illness.words:
        row = illness.row
        word = row.condition if row is not None and row.condition not in ("complete", "progressing") else ""
        return f"{illness.ready} of {illness.total} {illness.name} ready" + (f", {word}" if word else "")
    (word, count), *others = illness.words
    rest = "".join(f", {more} {_worded(other)}" for other, more in others[:2])
    if illness.key[1] == "Pod":
        return f"pod {illness.name} {_worded(word)}"
    return f"{count} of {illness.total} {illness.name} {_worded(word)}{rest}"


def _worded(word: str) -> str:
    return "not ready" if word == "Unready" else f"in {word}"


def ill_place(illness: Illness) -> Place:
    namespace, kind, name = illness.key
    if illness.pod:
        return Place(pane="pods", kind=kind, namespace=namespace, name=name, key=illness.pod if kind == "Pod" else "")
    return Place(
        pane="services",
        kind=kind,
        namespace=namespace,
        name=name,
        key=illness.row.uid if illness.row is not None else "",
    )


def answer(endpoint: Endpoint) -> str:
    """How an endpoint answered last: ``503``, or why there was no answer."""
    if endpoint.status is not None:
        return str(endpoint.status)
    return clip(endpoint.error) or "does not answer"


def endpoint_place(endpoint: Endpoint) -> Place:
    return Place(pane="services", kind="Endpoint", name=endpoint.name, key=endpoint.url)


def node_trouble(node: Node) -> str:
    if not node.ready:
        return node.status
    return f"under {', '.join(node.pressures)}" if node.pressures else node.status


def node_place(node: Node) -> Place:
    return Place(pane="nodes", kind="Node", name=node.name, key=node.uid)


def stuck(row: Workload, now: float) -> bool:
    """Whether a rollout goes nowhere: given up, unable to make pods, or without progress for `STUCK` seconds."""
    if row.condition in ("ProgressDeadlineExceeded", "ReplicaFailure"):
        return True
    rolling = row.condition == "progressing" and row.health <= Health.DEGRADED and row.updated < row.desired
    return rolling and row.changed_at is not None and now - row.changed_at > STUCK


def more(count: int, shown: int, what: str) -> str:
    """What stands after a list that was cut; empty if it was not."""
    return f"; and {many(count - shown, f'more {what}')}" if count > shown else ""
