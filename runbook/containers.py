"""A pod's containers that something can be run in: which there are, which one is meant, and whether it runs."""

from __future__ import annotations

from msgspec import Struct

from runbook.plan import Json

DEFAULT = "kubectl.kubernetes.io/default-container"


class Container(Struct, frozen=True):
    """``words`` say how it is: ready, running and not ready, CrashLoopBackOff …"""

    name: str
    running: bool
    ready: bool
    words: str


def containers_of(pod: Json) -> list[Container]:
    """Its containers in their order, then sidecars, then what somebody attached to debug it."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    known = {
        each.get("name"): each
        for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
        for each in status.get(kind) or ()
    }
    listed = [*(spec.get("containers") or ()), *sidecars, *(spec.get("ephemeralContainers") or ())]
    return [_container(str(each.get("name", "")), known.get(each.get("name")) or {}) for each in listed]


def default_container(pod: Json) -> str:
    """The one that kubectl takes when nobody names one; empty if there is none at all."""
    names = [str(each.get("name", "")) for each in (pod.get("spec") or {}).get("containers") or ()]
    wanted = ((pod.get("metadata") or {}).get("annotations") or {}).get(DEFAULT)
    return wanted if wanted in names else next(iter(names), "")


def _container(name: str, status: Json) -> Container:
    state = status.get("state") or {}
    if "running" in state:
        ready = bool(status.get("ready"))
        return Container(name, True, ready, "ready" if ready else "running, not ready")
    for held in ("waiting", "terminated"):
        if held in state:
            details = state[held] or {}
            code = f" (exit {details['exitCode']})" if "exitCode" in details else ""
            return Container(name, False, False, f"{details.get('reason') or held}{code}")
    return Container(name, False, False, "not started")
