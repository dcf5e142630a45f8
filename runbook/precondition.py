"""Writing to the object of the plan and to no other: the server itself refuses what changed meanwhile.

A sick workload's status changes all the time, and with it its resourceVersion. So a conflict is looked at: if only the
status moved, the same write is sent with the newer resourceVersion; if what the plan relies on moved, nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from probes.errors import NotFound, ProbeError
from runbook.errors import Changed, Refused
from runbook.media import JSON_PATCH, MERGE
from runbook.plan import Json, Target
from runbook.scene import RelyOn, target_of

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

TRIES = 8
CONFLICT = 409


async def patch_unchanged(
    hands: Hands,
    scene: Scene,
    target: Target,
    path: str,
    body: Json,
    media: str = MERGE,
    *,
    relies_on: RelyOn | None = None,
    uid: bool = True,
) -> Json:
    """PATCH ``path`` (of the target, or a subresource of it) on condition that the target is still the plan's.

    ``uid`` False for subresources whose objects have no UID of their own to compare. Raises `Changed` (nothing was
    changed), `Refused`, `NotSent`, `Uncertain`.
    """
    current = target
    for _ in range(TRIES):
        metadata = dict(body.get("metadata") or {}) | {"resourceVersion": current.resource_version}
        if uid:
            metadata["uid"] = current.uid
        try:
            return await hands.patch(path, {**body, "metadata": metadata}, media)
        except Refused as refusal:
            if refusal.status != CONFLICT:
                raise
        current = await unchanged(scene, target, relies_on)
    raise Refused(f"{target} changes too fast: the server refused {TRIES} times; nothing was changed", status=CONFLICT)


async def json_patch_unchanged(
    hands: Hands,
    scene: Scene,
    target: Target,
    path: str,
    operations: Callable[[Json], list[Json]],
    *,
    relies_on: RelyOn | None = None,
) -> Json:
    """A JSON patch of the target, worked out from what it is now, on condition that this is still the plan's.

    Raises as `patch_unchanged` does.
    """
    for _ in range(TRIES):
        obj, current = await _seen(scene, target, relies_on)
        held = [
            {"op": "test", "path": "/metadata/uid", "value": current.uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": current.resource_version},
        ]
        try:
            return await hands.patch(path, [*held, *operations(obj)], JSON_PATCH)
        except Refused as refusal:
            if refusal.status != CONFLICT:
                raise
    raise Refused(f"{target} changes too fast: the server refused {TRIES} times; nothing was changed", status=CONFLICT)


async def unchanged(scene: Scene, target: Target, relies_on: RelyOn | None = None) -> Target:
    """The target with the resourceVersion of now. Raises `Changed`, or `Refused` when it cannot be looked at."""
    _, now = await _seen(scene, target, relies_on)
    return replace(target, resource_version=now.resource_version)


async def _seen(scene: Scene, target: Target, relies_on: RelyOn | None) -> tuple[Json, Target]:
    try:
        obj = await scene.fetch(target.kind, target.namespace, target.name)
    except NotFound as error:
        raise Changed(f"{target} is not there any more; nothing was sent") from error
    except ProbeError as error:
        raise Refused(f"nothing was changed, and {target} cannot be looked at: {error}", error.hint) from error
    now = target_of(scene.cluster, target.kind, obj, relies_on)
    check_same(target, now)
    return obj, now


def check_same(planned: Target, now: Target) -> None:
    """Raises `Changed` if ``now`` is another object, or the same one with what the plan relies on changed."""
    if now.uid != planned.uid:
        raise Changed(f"{planned} was deleted and created again since the plan was shown; nothing was sent")
    if now.digest != planned.digest:
        raise Changed(f"{planned} was changed by somebody else since the plan was shown; nothing was sent")
