"""What a mitigation may know: the cluster to read from, what the probes last saw, and how the acts are set up.

A scene reads and rehearses; it cannot write.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from probes.access import can_i
from probes.errors import BadAnswer, NotFound, ProbeError
from probes.freshness import Snapshot
from probes.objects import fetch
from runbook.arm import Arm
from runbook.errors import MitigationError, NoPlan
from runbook.helm import Helm
from runbook.jobs import Jobs
from runbook.outside import NOWHERE, Outside
from runbook.plan import Aim, Need, Target

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from runbook.hands import Rehearsal
    from runbook.playbook import Playbook

Json = dict[str, Any]

READ = 5.0  # seconds that one read of a plan may take
AT_ONCE = 8  # access reviews under way at a time


class Scene:
    """``latest`` gives the newest snapshot of each source; ``production`` tells it of a namespace."""

    def __init__(
        self,
        cluster: Cluster,
        rehearsal: Rehearsal,
        playbook: Playbook,
        *,
        latest: Callable[[], Mapping[str, Snapshot[Any]]],
        production: Callable[[str], bool],
        helm: Sequence[str] = (),
        jobs: Jobs | None = None,
        now: Callable[[], float] = time.time,
        incident: Callable[[], str] = lambda: "",
        outside: Outside = NOWHERE,
        began: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.cluster = cluster
        # How Azure is read, and the SQL server; None where the settings name none.
        self.arm = Arm(outside.account) if outside.account is not None else None
        self.sql = outside.sql
        self.playbook = playbook
        self.now = now
        self.production = production
        self.helm = Helm(helm)  # of the command that is Helm, e.g. ("/usr/bin/helm",); empty when there is none
        self.jobs = jobs or Jobs()  # what goes on outside of this process
        self.rehearsal = rehearsal
        self._latest = latest
        self._incident = incident
        self._began = began

    @property
    def incident(self) -> str:
        """The open incident's ID, empty if there is none."""
        return self._incident()

    @property
    def began(self) -> float | None:
        """When the open incident began (epoch seconds), None where nobody knows."""
        return self._began()

    @property
    def latest(self) -> Mapping[str, Snapshot[Any]]:
        return self._latest()

    # ------------------------------------------------------------------ reading

    async def fetch(self, kind: str, namespace: str, name: str) -> Json:
        """The object as the server has it now, with its managedFields. Raises `ProbeError`, `NotFound` among them."""
        return await fetch(self.cluster, kind, namespace, name, timeout=READ)

    async def read(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Any JSON object of the API. Raises `ProbeError`."""
        body = await self.cluster.get(path, query, timeout=READ)
        try:
            return msgspec.json.decode(body, type=Json)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer(f"the answer to {path} is not a JSON object") from error

    async def items(
        self, versions: Sequence[str], namespace: str, plural: str, selector: str = "", fields: str = ""
    ) -> list[Json]:
        """The objects of a kind in a namespace (empty: in all), in the first of these API versions that is served.

        ``versions`` are like ``policy/v1``, ``selector`` is of labels, ``fields`` of fields (``spec.nodeName=x``).
        Raises `ProbeError`; `NotFound` when none is served.
        """
        query = {"limit": "500"} | ({"labelSelector": selector} if selector else {})
        if fields:
            query["fieldSelector"] = fields
        for number, version in enumerate(versions, 1):
            try:
                return await self._pages(api_path(version, namespace, plural), dict(query))
            except NotFound:
                if number == len(versions):
                    raise
        raise AssertionError("unreachable")

    async def _pages(self, path: str, query: dict[str, str]) -> list[Json]:
        found: list[Json] = []
        while True:
            page = await self.read(path, query)
            found += page.get("items") or []
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return found
            query["continue"] = more

    async def target(self, aim: Aim, kind: str, namespace: str, name: str, relies_on: RelyOn | None = None) -> Target:
        """The object as the plan's target, and proof that it is the one that was aimed at.

        Raises `NoPlan` when it is gone or was replaced since the row was drawn, `ProbeError` when nobody knows.
        """
        return (await self.found(aim, kind, namespace, name, relies_on))[0]

    async def found(
        self, aim: Aim, kind: str, namespace: str, name: str, relies_on: RelyOn | None = None
    ) -> tuple[Target, Json]:
        """`target`, and the object itself."""
        try:
            obj = await self.fetch(kind, namespace, name)
        except NotFound as error:
            raise NoPlan(f"{kind.lower()}/{name} is not there any more", "look again: the pane will follow") from error
        metadata = obj.get("metadata") or {}
        if aim.uid and aim.kind == kind and aim.name == name and metadata.get("uid") != aim.uid:
            raise NoPlan(f"{kind.lower()}/{name} was deleted and created again since this row was drawn")
        return target_of(self.cluster, kind, obj, relies_on), obj

    # ------------------------------------------------------------------ asking

    async def denied(self, needs: Sequence[Need]) -> list[Need]:
        """Those of ``needs`` that the server would refuse this user. Raises `ProbeError`."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(need: Need) -> bool:
            async with gate:
                allowed = await can_i(
                    self.cluster, need.verb, need.resource, need.group, need.namespace, need.subresource
                )
                return bool(allowed)

        answers = await asyncio.gather(*map(ask, needs))
        return [need for need, allowed in zip(needs, answers, strict=True) if not allowed]


RelyOn = Callable[[Json], Any]
"""What of an object a plan relies on; anything that JSON can say."""

REFUSALS = (ProbeError, MitigationError)
"""What making a plan may raise."""


def spec_of(obj: Json) -> Any:
    """What most plans rely on: the spec, labels and annotations, but not the status, which changes all the time.

    The annotation with a Deployment's revision follows the spec by a moment, so it does not count.
    """
    metadata = obj.get("metadata") or {}
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop("deployment.kubernetes.io/revision", None)
    deleting = metadata.get("deletionTimestamp")
    return [obj.get("spec"), metadata.get("labels"), annotations, metadata.get("finalizers"), deleting]


def target_of(cluster: Cluster, kind: str, obj: Json, relies_on: RelyOn | None = None) -> Target:
    """The target that an object is, as it is now."""
    metadata = obj.get("metadata") or {}
    return Target(
        context=cluster.context,
        server=cluster.server,
        kind=kind,
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata.get("name") or ""),
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        digest=digest((relies_on or spec_of)(obj)),
    )


def digest(value: Any) -> str:
    """A short fingerprint of JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:32]


def api_path(version: str, namespace: str, plural: str, name: str = "") -> str:
    """``/apis/policy/v1/namespaces/prod/poddisruptionbudgets/x``; ``version`` ``v1`` is the core group."""
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{prefix}{inside}/{plural}" + (f"/{quote(name, safe='')}" if name else "")
