"""What a turn for the better or the worse is, and how nodes, releases and endpoints take one. Pure.

Workloads, where most of the judgement is, are in `probes.workload_turns`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from probes.rows import Endpoint, Node, Release, Revision

Level = Literal["bad", "warn", "good", "info"]

MOST_TEXT, MOST_DETAIL = 200, 300  # characters
CHART_WAIT = 3.0  # seconds a new revision waits for its chart to be decoded before it is told without


class Transition(Struct, frozen=True, kw_only=True):
    """Something changed by itself, as one line for the timeline.

    ``key`` is the fold key: the same for every time the same thing happens to the same object.
    ``at`` is when it happened, from the cluster's own timestamps where it has any; never when it was noticed.
    """

    key: str
    at: float
    level: Level
    text: str
    detail: str = ""
    evidence: dict[str, Any] = {}


def turn(key: str, at: float, level: Level, text: str, detail: str = "", **evidence: Any) -> Transition:
    """A `Transition` whose texts are single lines of bounded length, whatever the cluster put into names."""
    return Transition(
        key=key,
        at=at,
        level=level,
        text=one_line(text, MOST_TEXT),
        detail=one_line(detail, MOST_DETAIL),
        evidence=evidence,
    )


def one_line(text: str, most: int) -> str:
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else text[: most - 1] + "…"


def span(seconds: float) -> str:
    """A duration as a person says it: ``14 s``, ``6 min``, ``3 h 20 min``, ``2 d``."""
    whole = max(int(seconds), 0)
    if whole < 120:
        return f"{whole} s"
    if whole < 2 * 3600:
        return f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d"


OPENED = "when the console opened"
_ALREADY = re.compile(rf" already (.*?) {OPENED}")


def plainly(text: str) -> str:
    """What a turn says, without that it was so already when the console opened."""
    return _ALREADY.sub(r" \1", text)


class NodeTurns:
    """NotReady and ready again, pressure on and off, cordoned, joined and gone."""

    def __init__(self) -> None:
        self._before: dict[str, Node] | None = None
        self._unready_at: dict[str, float] = {}

    def observe(self, rows: Mapping[str, Node], now: float) -> list[Transition]:
        turns: list[Transition] = []
        before, self._before = self._before, dict(rows)
        for key, node in rows.items():
            if before is None:
                turns += self._already(node, now)
            elif (old := before.get(key)) is None:
                turns.append(turn(f"node/{node.name}/joined", node.created_at or now, "info", f"{node.name} joined"))
                turns += self._changes(node, None, now)
            elif old is not node and old != node:
                turns += self._changes(node, old, now)
        for key in (before or {}).keys() - rows.keys():
            name = (before or {})[key].name
            self._unready_at.pop(name, None)
            turns.append(turn(f"node/{name}/gone", now, "warn", f"{name} is gone", "the node was removed"))
        return turns

    def _already(self, node: Node, now: float) -> list[Transition]:
        at, found = node.changed_at or now, []
        if not node.ready:
            self._unready_at[node.name] = at
            text = f"{node.name} already NotReady {OPENED}"
            found.append(turn(f"node/{node.name}/notready", at, "bad", text, _why(node), **_node(node)))
        for pressure in node.pressures:
            text = f"{node.name} already {_under(pressure)} {OPENED}"
            found.append(turn(f"node/{node.name}/{pressure}/on", at, "warn", text, **_node(node)))
        return found

    def _changes(self, node: Node, old: Node | None, now: float) -> list[Transition]:
        name, found = node.name, []
        was_ready = old.ready if old else True
        # `changed_at` belongs to the one condition that explains the health; it must not date another one's change.
        fresh_at = node.changed_at if node.changed_at and (not old or node.changed_at != old.changed_at) else now
        if was_ready and not node.ready:
            self._unready_at[name] = fresh_at
            found.append(turn(f"node/{name}/notready", fresh_at, "bad", f"{name} NotReady", _why(node), **_node(node)))
        elif not was_ready and node.ready:
            since = self._unready_at.pop(name, None)
            after = f"after {span(fresh_at - since)}" if since is not None else ""
            found.append(turn(f"node/{name}/ready", fresh_at, "good", f"{name} Ready again", after, **_node(node)))
        old_pressures = old.pressures if old else ()
        for pressure in node.pressures:
            if pressure not in old_pressures:
                text = f"{name} {_under(pressure)}"
                found.append(turn(f"node/{name}/{pressure}/on", fresh_at, "warn", text, **_node(node)))
        for pressure in old_pressures:
            if pressure not in node.pressures:
                text = f"{name} no longer {_under(pressure)}"
                found.append(turn(f"node/{name}/{pressure}/off", now, "good", text, **_node(node)))
        if node.cordoned != (old.cordoned if old else False):
            word = "cordoned" if node.cordoned else "uncordoned"
            found.append(turn(f"node/{name}/{word}", now, "info", f"{name} {word}", **_node(node)))
        return found


class ReleaseTurns:
    """A revision that came or changed its status; a release that came or went."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, str]] | None = None
        self._waiting: dict[str, float] = {}  # release → until when its chart is waited for
        self._rows: Mapping[str, Release] = {}

    def observe(self, rows: Mapping[str, Release], now: float) -> list[Transition]:
        turns: list[Transition] = []
        before, self._rows = self._before, rows
        self._before = {key: (release.revision, release.status) for key, release in rows.items()}
        if before is None:
            return [
                self._tell(release, now, f"already {release.status} {OPENED}")
                for release in rows.values()
                if release.status == "failed" or release.status.startswith("pending-")
            ]
        for key, standing in self._before.items():
            if before.get(key) != standing:
                self._waiting.setdefault(key, now + CHART_WAIT)
        for key in before.keys() - rows.keys():
            self._waiting.pop(key, None)
            name = key.partition("/")[2]
            turns.append(turn(f"release/{key}/gone", now, "warn", f"helm {name} uninstalled", "its history is gone"))
        return turns + self.tick(now)

    def tick(self, now: float) -> list[Transition]:
        """Tell the revisions whose chart is known by now, or was waited for long enough."""
        ready = [key for key, until in self._waiting.items() if self._rows[key].chart_version or now >= until]
        for key in ready:
            del self._waiting[key]
        return [self._tell(self._rows[key], now, self._rows[key].status) for key in ready]

    def _tell(self, release: Release, now: float, how: str) -> Transition:
        level: Level = "info"
        if release.status == "failed":
            level = "bad"
        elif release.status != "deployed":
            level = "warn"
        older = [revision for revision in release.history if revision.number < release.revision]
        newest = next((revision for revision in release.history if revision.number == release.revision), None)
        details = [_chart_change(release, older[0] if older else None)]
        if newest is not None and newest.rollback_to is not None:
            details.insert(0, f"rollback to rev {newest.rollback_to}")
        if release.status == "failed":
            details.append(release.description)
        return turn(
            f"release/{release.key}/{release.revision}/{release.status}",
            release.updated or now,
            level,
            f"helm {release.name} rev {release.revision} {how}",
            " · ".join(filter(None, details)),
            namespace=release.namespace,
            release=release.name,
            revision=release.revision,
            status=release.status,
            chart=release.chart,
            chart_version=release.chart_version,
            app_version=release.app_version,
        )


