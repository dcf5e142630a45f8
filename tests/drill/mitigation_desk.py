"""A desk to mitigate from: the embedded platform, the gate on it, and a book that keeps drafts and requests in order.

    async with desk() as at:
        plan = await at.plan("restart", at.aim("Deployment", "account-service"))
        act = await at.confirm(plan)
        outcome = await at.ended(act)

``at.writes`` are the requests that asked the platform to change something; ``at.story`` has them and the book's
drafts in the order in which they happened.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill import kinds
from drill.observing import Request
from drill.platform import Running, running
from drill.scenario import Scenario
from drill.server import ApiServer
from incident.entry import Draft, Entry
from incident.entry import Kind as EntryKind
from probes.cluster import Cluster
from probes.freshness import Snapshot
from runbook.act import Act
from runbook.errors import NotRecorded
from runbook.gate import Confirmation, Gate
from runbook.mitigation import Mitigation
from runbook.mitigations import TABLE
from runbook.outside import NOWHERE, Outside
from runbook.plan import Aim, Finding, Level, Outcome, Plan
from runbook.playbook import Playbook

Json = dict[str, Any]
PROD = "banking-platform-prod"
INCIDENT = "INC-20261125-0900-abcd"
PERSON = "ada"
PATIENCE = 90.0  # seconds that anything here may take, however busy the machine is
VERDICT = 45.0  # seconds until a verdict is due: more than any machine needs that does what it should
SLOW = 0.01  # speed of a platform on which nothing becomes ready, or ends, while a test lasts
_WHERE = re.compile(r"kubectl --context \S+ --kubeconfig \S+ ")


class Book:
    """A timeline in memory. ``broken`` is why it cannot record; ``incident`` may be emptied."""

    def __init__(self, story: list[Draft | Request]) -> None:
        self.incident = INCIDENT
        self.author = PERSON
        self.broken = ""
        self.entries: list[Entry] = []
        self._story = story

    async def intend(self, draft: Draft) -> tuple[str, str]:
        if self.broken:
            raise NotRecorded(f"nothing was sent: {self.broken}")
        return self.incident, self._write(self.incident, draft)

    async def conclude(self, incident: str, draft: Draft) -> None:
        if not self.broken:
            self._write(incident, draft)

    def _write(self, incident: str, draft: Draft) -> str:
        self._story.append(draft)
        number = len(self.entries) + 1
        entry = Entry(
            id=f"entry-{number}",
            incident=incident,
            seq=number,
            happened_at=draft.happened_at or round(time.time() * 1000),
            recorded_at=0,
            author=draft.author,
            source=draft.source,
            kind=draft.kind,
            text=draft.text,
            evidence=draft.evidence,
            refers_to=draft.refers_to,
            fold=draft.fold,
            level=draft.level,
            count=draft.count,
            previous_hash="",
            hash="",
        )
        self.entries.append(entry)
        return entry.id

    @property
    def intents(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is EntryKind.MITIGATION]

    @property
    def outcomes(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is EntryKind.OUTCOME]


@dataclass
class Desk:
    """``latest`` are the probes' snapshots as the gate sees them: empty, until a test puts some there."""

    running: Running
    cluster: Cluster
    book: Book
    gate: Gate
    requests: list[Request]
    story: list[Draft | Request]
    latest: dict[str, Snapshot[Any]] = field(default_factory=dict)

    # ------------------------------------------------------------------ the platform

    @property
    def server(self) -> ApiServer:
        """The platform's API server: ``faults``, ``refuse()``, ``store`` …"""
        return self.running.platform.server

    @property
    def writes(self) -> list[Request]:
        """What asked the platform to change something; dry runs and access reviews do not."""
        return [request for request in self.requests if request.writes]

    @property
    def rehearsals(self) -> list[Request]:
        return [request for request in self.requests if request.dry]

    def all(self, plural: str, namespace: str = PROD) -> list[Json]:
        """The platform's objects of a kind, as they are right now; copies of the store's own must be made to change."""
        kind = kinds.kind(plural)
        return self.running.platform.store.list(kind, namespace if kind.namespaced else None)

    def get(self, plural: str, name: str, namespace: str = PROD) -> Json:
        kind = kinds.kind(plural)
        found = self.running.platform.store.get(kind, namespace if kind.namespaced else None, name)
        assert found is not None, f"no {plural}/{name}"
        return found

    def put(self, plural: str, obj: Json, *, manager: str = "somebody-else") -> Json:
        """Create or replace an object behind everybody's back."""
        kind, store = kinds.kind(plural), self.running.platform.store
        metadata = obj["metadata"]
        if kind.namespaced:
            metadata = {"namespace": PROD, **metadata}
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, **obj, "metadata": metadata}
        if store.get(kind, metadata.get("namespace"), metadata["name"]) is None:
            return store.create(kind, obj, manager=manager)
        return store.update(kind, obj, manager=manager)

    def change(self, plural: str, name: str, **spec: Any) -> Json:
        """Somebody else changes these fields of its spec."""
        found = self.get(plural, name)
        return self.put(plural, {**found, "spec": {**found["spec"], **spec}})

    def drop(self, plural: str, name: str, namespace: str = PROD) -> None:
        kind = kinds.kind(plural)
        self.running.platform.store.delete(kind, namespace if kind.namespaced else None, name, grace_seconds=0)

    def touch_status(self, plural: str, name: str) -> None:
        """A controller writes its status, as it does all the time on a sick workload."""
        found, kind = self.get(plural, name), kinds.kind(plural)
        count = found["status"].get("collisionCount", 0) + 1
        status = {**found["status"], "collisionCount": count}
        self.running.platform.store.update(kind, {**found, "status": status}, subresource="status")

    def recreate(self, plural: str, name: str) -> None:
        """Somebody deletes an object and creates the like of it under its name."""
        found = self.get(plural, name)
        self.drop(plural, name)
        kept = ("name", "namespace", "labels", "annotations")
        self.put(
            plural, {**found, "metadata": {key: found["metadata"][key] for key in kept if key in found["metadata"]}}
        )

    def before_write(self, action: Callable[[], object]) -> None:
        """Do something at the moment when the next write has reached the platform and nothing is done about it yet."""

        def once(request: Request) -> None:
            if request.writes and once in self.server.observers:
                self.server.observers.remove(once)
                action()

        self.server.observers.append(once)

    def pods(self, workload: str) -> list[Json]:
        """The pods of a workload, by the name that theirs begin with, oldest name first."""
        found = [pod for pod in self.all("pods") if pod["metadata"]["name"].startswith(f"{workload}-")]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    # ------------------------------------------------------------------ what a person does

    def aim(self, kind: str, name: str, namespace: str = PROD, **more: Any) -> Aim:
        """What the row of an object means; a pod's knows its Deployment, StatefulSet or DaemonSet."""
        plural = kinds.kind(kind).plural
        obj = self.get(plural, name, namespace)
        if kind == "Pod":
            more = {**self._owner(obj, namespace), **more}
        return Aim(
            kind=kind, namespace=obj["metadata"].get("namespace", ""), name=name, uid=obj["metadata"]["uid"], **more
        )

    def _owner(self, pod: Json, namespace: str) -> Json:
        for owner in pod["metadata"].get("ownerReferences") or ():
            if owner["kind"] == "ReplicaSet":
                found = self.get("replicasets", owner["name"], namespace)
                owner = next(iter(found["metadata"].get("ownerReferences") or [owner]))
            return {"owner_kind": owner["kind"], "owner_name": owner["name"]}
        return {}

    async def plan(self, mitigation: str, aim: Aim, **choices: str) -> Plan:
        return await self.gate.plan(mitigation, aim, choices)

    async def confirm(self, plan: Plan) -> Act:
        """Confirm as a careful person does: every warning read, the phrase typed."""
        return await self.gate.carry_out(plan, agreed(plan))

    async def ended(self, act: Act) -> Outcome:
        """The act's outcome, recorded."""
        async with asyncio.timeout(PATIENCE):
            return await act.done()

    async def carried_out(self, mitigation: str, aim: Aim, **choices: str) -> tuple[Plan, Outcome]:
        """The whole path: plan, confirm, wait for the verdict."""
        plan = await self.plan(mitigation, aim, **choices)
        return plan, await self.ended(await self.confirm(plan))

    async def undone(self, plan: Plan, outcome: Outcome | None = None) -> tuple[Plan, Outcome]:
        """Follow the undo recipe of an act to its verdict."""
        undo = (outcome.undo if outcome else None) or plan.undo
        assert undo.recipe is not None, undo.words
        return await self.carried_out(undo.recipe.mitigation, undo.recipe.aim, **undo.recipe.choices)


