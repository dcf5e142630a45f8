"""What a step of a guide finds: one sentence from what the probes last saw, with the figures behind it.

Pure. What a probe cannot tell now (loading, stale, forbidden, not watched) is said and never guessed: then a finding is
not ``known``. Sentences hold text from the cluster; whoever draws them makes it inert.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from probes.freshness import Snapshot, State
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Usage, Workload
from runbook.diagnosis.findings import Seen
from runbook.diagnosis.situation import SKEW, answer
from runbook.diagnosis.warnings import owner
from runbook.diagnosis.wording import Clock, clip, many, not_live, span, utc
from runbook.response import Look

SHOWN = 3  # workloads, nodes, endpoints that a sentence names
KEPT = 10  # of each that the evidence holds
LONGEST, LONGEST_FACT = 1_000, 400  # characters of a finding, and of one string of its facts

Level = Literal["good", "warn", "info"]


class Found(Struct, frozen=True, kw_only=True):
    """``text`` says what was found, or why that is not ``known``. ``facts`` is small and JSON."""

    text: str
    known: bool = True
    level: Level = "info"
    facts: dict[str, Any] = field(default_factory=dict)


class Sight(NamedTuple):
    """What is known at ``now`` (epoch seconds). ``began`` is when the first symptom was there, None if none is.

    ``quiet_for``: seconds without a warning after which errors count as gone. ``clock`` words an instant.
    """

    latest: Mapping[str, Snapshot[Any]]
    now: float
    clock: Clock = utc
    began: float | None = None
    quiet_for: float = 600.0
    symptoms: tuple[Seen, ...] = ()

    def rows(self, source: str) -> Mapping[str, Any]:
        snapshot = self.latest.get(source)
        return snapshot.rows if snapshot is not None else {}

    def trouble(self, source: str) -> str:
        """Why nothing can be said from a source now; empty while it is live."""
        return not_live(source, self.latest.get(source), self.clock)

    def last(self, source: str) -> bool:
        """Whether its rows are what once was, though it is not live."""
        snapshot = self.latest.get(source)
        return snapshot is not None and snapshot.freshness.state is State.STALE

    def beside(self, source: str) -> str:
        """What a live source says of how much it sees."""
        detail = self.latest[source].freshness.detail
        return f" ({clip(detail)})" if detail else ""


def found(look: Look, sight: Sight, code: str = "") -> Found:
    """What a look through the probes finds. ``code`` is the step's: it says which changes are meant.

    "logs" and "version" ask the cluster first: see `guide_answers`; "connectivity" is a plan.
    """
    return bounded(_found(look, sight, code))


def bounded(seen: Found) -> Found:
    """The finding at a length that a timeline can hold, whatever the cluster calls its things."""
    text = seen.text if len(seen.text) <= LONGEST else f"{seen.text[: LONGEST - 1]}…"
    return replace(seen, text=text, facts={key: _short(value) for key, value in seen.facts.items()})


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_FACT else f"{value[: LONGEST_FACT - 1]}…"
    if isinstance(value, list):
        return [_short(each) for each in value]
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return value


def _found(look: Look, sight: Sight, code: str) -> Found:
    match look.what:
        case "pods":
            return _pods(sight, look.of)
        case "nodes":
            return nodes(sight)
        case "services":
            return _services(sight, look.of)
        case "events":
            return _events(sight, look.of)
        case "changes":
            return _changes(sight, code)
        case "databases":
            from runbook.guide_azure import databases

            return databases(sight, code)
    return Found(text=f"not known: nothing here looks at {look.what}", known=False)


def or_unknown(source: str, sight: Sight, seen: Found) -> Found:
    """The finding while its source is live; else why not, with what was seen last."""
    trouble = sight.trouble(source)
    if not trouble:
        return seen
    before = f"; before that, {seen.text.partition(': ')[2]}" if sight.last(source) else ""
    return Found(
        text=f"{source}: not known, they {trouble.removeprefix(source).strip()}{before}",
        known=False,
        level="warn",
        facts={"trouble": trouble} | (seen.facts if before else {}),
    )


def listed(parts: Sequence[str]) -> str:
    rest = len(parts) - SHOWN
    return ", ".join(parts[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


# ---------------------------------------------------------------------- pods


def matches(pod: Pod, of: str) -> bool:
    """Whether a pod belongs to what ``of`` names: its workload, its app label, or itself. Empty: every pod does."""
    names = (pod.owner.name if pod.owner is not None else "", pod.app, pod.name)
    return not of or any(name and fnmatchcase(name, of) for name in names)


def _pods(sight: Sight, of: str) -> Found:
    rows: list[Pod] = [pod for pod in sight.rows("pods").values() if matches(pod, of)]
    counted = [pod for pod in rows if pod.health is not Health.DORMANT]
    done = len(rows) - len(counted)
    sick = [pod for pod in counted if pod.health <= Health.DEGRADED]
    down = _gathered([pod for pod in sick if pod.status != "Running"])
    unready = _gathered([pod for pod in sick if pod.status == "Running"])
    told = []
    if down:
        told.append(f"{_sum(down)} of {len(counted):,} not Running: {_groups(down)}")
    if unready:
        names = listed([f"{name} ×{count}" for (name, _), count in unready])
        told.append(f"{_sum(unready)}{'' if down else f' of {len(counted):,}'} Running but not ready: {names}")
    if not told:
        told.append(_well(len(counted), of))
    if done:
        told.append(f"{done:,} done")
    facts = {
        "total": len(counted),
        "done": done,
        "sick": [
            {"workload": name, "status": status, "pods": count} for (name, status), count in (*down, *unready)[:KEPT]
        ],
    }
    text = "pods: " + "; ".join(told) + (sight.beside("pods") if not sight.trouble("pods") else "")
    return or_unknown("pods", sight, Found(text=text, level="warn" if sick else "good", facts=facts))


def _well(count: int, of: str) -> str:
    if count == 0:
        return f"none of {of}" if of else "there are none here"
    return "the only one is Running" if count == 1 else f"all {count:,} Running"


def _gathered(pods: Sequence[Pod]) -> list[tuple[tuple[str, str], int]]:
    counts = Counter((clip(pod.owner.name if pod.owner is not None else pod.name), clip(pod.status)) for pod in pods)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _sum(groups: Sequence[tuple[tuple[str, str], int]]) -> str:
    return f"{sum(count for _, count in groups):,}"


def _groups(groups: Sequence[tuple[tuple[str, str], int]]) -> str:
    return listed([f"{name} ×{count} {status}" for (name, status), count in groups])


# ---------------------------------------------------------------------- nodes, services


def nodes(sight: Sight) -> Found:
    rows: list[Node] = sorted(sight.rows("nodes").values(), key=lambda node: node.name)
    ready = sum(node.ready for node in rows)
    told = [f"{ready} of {len(rows)} Ready" if rows else "there are none"]
    troubled = [node for node in rows if not node.ready or node.pressures or node.cordoned]
    told += [f"{node.name} {_node_word(node)}" for node in troubled[:SHOWN]]
    if len(troubled) > SHOWN:
        told.append(f"and {len(troubled) - SHOWN} more")
    hottest = _hottest(sight, rows)
    facts = {
        "total": len(rows),
        "ready": ready,
        "troubled": [{"node": node.name, "is": _node_word(node)} for node in troubled[:KEPT]],
    }
    text = "nodes: " + ", ".join(told) + (f"; {hottest}" if hottest else "")
    return or_unknown("nodes", sight, Found(text=text, level="warn" if troubled else "good", facts=facts))


def _node_word(node: Node) -> str:
    words = (*([] if node.ready else [node.status]), *node.pressures, *(["cordoned"] if node.cordoned else []))
    return clip(" ".join(words) or node.status)


def _hottest(sight: Sight, rows: Sequence[Node]) -> str:
    """The node that uses most of what it has; or that this was not measured."""
    usage: Mapping[str, Usage] = sight.rows("usage")
    if sight.trouble("usage"):
        return "usage not known" if rows else ""
    worst, told = 0.0, ""
    for node in rows:
        used = usage.get(node.name)
        if used is None:
            continue
        for word, share in (
            ("CPU", used.cpu / node.cpu_allocatable if node.cpu_allocatable else 0.0),
            ("memory", used.memory / node.memory_allocatable if node.memory_allocatable else 0.0),
        ):
            if share > worst:
                worst, told = share, f"at most {share:.0%} of {word} used, on {node.name}"
    return told


def _services(sight: Sight, of: str) -> Found:
    """Health endpoints, and workloads short of what they should be; both belong to the answer."""
    points: list[Endpoint] = sorted(sight.rows("endpoints").values(), key=lambda one: (one.name, one.url))
    points = [one for one in points if not of or fnmatchcase(one.name, of)]
    checked = [one for one in points if one.ok is not None]
    failing = [one for one in checked if not one.ok]
    endpoints = or_unknown(
        "endpoints",
        sight,
        Found(text=f"endpoints: {_answering(points, checked, failing)}", known=bool(checked) or not points),
    )
    rows: list[Workload] = [
        row
        for row in sight.rows("workloads").values()
        if row.desired > 0 and (not of or fnmatchcase(row.name, of)) and row.health is not Health.DORMANT
    ]
    short = sorted((row for row in rows if row.ready < row.desired), key=lambda row: (row.ready, row.name))
    if short:
        names = listed([f"{clip(row.name)} {row.ready} of {row.desired} ready" for row in short])
        said = f"{len(short)} of {many(len(rows), 'workload')} short: {names}"
    else:
        said = f"all {many(len(rows), 'workload')} as they should be" if rows else "there are none"
    workloads = or_unknown("workloads", sight, Found(text=f"workloads: {said}"))
    return Found(
        text=f"{endpoints.text}; {workloads.text}",
        known=endpoints.known and workloads.known,
        level="warn" if failing or short or not (endpoints.known and workloads.known) else "good",
        facts={
            "endpoints": {"checked": len(checked), "failing": [f"{one.name}: {answer(one)}" for one in failing[:KEPT]]},
            "workloads": {
                "total": len(rows),
                "short": [f"{row.name}: {row.ready} of {row.desired}" for row in short[:KEPT]],
            },
        },
    )


def _answering(points: Sequence[Endpoint], checked: Sequence[Endpoint], failing: Sequence[Endpoint]) -> str:
    if not points:
        return "none is configured"
    if not checked:
        return "not known, none was checked yet"
    if failing:
        names = listed([f"{clip(one.name)} {answer(one)}" for one in failing])
        return f"{len(failing)} of {len(checked)} fail{'s' if len(failing) == 1 else ''}: {names}"
    unchecked = f", {len(points) - len(checked)} not checked yet" if len(checked) < len(points) else ""
    return ("the only one answers" if len(checked) == 1 else f"all {len(checked)} answer") + unchecked


# ---------------------------------------------------------------------- events


def _events(sight: Sight, of: str) -> Found:
    since = sight.now - sight.quiet_for
    rows: list[Event] = [
        event
        for event in sight.rows("events").values()
        if event.type == "Warning" and event.last_at >= since and (not of or fnmatchcase(owner(event), of))
    ]
    window = span(sight.quiet_for)
    counts: Counter[tuple[str, str]] = Counter()
    for event in rows:
        counts[event.reason, owner(event)] += max(event.count, 1)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if rows:
        (reason, about), times = most[0]
        text = f"events: {many(len(rows), 'warning')} in {window}, most: {clip(reason)} ×{times:,} {clip(about)}"
        if len(most) > 1:
            text += f"; {listed([f'{clip(why)} ×{count:,} {clip(who)}' for (why, who), count in most[1:]])}"
    else:
        text = f"events: no warning in {window}"
    facts = {
        "seconds": sight.quiet_for,
        "warnings": len(rows),
        "most": [{"reason": why, "about": who, "times": count} for (why, who), count in most[:KEPT]],
    }
    return or_unknown("events", sight, Found(text=text, level="warn" if rows else "good", facts=facts))


# ---------------------------------------------------------------------- changes

AZURE = "activity"
_ASKS = (("releases", r"helm"), ("commits", r"git"), (AZURE, r"az"))


def _changes(sight: Sight, code: str) -> Found:
    """Releases, commits and Azure where it is watched; what the step's own commands ask for, if there are any."""
    asked = {what for what, program in _ASKS if re.search(rf"^\s*{program}\s", code, re.MULTILINE)}
    asked = asked or {"releases", "commits", *({AZURE} & sight.latest.keys())}
    told, known, facts = [], True, dict[str, Any]()
    if AZURE in asked:
        from runbook.guide_azure import activity

        said, known = activity(sight, facts)
        told.append(said)
    if "releases" in asked or not known:
        said, live = _release(sight, facts)
        told.append(said)
        known = known and live
    if "commits" in asked:
        said, live = _commit(sight, facts)
        told.append(said)
        known = known and live
    return Found(text=f"changes: {'; '.join(told)}", known=known, level="info" if known else "warn", facts=facts)


