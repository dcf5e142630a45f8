"""What becomes of a container, told by its image or by an annotation of its pod: how a bad release is bad.

    …:1.4.0            running and ready
    …:1.4.0-crash      exits with 1 again and again
    …:1.4.0-oom        is killed for its memory again and again
    …:1.4.0-nopull     the image cannot be pulled
    …:1.4.0-unready    runs, but its readiness probe never succeeds
    …:1.4.0-slow       becomes ready only after 20 s
    …:1.4.0-done       does its work and exits with 0: a Job's pod, or a hook's

The annotation ``drill/fate`` on a pod wins over the tag and may change while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

Json = dict[str, Any]

ANNOTATION: Final = "drill/fate"


class Fate(StrEnum):
    OK = "ok"
    CRASH = "crash"
    OOM = "oom"
    NO_PULL = "nopull"
    UNREADY = "unready"
    SLOW = "slow"
    DONE = "done"

    @property
    def dies(self) -> bool:
        """Whether it ends by itself, well or not."""
        return self in (Fate.CRASH, Fate.OOM, Fate.DONE)


_SUFFIXES: Final = {f"-{fate}": fate for fate in Fate if fate is not Fate.OK}


def fate_of(pod: Json, container: Json, images: Mapping[str, Fate], doom: Fate | None = None) -> Fate:
    """The fate of one container.

    The pod's annotation decides, then ``doom`` (what a scenario has in store for this pod), then ``images`` (fates of
    images whose tag does not tell), then the tag. An annotation that names no fate is as none.
    """
    wanted = (pod["metadata"].get("annotations") or {}).get(ANNOTATION, "")
    if wanted in Fate.__members__.values():
        return Fate(wanted)
    if doom is not None:
        return doom
    image = container.get("image", "")
    if image in images:
        return images[image]
    tag = image.rpartition(":")[2]
    return next((fate for suffix, fate in _SUFFIXES.items() if tag.endswith(suffix)), Fate.OK)