def agreed(plan: Plan) -> Confirmation:
    """The confirmation that a plan wants."""
    return Confirmation(
        by=PERSON, phrase=plan.phrase, acknowledged=frozenset(finding.text for finding in plan.warnings)
    )


def told(plan: Plan) -> tuple[str, ...]:
    """The plan's commands without their cluster, which every one of kubectl's must name."""
    return tuple(map(without_cluster, plan.commands))


def without_cluster(text: str) -> str:
    """A command, or a sentence with some, without the cluster, which every one of kubectl's must name."""
    said = _WHERE.sub("kubectl ", text)
    assert said.count("kubectl ") == len(_WHERE.findall(text)), text
    return said


def finding(plan: Plan, name: str, level: Level | None = None) -> Finding:
    """The one finding of that name (and level)."""
    found = [one for one in plan.findings if one.name == name and level in (None, one.level)]
    assert len(found) == 1, f"{name}: {found} among {[one.name for one in plan.findings]}"
    return found[0]


async def until(condition: Callable[[], Any], what: str = "") -> None:
    """Wait for something to become true."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for sends no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE:g} s: {what}") from None


@asynccontextmanager
async def desk(
    *,
    user: str = "admin",
    speed: float = 60.0,
    playbook: Playbook | None = None,
    table: Mapping[str, Mitigation] = TABLE,
    armed: bool = True,
    read_only: bool = False,
    production: bool = True,
    helm: tuple[str, ...] = (),
    jobs: Path | None = None,
    scenario: str | Scenario = "payment-release",
    outside: Callable[[Running], Outside] = lambda running: NOWHERE,
    began: Callable[[], float | None] = lambda: None,
) -> AsyncIterator[Desk]:
    """A platform that runs ``speed`` times as fast, and a desk in front of it; ``user`` is admin, viewer or nobody.

    ``scenario`` of `tests.drill.small_scenario` starts six times as quickly as the one that ships.
    """
    async with running(scenario, speed=speed) as platform:
        cluster = await Cluster.connect(str(platform.kubeconfig), None if user == "admin" else user)
        requests: list[Request] = []
        story: list[Draft | Request] = []

        def observe(request: Request) -> None:
            requests.append(request)
            if request.writes:
                story.append(request)

        platform.platform.server.observers.append(observe)
        book = Book(story)
        latest: dict[str, Snapshot[Any]] = {}
        gate = Gate(
            cluster,
            book,
            table,
            playbook or Playbook(quiet_for=0.2, verify_within=VERDICT),
            latest=lambda: latest,
            production=lambda namespace: production and "prod" in namespace,
            read_only=read_only,
            helm=helm,
            jobs=jobs or platform.kubeconfig.parent / "acts",
            outside=outside(platform),
            began=began,
        )
        if armed:
            gate.arm()
        try:
            yield Desk(platform, cluster, book, gate, requests, story, latest)
        finally:
            await gate.close()
