"""What a drain would do, before it does it: who goes, who holds it up, who loses its last endpoint; and what it leaves.

The evictions themselves are in `runbook.evicting`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from probes.errors import NotFound, ProbeError
from runbook import preflight
from runbook.nodes import OnNode, place_of, workload_behind
from runbook.plan import Finding, Hunk, Json, Level
from runbook.selectors import selects
from runbook.workloads import PLURALS, names_of

if TYPE_CHECKING:
    from runbook.scene import Scene

AT_ONCE = 8  # reads under way
NAMED = 5  # pods that a sentence names
EACH = 3  # services that lose everything and are told one by one; more are told together
MOST_LOSING = 12  # of those that are named
_LOSES = " loses "

Standing = tuple[str, str, str, int]  # kind, namespace, name of a workload, and how many of its pods were ready


def named(places: Sequence[str]) -> str:
    """The first few of them, and how many more."""
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return ", ".join(places[:NAMED]) + more


def counted(number: int, what: str = "pod") -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def by_namespace(pods: Iterable[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for pod in pods:
        found.setdefault(str((pod.get("metadata") or {}).get("namespace") or ""), []).append(pod)
    return dict(sorted(found.items()))


def hunks(pods: Iterable[Json]) -> tuple[Hunk, ...]:
    """Who goes, namespace by namespace."""
    return tuple(
        Hunk(f"Pods of {namespace}", tuple(f"- {pod['metadata']['name']}{_of(pod)}" for pod in members))
        for namespace, members in by_namespace(pods).items()
    )


def _of(pod: Json) -> str:
    kind, name = workload_behind(pod)
    return f"  ({kind.lower()}/{name})" if kind else "  (nobody makes it anew)"


def consents(there: OnNode, *, unmanaged: bool, scratch: bool) -> list[Finding]:
    """Pods that kubectl drain does not evict either, unless it is told to (``--force``, ``--delete-emptydir-data``)."""
    found = []
    if there.unmanaged:
        what = f"{counted(len(there.unmanaged))} without a controller: {named([*map(place_of, there.unmanaged)])}"
        if unmanaged:
            found.append(Finding("unmanaged", Level.AMBER, f"{what}; gone for good, nothing makes them anew"))
        else:
            text = f"{what}; evicted they would be gone for good"
            found.append(Finding("unmanaged", Level.RED, text, "say yes to it below if they may go"))
    if there.scratch:
        what = f"{counted(len(there.scratch))} with emptyDir data: {named([*map(place_of, there.scratch)])}"
        if scratch:
            found.append(Finding("emptydir", Level.AMBER, f"{what}; that data goes with them"))
        else:
            text = f"{what}; that data would go with them"
            found.append(Finding("emptydir", Level.RED, text, "say yes to it below if it may go"))
    return found


async def budgets(scene: Scene, eviction: str, pods: Sequence[Json], seconds: float) -> list[Finding]:
    """Who holds an eviction up. ``eviction`` is the version of evictions; the budgets are asked for in the same."""
    try:
        items = await scene.items((eviction,), "", "poddisruptionbudgets")
    except NotFound:
        return []
    except ProbeError as error:
        return [Finding("budget", Level.AMBER, f"disruption budgets are not known: {error}", error.hint)]
    found, held = [], dict.fromkeys(map(place_of, pods), 0)
    for item in items:
        metadata, selector = item.get("metadata") or {}, (item.get("spec") or {}).get("selector")
        if not selector and eviction != "policy/v1":
            continue  # an empty selector matched nothing before policy/v1
        members = [
            place_of(pod)
            for pod in pods
            if pod["metadata"].get("namespace") == metadata.get("namespace")
            and selects(selector, pod["metadata"].get("labels") or {})
        ]
        for place in members:
            held[place] += 1
        if members:
            allows = int((item.get("status") or {}).get("disruptionsAllowed") or 0)
            found.append(_budget(place_of(item), allows, len(members), seconds))
    twice = [place for place, number in held.items() if number > 1]
    if twice:
        text = f"{named(twice)}: more than one disruption budget, and the server evicts no pod that has two"
        found.append(Finding("budget", Level.RED, text, "delete one of the budgets first"))
    return found


def _budget(name: str, allows: int, going: int, seconds: float) -> Finding:
    if allows >= going:
        return Finding("budget", Level.GREEN, f"{name} lets {'it' if going == 1 else f'all {going}'} go")
    if allows:
        return Finding("budget", Level.GREEN, f"{name} lets {allows} of {going} go at a time, the others wait")
    waits = "1 pod waits" if going == 1 else f"{going} pods wait"
    return Finding("budget", Level.AMBER, f"{name} lets none go now: {waits} for it, {seconds:g} s at most")


async def endpoints(scene: Scene, pods: Sequence[Json]) -> list[Finding]:
    """The services that lose all they have, each; the others in one line."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def left(namespace: str, members: list[Json]) -> list[Finding]:
        async with gate:
            return await preflight.endpoints_left(scene, namespace, names_of(members))

    spaces = by_namespace(pods)
    told = await asyncio.gather(*(left(*space) for space in spaces.items()))
    if len(spaces) > 1:  # services of several namespaces have the same names
        told = [
            [replace(finding, text=f"{namespace}/{finding.text}") for finding in findings]
            for namespace, findings in zip(spaces, told, strict=True)
        ]
    found = [finding for findings in told for finding in findings]
    bad = [finding for finding in found if finding.level is not Level.GREEN]
    well = len(found) - len(bad)
    bad = together(bad)
    if well:
        text = f"{counted(well, 'service')} keep{'s' if well == 1 else ''} endpoints on other nodes or had none"
        bad.append(Finding("endpoints", Level.GREEN, text))
    return bad


