"""When the console could not see: one account for a whole cluster, however many probes were watching it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from probes.freshness import Freshness, Snapshot, State
from probes.turns import Transition, span, turn

GRACE = 5.0  # seconds before a loss is told: a watch that is opened anew is no loss
BLINK = 3.0  # seconds; a loss that was noticed for less is told afterwards only if it had begun long before
SILENCE = 8.0  # seconds; live sources prove themselves every 5 s, so this much is more than a pause between proofs
ALONE = 30.0  # seconds one source may be dark while the others see

# The sources that hang on the cluster's API server. Usage depends on a metrics server of its own.
CLUSTER_SOURCES = frozenset({"pods", "nodes", "workloads", "events", "releases"})


class Blindness:
    """Tells the loss of the whole connection once, and once what was missed; a single dark source by its name."""

    def __init__(self) -> None:
        self._now: dict[str, Freshness] = {}
        self._seen: dict[str, float] = {}  # source → when it last proved itself live; only those that ever were
        self._lost_from: float | None = None
        self._noticed_at = 0.0
        self._told_lost = False
        self._dark: dict[str, float] = {}  # source → since when it is dark alone
        self._told_dark: set[str] = set()
        self._first_at: float | None = None

    def observe(self, snapshot: Snapshot[Any], now: float) -> list[Transition]:
        if snapshot.source not in CLUSTER_SOURCES:
            return self.tick(now)
        freshness = snapshot.freshness
        self._first_at = self._first_at or now
        turns: list[Transition] = []
        if freshness.live:
            turns += self._back(snapshot.source, now)
            self._seen[snapshot.source] = max(freshness.confirmed or 0.0, freshness.since)
        self._now[snapshot.source] = freshness
        return turns + self.tick(now)

    @property
    def sees(self) -> bool:
        """Whether time that passes says anything about the cluster."""
        return self._lost_from is None

    def tick(self, now: float) -> list[Transition]:
        """What the mere passing of time makes worth telling."""
        if not self._seen:
            return self._never_seen(now)
        dark = [source for source in self._seen if not self._now[source].live]
        if len(dark) == len(self._seen):
            return self._all_dark(now)
        return self._some_dark(dark, now)

    def _never_seen(self, now: float) -> list[Transition]:
        failed = [freshness for freshness in self._now.values() if freshness.state is State.UNAVAILABLE]
        # A refusal is an answer: there is a connection.
        if self._told_lost or not failed or len(failed) != len(self._now):
            return []
        assert self._first_at is not None
        if now - self._first_at < GRACE:
            return []
        self._lost_from, self._noticed_at, self._told_lost = self._first_at, self._first_at, True
        return [turn("connection", self._first_at, "bad", "no connection to the cluster", failed[0].detail)]

    def _all_dark(self, now: float) -> list[Transition]:
        if self._lost_from is None:
            self._lost_from, self._noticed_at = max(self._seen.values()), now
        if self._told_lost or now - self._noticed_at < GRACE:
            return []
        self._told_lost = True
        self._dark.clear()
        why = next((fresh.detail for fresh in self._now.values() if not fresh.live and fresh.detail), "")
        detail = f"nothing is seen since {_clock(self._lost_from)}" + (f": {why}" if why else "")
        return [turn("connection", self._lost_from, "bad", "connection to the cluster lost", detail)]

    def _some_dark(self, dark: list[str], now: float) -> list[Transition]:
        turns: list[Transition] = []
        for source in dark:
            since = self._dark.setdefault(source, now)
            if now - since < ALONE or source in self._told_dark:
                continue
            self._told_dark.add(source)
            freshness, seen = self._now[source], self._seen[source]
            detail = f"nothing new since {_clock(seen)}: {freshness.detail}"
            turns.append(turn(f"connection/{source}", seen, "warn", f"{source} cannot be seen", detail))
        return turns

    def _back(self, source: str, now: float) -> list[Transition]:
        """A source is live again (or for the first time)."""
        turns: list[Transition] = []
        self._dark.pop(source, None)
        if self._lost_from is not None:
            start, lasted = self._lost_from, now - self._lost_from
            worth_telling = now - self._noticed_at >= BLINK or lasted >= SILENCE
            known = bool(self._seen)
            told, self._told_lost, self._lost_from = self._told_lost, False, None
            if told or worth_telling:
                text = f"connection to the cluster lost for {span(lasted)}"
                if not known:
                    text = f"the cluster is seen, {span(lasted)} after the console opened"
                detail = f"nothing was seen from {_clock(start)} to {_clock(now)}"
                turns.append(turn("connection", start, "info", text, detail, blind_from=start, blind_until=now))
        if source in self._told_dark:
            self._told_dark.discard(source)
            start = self._seen[source]
            detail = f"nothing was seen of them from {_clock(start)} to {_clock(now)}"
            text = f"{source} are seen again"
            turns.append(turn(f"connection/{source}", now, "info", text, detail, blind_from=start, blind_until=now))
        return turns


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
