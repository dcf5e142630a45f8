"""What the console keeps of an open incident for its review: vital signs twice a minute, screens at the key moments."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident import kept
from incident.entry import Incident, Status
from incident.kept import Sign
from incident.redact import redact
from probes.freshness import Snapshot
from probes.rows import Node, Usage

if TYPE_CHECKING:
    from tui.room import ControlRoom
    from tui.vital_signs import VitalSigns

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two samples of vital signs."""

PATIENCE = 600.0
"""Seconds for which a screen waits until no dialog is in front of it."""

NEWLY = 120_000
"""Milliseconds after which a declaration was not just now: a console that opens later missed that moment."""

BUSIEST = 12
"""Nodes whose usage a sample holds."""

_MOMENTS = {Status.MITIGATING: "mitigating", Status.RESOLVED: "resolved"}
_ELSEWHERE = r"(?s)@font-face\s*\{[^}]*\}|<!--.*?-->"
_TEXT = r'(?s)<text[^>]*\by="([\d.]+)"[^>]*>(.*?)</text>'


class Keeping:
    """Call `tick` every second and `hear` when the timeline changed. Nothing here is worth the incident's attention:
    what cannot be kept is logged, once in a row."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self._sampled_at = 0.0
        self._known: tuple[str, Status] | None = None  # the incident that is shown, and its status
        self._wanted: tuple[str, str, float] | None = None  # incident, moment, since when it waits
        self._failed = False

    def hear(self, incident: Incident | None) -> None:
        """The timeline changed: perhaps this is one of the key moments."""
        if incident is None:
            return
        before, self._known = self._known, (incident.id, incident.status)
        if before == self._known:
            return
        now = self._host.now()
        if before is None or before[0] != incident.id:
            if incident.open and now * 1000 - incident.declared_at < NEWLY:
                self._wanted = (incident.id, "declared", now)
        elif moment := _MOMENTS.get(incident.status):
            self._wanted = (incident.id, moment, now)

    def tick(self, now: float) -> None:
        """A second has passed."""
        host = self._host
        if self._wanted is not None:
            incident, moment, since = self._wanted
            if now - since > PATIENCE:
                self._wanted = None
            elif host.app.screen is host.desk and now - since >= 1.0:  # what it is about is on the screen by then
                self._wanted = None
                self._begin(self._screen(host.journal.path, incident, moment, host.app.export_screenshot()))
        shown = host.journal.incident
        if host.journal.recording and shown is not None and now - self._sampled_at >= EVERY:
            sign = sample(host.feeds.latest, host.desk.vitals, now)
            if sign is not None:
                self._sampled_at = now
                self._begin(asyncio.to_thread(kept.keep_sign, host.journal.path, shown.id, sign))

    async def _screen(self, store: Path, incident: str, moment: str, svg: str) -> None:
        await asyncio.to_thread(_keep, store, incident, moment, svg)

    def _begin(self, work: Any) -> None:
        async def watched() -> None:
            try:
                await work
                self._failed = False
            except (OSError, ValueError) as error:
                if not self._failed:
                    log.warning("not kept for the review: %s", error)
                self._failed = True

        self._host.app.run_worker(watched(), group="keeping", description="keeps vital signs", exit_on_error=False)


def _keep(store: Path, incident: str, moment: str, svg: str) -> None:
    svg = re.sub(_ELSEWHERE, "", svg)  # its fonts would be loaded
    if secret_on(svg):
        log.warning("the screen at %s is not kept: something on it looks like a secret", moment)
        return
    kept.keep_screen(store, incident, moment, svg)


def secret_on(svg: str) -> bool:
    """Whether a line of a screen holds what would be redacted on a timeline."""
    import html  # its 2,000 entities are nothing for the start

    lines: dict[str, list[str]] = {}
    for at, text in re.findall(_TEXT, svg):
        lines.setdefault(at, []).append(html.unescape(text).replace("\xa0", " "))
    return any(redact(line) != line for line in map("".join, lines.values()))


def sample(latest: Mapping[str, Snapshot[Any]], vitals: VitalSigns, now: float) -> Sign | None:
    """The vital signs of now; None while the pods are not seen live, which is no count of them."""
    pods = latest.get("pods")
    if pods is None or not pods.freshness.live:
        return None
    return Sign(at=int(now * 1000), sick=vitals.sick_pods, pods=vitals.pods, nodes=_usage(latest))


def _usage(latest: Mapping[str, Snapshot[Any]]) -> dict[str, tuple[float, float]]:
    """Percent of CPU and memory in use, of the nodes that use most of either."""
    nodes, usage = latest.get("nodes"), latest.get("usage")
    if nodes is None or usage is None or not usage.freshness.live:
        return {}
    used: dict[str, tuple[float, float]] = {}
    for node in nodes.rows.values():
        measured = usage.rows.get(node.name) if isinstance(node, Node) else None
        if isinstance(measured, Usage) and node.cpu_allocatable and node.memory_allocatable:
            cpu, memory = measured.cpu / node.cpu_allocatable, measured.memory / node.memory_allocatable
            used[node.name] = round(100 * cpu, 1), round(100 * memory, 1)
    busiest = sorted(used, key=lambda name: (-max(used[name]), name))[:BUSIEST]
    return {name: used[name] for name in busiest}
