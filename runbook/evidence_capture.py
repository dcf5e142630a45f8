"""Captures an order of evidence into its folder: everything at once, because the pod may be about to vanish.

What cannot be had is written down with the reason; nothing that did come is thrown away.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook.evidence_folder import EvidenceFolder
from runbook.evidence_logs import Logs
from runbook.evidence_objects import Objects
from runbook.evidence_order import Order, Owner, Subject, containers_of, path_of, sized, subject_of
from runbook.evidence_piece import Pieces, State, all_at_once, in_thread
from runbook.plan import Json
from runbook.scene import api_path
from runbook.selectors import equal_selects, selects

if TYPE_CHECKING:
    from runbook.mitigation import Tell
    from runbook.scene import Scene
    from runbook.stamps import Stamp

SCHEMA = "warroom/evidence/1"
_DEEPEST = 6  # owners of owners


class Capture:
    """One order, carried out: `originals`, then `redact`, then `seal`, whatever became of the first two.

    Raises `CannotKeep` when the folder cannot be made.
    """

    def __init__(self, scene: Scene, order: Order, stamp: Stamp, tell: Tell) -> None:
        self.order = order
        self._folder = EvidenceFolder(Path(order.folder))
        self._pieces = Pieces(self._folder)
        self._objects = Objects(scene.cluster, self._pieces)
        self._logs = Logs(scene.cluster, order.namespace, self._pieces, tell)
        self._scene = scene
        self._stamp = stamp
        self._tell = tell
        self._began = scene.now()
        self._owners: set[tuple[str, str]] = set()
        self._nodes: set[str] = set()

    # ------------------------------------------------------------------ the parts

    async def originals(self) -> None:
        """Everything that the order names, and what that leads to. Raises nothing but CancelledError."""
        order = self.order
        work = [self._pod(subject) for subject in order.subjects]
        work.append(self._around())
        if order.kind != "Pod":
            work.append(self._owner(Owner("apps/v1", order.kind, order.name), 0))
        await all_at_once(work)
        files = [piece for piece in self._pieces.all if piece.original is not None]
        self._tell(f"captured {len(files)} files, {sized(sum(piece.bytes for piece in files))}")

    async def redact(self) -> None:
        """The redacted copies of the logs; those of objects are there already."""
        await self._logs.redact()

    async def seal(self, broken_off: str = "") -> str:
        """Index and manifest; the manifest's SHA-256. ``broken_off`` says why it ended early. Raises `CannotKeep`."""
        for piece in self._pieces.all:
            if piece.state is State.PENDING:
                piece.fail(broken_off or "it was broken off")
            if piece.original is not None and piece.copy is None and not piece.uncopied:
                piece.uncopied = broken_off or "it was broken off"
        return await in_thread(lambda: self._folder.seal(self._index(broken_off)))

    def _index(self, broken_off: str) -> Json:
        order, cluster, pieces = self.order, self._scene.cluster, self._pieces.all
        return {
            "schema": SCHEMA,
            "incident": self._stamp.incident,
            "act": self._stamp.act,
            "by": self._stamp.by,
            "host": order.host,
            "began_at": _rfc3339(self._began),
            "sealed_at": _rfc3339(self._scene.now()),
            "cluster": {"context": cluster.context, "server": cluster.server, "user": cluster.user},
            "namespace": order.namespace,
            "target": f"{order.kind.lower()}/{order.name}",
            "pods": [{"name": subject.name, "uid": subject.uid} for subject in order.subjects],
            "pods_left_out": order.left_out,
            "broken_off": broken_off,
            "complete": not broken_off and all(piece.well for piece in pieces),
            "files": [piece.listed() for piece in pieces if piece.original is not None],
            "missing": [piece.listed() for piece in pieces if piece.original is None],
        }

    # ------------------------------------------------------------------ what there is

    async def _pod(self, subject: Subject) -> None:
        order = self.order
        path = api_path("v1", order.namespace, "pods", subject.name)
        found = await self._objects.object(path, "pods", subject.name, "pod", about=f"pod {subject.name}")
        fresh = subject_of(found) if found is not None else subject
        replaced = fresh.uid != subject.uid
        containers = list(subject.containers)
        if found is not None and not replaced:  # an ephemeral one may have come meanwhile
            containers += [one for one in containers_of(found) if one not in containers]
        work: list[Coroutine[Any, Any, None]] = []
        for container in containers:
            for previous in (False, True):
                piece = self._logs.expect(subject, container, previous)
                if replaced:
                    piece.fail("the pod was replaced by another one of that name, and its logs went with it")
                else:
                    work.append(self._logs.capture(piece, subject, container, previous))
        work.append(self._events("Pod", subject.name, order.namespace, "pods", subject.name, "events"))
        owners = dict.fromkeys((*subject.owners, *(() if replaced else fresh.owners)))
        work += [self._owner(owner, 0) for owner in owners]
        work += [self._node(node) for node in dict.fromkeys((subject.node, fresh.node)) if node]
        await all_at_once(work)

    async def _owner(self, owner: Owner, depth: int) -> None:
        """An owner and its owners, each once."""
        known = (owner.kind, owner.name)
        if known in self._owners or depth > _DEEPEST:
            return
        self._owners.add(known)
        if owner.kind == "Node":  # of a pod that the kubelet made by itself
            await self._node(owner.name)
            return
        name = f"{owner.kind.lower()}-{owner.name}"
        about = f"{owner.kind.lower()} {owner.name}"
        path = path_of(owner, self.order.namespace)
        if not path:
            piece = self._pieces.expect("owners", name, suffix=".json", source="", about=about)
            piece.fail(f"a reference to a {owner.kind} of {owner.api_version or 'no API'} is not followed")
            return
        found = await self._objects.object(path, "owners", name, about=about)
        above = subject_of(found).owners if found is not None else ()
        await all_at_once(
            [
                self._events(owner.kind, owner.name, self.order.namespace, "owners", f"{name}.events"),
                *(self._owner(one, depth + 1) for one in above),
            ]
        )

    async def _node(self, name: str) -> None:
        if name in self._nodes:
            return
        self._nodes.add(name)
        await self._objects.object(api_path("v1", "", "nodes", name), "nodes", name, about=f"node {name}")
        await self._events("Node", name, "default", "nodes", f"{name}.events")

    async def _events(self, kind: str, name: str, namespace: str, *parts: str) -> None:
        query = {"fieldSelector": f"involvedObject.kind={kind},involvedObject.name={name}"}
        path = api_path("v1", namespace, "events")
        await self._objects.collection(path, query, *parts, about=f"events of {kind.lower()} {name}")

    async def _around(self) -> None:
        """The Services and NetworkPolicies that concern any of the pods."""
        labels = [subject.labels for subject in self.order.subjects]

        def serves(item: Json) -> bool:
            return any(equal_selects((item.get("spec") or {}).get("selector"), found) for found in labels)

        def holds(item: Json) -> bool:
            return any(selects((item.get("spec") or {}).get("podSelector"), found) for found in labels)

        where = self.order.namespace
        services = api_path("v1", where, "services")
        policies = api_path("networking.k8s.io/v1", where, "networkpolicies")
        await all_at_once(
            [
                self._objects.collection(services, {}, "services", about="services", wanted=serves),
                self._objects.collection(policies, {}, "networkpolicies", about="network policies", wanted=holds),
            ]
        )


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