def _release(sight: Sight, facts: dict[str, Any]) -> tuple[str, bool]:
    trouble = sight.trouble("releases")
    if trouble and not sight.last("releases"):
        return f"releases not known, they {trouble.removeprefix('releases').strip()}", False
    rows: list[Release] = sorted(sight.rows("releases").values(), key=lambda row: (-(row.updated or 0.0), row.name))
    if not rows:
        text = "there is no Helm release here"
    else:
        row = rows[0]
        text = f"revision {row.revision} of {clip(row.name)} {clip(row.status)}{when(row.updated, sight)}"
        facts["release"] = {"name": row.name, "revision": row.revision, "status": row.status, "updated": row.updated}
    return (f"{text}; but {trouble}", False) if trouble else (text, True)


def _commit(sight: Sight, facts: dict[str, Any]) -> tuple[str, bool]:
    trouble = sight.trouble("commits")
    if trouble and not sight.last("commits"):
        return f"commits not known, they {trouble.removeprefix('commits').strip()}", False
    rows: list[Commit] = sorted(sight.rows("commits").values(), key=lambda row: (-row.at, row.commit))
    if not rows:
        text = "no commit in view"
    else:
        row = rows[0]
        text = f"{many(len(rows), 'commit')}, the newest {row.commit[:8]} “{clip(row.subject)}”{when(row.at, sight)}"
        facts["commit"] = {"commit": row.commit, "subject": row.subject, "at": row.at}
    return (f"{text}; but {trouble}", False) if trouble else (text, True)


def when(at: float | None, sight: Sight) -> str:
    if at is None:
        return ""
    text = f" {span(sight.now - at)} ago"
    if sight.began is None:
        return text
    before = sight.began - at
    if before >= -SKEW:
        return f"{text}, {span(before)} before the first symptom"
    return f"{text}, {span(-before)} after the first symptom"
