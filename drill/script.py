"""What befalls a platform: the steps of a scenario's script, each a struct with the offset ``at`` which it happens."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from drill.fates import Fate
from drill.offsets import Name, Offset, Span

HostFate = Literal["answers", "unresolved", "refused", "silent", "untrusted"]


class Upgrade(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="upgrade", tag_field="do"):
    """`helm upgrade` (the first one is the installation): ``tags`` are the image tags it changes, by service.

    ``pending``: its helm was killed while it waited, and never wrote how it ended. ``config`` is what it changes in
    the release's ConfigMaps, by their names.
    """

    at: Offset
    chart: str
    tags: dict[str, str] = {}
    config: dict[Name, dict[str, str]] = {}
    app: str = ""
    description: str = "Upgrade complete"
    failed: bool = False
    pending: bool = False


class Rollback(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="rollback", tag_field="do"):
    """`helm rollback` to a revision."""

    at: Offset
    to: int


class PodFate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="pod-fate", tag_field="do"):
    """So many running pods of a service meet a fate; with ``while_down`` only until that service is available again."""

    at: Offset
    service: Name
    fate: Fate
    pods: int = 1
    while_down: str = ""


class Traffic(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="traffic", tag_field="do"):
    """So much work arrives at a service from then on, counted in pods that it takes (see `drill.loads`)."""

    at: Offset
    service: Name
    pods: Annotated[float, Meta(ge=0)]


class External(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="external", tag_field="do"):
    """A host outside changes, as `drill.scenario.External` has it.

    With a ``share`` below 1, it looks as before to who asks it once, and so many of the payments that go there fail;
    0 ends that.
    """

    at: Offset
    host: str
    fate: HostFate = "answers"
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    body: str = '{"status":"UP"}'
    share: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


class NodeFate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="node-fate", tag_field="do"):
    """A node meets a fate: ``memory-pressure``, ``not-ready``, or ``""`` for the end of it.

    ``stopped``: its machine does, and the cluster finds out as real ones do (see `drill.machines`).
    """

    at: Offset
    node: Name
    fate: Literal["memory-pressure", "not-ready", "stopped", ""]


class Resize(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="scale", tag_field="do"):
    """`kubectl scale` of a Deployment in the platform's namespace, by somebody who tells nobody."""

    at: Offset
    deployment: Name
    replicas: Annotated[int, Meta(ge=0)]


class Say(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="event", tag_field="do"):
    """An event that no controller of ours would write.

    It recurs ``every`` so often if given, at most ``times``, and with ``while_down`` only while that service is down.
    """

    at: Offset
    kind: Literal["Deployment", "StatefulSet", "Node", "Service", "Pod"]
    name: str  # of a Pod: the name of its service
    reason: str
    message: str
    component: str
    warning: bool = False
    every: Span | Literal[""] = ""
    times: int = 1_000_000
    while_down: str = ""


Step = Upgrade | Rollback | PodFate | NodeFate | Resize | Say | Traffic | External