class EndpointTurns:
    """Down and up again."""

    def __init__(self) -> None:
        self._before: dict[str, Endpoint] = {}

    def observe(self, rows: Mapping[str, Endpoint], now: float) -> list[Transition]:
        turns: list[Transition] = []
        for key, new in rows.items():
            old = self._before.get(key)
            if new.ok is None:
                continue
            self._before[key] = new if new.ok or old is None or old.ok else old  # the first failure dates the outage
            evidence = {"url": new.url, "status": new.status, "error": new.error, "excerpt": new.excerpt[:500]}
            if old is None:
                if not new.ok:
                    text = f"{new.name} already unhealthy {OPENED}: {_standing(new)}"
                    turns.append(
                        turn(f"endpoint/{key}/down", new.checked_at or now, "bad", text, new.error, **evidence)
                    )
            elif old.ok and not new.ok:
                text = f"{new.name} {_standing(old)} → {_standing(new)}"
                detail = new.error if new.status is not None else ""
                turns.append(turn(f"endpoint/{key}/down", new.changed_at or now, "bad", text, detail, **evidence))
            elif new.ok and not old.ok:
                at = new.changed_at or now
                since = old.changed_at or old.checked_at
                after = f"after {span(at - since)}" if since else ""
                text = f"{new.name} {_standing(old)} → {_standing(new)}"
                turns.append(turn(f"endpoint/{key}/up", at, "good", text, after, **evidence))
        self._before = {key: row for key, row in self._before.items() if key in rows}
        return turns


def _standing(endpoint: Endpoint) -> str:
    return str(endpoint.status) if endpoint.status is not None else endpoint.error or "no answer"


def _chart_change(release: Release, before: Revision | None) -> str:
    if not release.chart_version:
        return ""
    if before is None or not before.chart_version:
        return f"chart {release.chart_version}"
    if before.chart_version != release.chart_version:
        return f"chart {release.chart_version} ← {before.chart_version}"
    if before.app_version != release.app_version:
        return f"chart {release.chart_version} · app {release.app_version} ← {before.app_version}"
    return f"chart {release.chart_version}, as before"


_PRESSURES = {
    "MemoryPressure": "under memory pressure",
    "DiskPressure": "under disk pressure",
    "PIDPressure": "under PID pressure",
    "NetworkUnavailable": "without network",
}


def _under(pressure: str) -> str:
    return _PRESSURES.get(pressure, f"with {pressure}")


def _why(node: Node) -> str:
    return ": ".join(filter(None, (node.reason, node.message)))


def _node(node: Node) -> dict[str, Any]:
    return {"node": node.name, "status": node.status, "pressures": list(node.pressures), "reason": node.reason}