def together(bad: list[Finding]) -> list[Finding]:
    """Many services that lose all they have as one finding: a row of keys to acknowledge each reads none of them."""
    losing = [finding for finding in bad if _LOSES in finding.text]
    if len(losing) <= EACH:
        return bad
    names = [finding.text.partition(_LOSES)[0] for finding in losing]
    more = f" and {len(names) - MOST_LOSING} more" if len(names) > MOST_LOSING else ""
    text = f"{len(names)} services lose all of their ready endpoints: {', '.join(names[:MOST_LOSING])}{more}"
    return [finding for finding in bad if finding not in losing] + [Finding("endpoints", Level.AMBER, text)]


async def standings(scene: Scene, pods: Iterable[Json]) -> list[Standing]:
    """How many pods of each workload behind these are ready now; those that cannot be read are left out."""
    gate = asyncio.Semaphore(AT_ONCE)
    places = {(*workload_behind(pod), str(pod["metadata"].get("namespace") or "")) for pod in pods}

    async def look(kind: str, name: str, namespace: str) -> Standing | None:
        async with gate:
            try:
                obj = await scene.fetch(kind, namespace, name)
            except ProbeError:
                return None
        return kind, namespace, name, ready_of(obj)

    asked = (look(*place) for place in sorted(places) if place[0] in PLURALS)
    return [standing for standing in await asyncio.gather(*asked) if standing is not None]


def ready_of(workload: Json) -> int:
    return int((workload.get("status") or {}).get("readyReplicas") or 0)


async def behind(scene: Scene, standings: Iterable[Sequence[object]]) -> list[str]:
    """The workloads that have fewer ready pods than they had and should have, in words. Raises `ProbeError`."""
    found = []
    for kind, namespace, name, before in standings:
        try:
            obj = await scene.fetch(str(kind), str(namespace), str(name))
        except NotFound:
            continue
        wanted = min(int(str(before)), int((obj.get("spec") or {}).get("replicas", 1)))
        if ready_of(obj) < wanted:
            found.append(f"{name} {ready_of(obj)} of {wanted} ready")
    return found


def left_over(victims: Iterable[Sequence[str]], pods: Iterable[Json]) -> tuple[list[Json], list[Json]]:
    """Of those that were to go: (being deleted, still there as if nothing had been)."""
    wanted = {uid for _, _, uid in victims}
    there = [pod for pod in pods if pod["metadata"].get("uid") in wanted]
    leaving = [pod for pod in there if pod["metadata"].get("deletionTimestamp")]
    return leaving, [pod for pod in there if not pod["metadata"].get("deletionTimestamp")]


def reaches(pods: Iterable[Json]) -> tuple[str, ...]:
    """The namespaces that are hit."""
    return tuple(by_namespace(pods))


def workloads_of(pods: Iterable[Json]) -> Mapping[tuple[str, str, str], int]:
    """How many of these pods each workload has."""
    counts: dict[tuple[str, str, str], int] = {}
    for pod in pods:
        key = (*workload_behind(pod), str(pod["metadata"].get("namespace") or ""))
        counts[key] = counts.get(key, 0) + 1
    return counts
