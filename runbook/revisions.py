"""A workload's revisions: the templates it ran before, as its ReplicaSets or ControllerRevisions keep them.

https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/history.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from runbook.errors import Changed
from runbook.plan import Json
from runbook.preflight import instant
from runbook.scene import api_path, digest
from runbook.selectors import as_query
from runbook.stamps import ACT, INCIDENT
from runbook.workloads import controller_of

if TYPE_CHECKING:
    from runbook.scene import Scene

NUMBER = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
# What a Deployment keeps when it goes back: `annotationsToSkip` of kubectl's rollback.go.
KEPT = (
    "kubectl.kubernetes.io/last-applied-configuration",
    NUMBER,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


class Revision(Struct, frozen=True, kw_only=True):
    """One revision. ``template`` is its pod template without what the controllers add to it.

    ``annotations`` are those that come back with it, ours and the controllers' excepted.
    """

    number: int
    path: str  # of the object that keeps it
    uid: str
    template: Json
    annotations: dict[str, str]
    made_at: float | None
    current: bool = False  # the workload runs it, or is on its way to it

    @property
    def images(self) -> tuple[str, ...]:
        return images_of(self.template)

    @property
    def cause(self) -> str:
        return self.annotations.get(CAUSE, "")

    @property
    def digest(self) -> str:
        return digest([self.template, self.annotations])


async def revisions_of(scene: Scene, workload: Json) -> list[Revision]:
    """Those that are kept, newest first. Raises `ProbeError`."""
    metadata, spec = workload.get("metadata") or {}, workload.get("spec") or {}
    namespace, mine = metadata.get("namespace", ""), metadata.get("uid")
    plural = "replicasets" if workload.get("kind") == "Deployment" else "controllerrevisions"
    kept = await scene.items(("apps/v1",), namespace, plural, as_query(spec.get("selector")))
    found = [
        revision
        for obj in kept
        if (controller_of(obj) or {}).get("uid") == mine and (revision := _revision(obj, namespace, plural)) is not None
    ]
    found.sort(key=lambda revision: revision.number, reverse=True)
    return _with_current(found, plain(spec.get("template") or {}), ordered=plural == "controllerrevisions")


async def revision_again(scene: Scene, namespace: str, path: str, uid: str, wanted: str) -> Revision:
    """The revision that was kept at ``path``. Raises `Changed` if it is another one now, `ProbeError`."""
    obj = await scene.read(path)
    revision = _revision(obj, namespace, "controllerrevisions" if "data" in obj else "replicasets")
    if revision is None or (revision.uid, revision.digest) != (uid, wanted):
        raise Changed("the revision to go back to is another one now; nothing was sent")
    return revision


def plain(template: Json) -> Json:
    """A pod template without the hash that tells a ReplicaSet's pods, and without empty bookkeeping."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value is not None}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    if "labels" in metadata:
        metadata["labels"] = labels
    return {key: value for key, value in template.items() if key != "$patch"} | {"metadata": metadata}


def images_of(template: Json) -> tuple[str, ...]:
    """The images of a template's containers, in their order."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return tuple(str(container.get("image", "")) for container in containers)


def _revision(obj: Json, namespace: str, plural: str) -> Revision | None:
    metadata = obj.get("metadata") or {}
    annotations: dict[str, str] = dict(metadata.get("annotations") or {})
    if plural == "replicasets":
        number: Any = annotations.get(NUMBER, "")
        spec = obj.get("spec") or {}
    else:
        number = obj.get("revision")
        spec = (obj.get("data") or {}).get("spec") or {}
    if not str(number).isdecimal() or not spec.get("template"):
        return None
    name = str(metadata.get("name") or "")
    return Revision(
        number=int(number),
        path=api_path("apps/v1", namespace, plural, name),
        uid=str(metadata.get("uid") or ""),
        template=plain(spec["template"]),
        annotations={key: value for key, value in annotations.items() if key not in (*KEPT, INCIDENT, ACT)},
        made_at=instant(metadata.get("creationTimestamp")),
    )


def _with_current(revisions: list[Revision], template: Json, *, ordered: bool) -> list[Revision]:
    """Mark the one that the workload's template is; ``ordered`` where the newest always is, once it has been seen."""
    current = next((number for number, one in enumerate(revisions) if one.template == template), 0 if ordered else -1)
    return [replace(one, current=number == current) for number, one in enumerate(revisions)]
