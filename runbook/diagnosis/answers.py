"""The framework's questions, answered from what was seen, each with its evidence; and what is to be seen in each pane.

An answer is yes or no only where a live probe says so. Otherwise it is unknown, and the evidence says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from runbook.diagnosis.databases import standing
from runbook.diagnosis.findings import Answer, Place, Seen, Suspect
from runbook.diagnosis.sightings import Illness
from runbook.diagnosis.situation import (
    SKEW,
    Situation,
    answer,
    endpoint_place,
    ill_place,
    ill_text,
    more,
    node_place,
    node_trouble,
)
from runbook.diagnosis.symptoms import event_place, latency_text, slow
from runbook.diagnosis.warnings import Group
from runbook.diagnosis.wording import clip, many, not_live, span
from runbook.response import Asks

SHOWN = 2  # workloads, endpoints, nodes that a sentence names


Reached = tuple[Asks, Answer]
"""By which answer to which question a node is reached; empty ones where no question leads there."""


class Evidence(NamedTuple):
    """A sentence, where to see for oneself, and since when; with the answer, if a question was asked."""

    text: str
    place: Place | None = None
    since: float | None = None
    answer: Answer = ""


def answered(asks: Asks, now: Situation, suspects: Sequence[Suspect]) -> Evidence:
    match asks:
        case "service-responding":
            return _responding(now)
        case "pods-running":
            return _running(now, suspects)
        case "errors-in-logs":
            return _errors(now)
    return Evidence("", answer="unknown")


def shown(
    pane: str, reached: Reached, now: Situation, suspects: Sequence[Suspect], symptoms: Sequence[Seen]
) -> Evidence:
    """What a pane has to say to somebody who is told to look there, and by which answer."""
    match reached:
        case ("service-responding", "yes"):
            return _performance(now, pane)
        case ("pods-running", "no") if pane == "nodes":
            return _under(now)
    match pane:
        case "nodes":
            return _nodes(now)
        case "pods":
            return _logs(now, suspects)
        case "services":
            return _performance(now, pane)
        case "events":
            return _patterns(now)
        case "changes":
            return _changes(now, suspects)
        case "databases":
            return _databases(now, suspects, symptoms)
    onset = now.onset
    if onset is None and now.failing_endpoints:
        first = now.failing_endpoints[0]
        text = f"{first.name} {answer(first)}, since before this console looked"
        return Evidence(text + more(len(now.failing_endpoints), 1, "endpoint"), endpoint_place(first))
    if onset is None:
        return Evidence("nothing is ill" if now.sight.live("pods") else _unknown(now, "pods"))
    return Evidence(f"first symptom {now.clock(onset.at)}: {onset.text}", onset.place, onset.at)


def _unknown(now: Situation, source: str) -> str:
    return f"not known: {not_live(source, now.sight.snapshots.get(source), now.clock)}"


def _since(now: Situation, at: float | None) -> str:
    return f" since {now.clock(at)}" if at is not None else ""


def _wanted(ill: Illness) -> int:
    """How many replicas there should be: pods that end on a node that is silent are sick, and none of them."""
    return ill.total if ill.row is None else ill.row.desired


# ------------------------------------------------------------------ the questions


def _responding(now: Situation) -> Evidence:
    """By health endpoints; and whatever they say, a workload without a replica that is available does not respond."""
    sight = now.sight
    dead = now.dead() if sight.live("workloads") else ()
    told = [f"{ill.name} has none of {_wanted(ill)} replicas available{_since(now, ill.since)}" for ill in dead[:SHOWN]]
    gone = "; ".join(told) + more(len(dead), SHOWN, "workload")
    place = ill_place(dead[0]) if dead else Place(pane="services")
    since = dead[0].since if dead else None
    checked = [endpoint for endpoint in sight.endpoints if endpoint.ok is not None]
    if not sight.live("endpoints") or not checked:
        if dead:
            return Evidence(gone, place, since, "no")
        rows = sight.rows("endpoints")
        why = not_live("endpoints", sight.snapshots.get("endpoints"), now.clock) or (
            "no endpoint was checked yet" if rows else "no health endpoint is configured"
        )
        beside = ""
        if sight.live("workloads") and sight.has_workloads and not now.illnesses:
            beside = "; every workload has all its replicas"
        return Evidence(f"not known: {why}{beside}", Place(pane="services"), None, "unknown")
    failing = now.failing_endpoints
    if failing:
        some = [f"{one.name} {answer(one)}{_since(now, one.changed_at)}" for one in failing[:SHOWN]]
        verb = "fails" if len(failing) == 1 else "fail"
        text = f"{len(failing)} of {many(len(checked), 'endpoint')} {verb}: {', '.join(some)}"
        text += more(len(failing), SHOWN, "endpoint") + (f"; {gone}" if gone else "")
        return Evidence(text, endpoint_place(failing[0]), failing[0].changed_at or since, "no")
    unchecked = len(sight.rows("endpoints")) - len(checked)
    if unchecked:
        well = f"{many(len(checked), 'endpoint')} checked so far answer{'s' if len(checked) == 1 else ''}"
    else:
        well = "the only endpoint answers" if len(checked) == 1 else f"all {len(checked)} endpoints answer"
    if dead:
        return Evidence(f"{gone}, though {well}", place, since, "no")
    return Evidence(well + _slowest(now), Place(pane="services"), None, "yes")


def _slowest(now: Situation) -> str:
    timed = [endpoint for endpoint in now.sight.endpoints if endpoint.ok and endpoint.latency_ms is not None]
    if not timed:
        return ""
    last = max(timed, key=lambda endpoint: (endpoint.latency_ms or 0.0, endpoint.url))
    return f", the slowest in {latency_text(last)}"


def _running(now: Situation, suspects: Sequence[Suspect]) -> Evidence:
    sight, place = now.sight, Place(pane="pods")
    ill = [illness for illness in now.illnesses if illness.sick or illness.failing]
    if not sight.live("pods"):
        last = f"; before that {ill_text(ill[0])}" if ill and sight.seen("pods") else ""
        return Evidence(_unknown(now, "pods") + last, place, None, "unknown")
    rows, detail = sight.rows("pods"), sight.snapshots["pods"].freshness.detail
    seen = f" ({clip(detail)})" if detail else ""
    if ill:
        first = ill[0]
        told = [ill_text(first) + _since(now, first.since) + _after(first, suspects)]
        told += [ill_text(illness) + _since(now, illness.since) for illness in ill[1:SHOWN]]
        return Evidence("; ".join(told) + more(len(ill), SHOWN, "workload") + seen, ill_place(first), first.since, "no")
    if not rows:
        if sight.live("workloads") and sight.has_workloads:
            return Evidence(f"there is not one pod, though workloads want some{seen}", place, None, "no")
        return Evidence(f"not known: there are no pods here{seen}", place, None, "unknown")
    chronic = f"; {many(now.chronic, 'workload')} ill for more than a day" if now.chronic else ""
    lost = f"; {sight.lost_pods:,} more are being deleted" if sight.lost_pods else ""
    return Evidence(
        f"all {len(rows) - sight.lost_pods:,} pods run or are done{lost}{chronic}{seen}", place, None, "yes"
    )


def _after(illness: Illness, suspects: Sequence[Suspect]) -> str:
    """``, 40 s after revision 12``: the suspect that touches this very workload, if it came before its illness."""
    if illness.since is None:
        return ""
    for suspect in suspects:
        if suspect.touch in ("workload", "node") and suspect.kind != "commit":
            passed = illness.since - suspect.at
            if passed < -SKEW:
                continue
            return f", {span(passed)} after {suspect.short}"
    return ""


def _errors(now: Situation) -> Evidence:
    """From log lines that somebody read, else from the cluster's warnings; says which of them it is."""
    for read in now.told.read:
        if read.errors:
            excerpt = f": {clip(read.excerpt)}" if read.excerpt else ""
            text = f"{read.errors} of {many(read.lines, 'line')} read of {read.of} are errors{excerpt}"
            return Evidence(text, Place(pane="pods"), None, "yes")
    place, lines = Place(pane="events"), sum(read.lines for read in now.told.read)
    nothing = f"no error in {many(lines, 'line')} that were read" if lines else "no log line was read here"
    if not now.sight.live("events"):
        if lines:
            return Evidence(nothing, Place(pane="pods"), None, "no")
        why = not_live("events", now.sight.snapshots.get("events"), now.clock)
        return Evidence(f"not known: {nothing}, and {why}", place, None, "unknown")
    groups = now.warnings
    if groups:
        newest = groups[0].newest
        return Evidence(f"warning events say so: {_grouped(groups)}", event_place(newest), groups[0].first_at, "yes")
    quiet = f"no warning event for {span(now.response.errors_gone_for)}"
    if lines:
        return Evidence(f"{nothing}, and {quiet}", place, None, "no")
    return Evidence(f"not known: {nothing}, and {quiet}", place, None, "unknown")


def _grouped(groups: Sequence[Group]) -> str:
    told = [f"{clip(group.reason)} {group.owner} × {group.times:,}" for group in groups[: SHOWN + 1]]
    return "; ".join(told) + more(len(groups), SHOWN + 1, "kind")


# ------------------------------------------------------------------ what the panes show


def _nodes(now: Situation) -> Evidence:
    place = Place(pane="nodes")
    if not now.sight.live("nodes"):
        return Evidence(_unknown(now, "nodes"), place)
    total, sick = len(now.sight.rows("nodes")), now.sick_nodes
    if not sick:
        well = f"all {many(total, 'node')} ready, none under pressure" if total > 1 else "the only node is ready"
        return Evidence(well + _hottest(now) if total else "no nodes", place)
    told = [f"{node.name} {node_trouble(node)}{_since(now, node.changed_at)}" for node in sick[:SHOWN]]
    text = ", ".join(told) + more(len(sick), SHOWN, "node")
    others = total - len(sick)
    text = f"{text}; {many(others, 'other')} fine" if others else text
    return Evidence(text + _hungriest(now), node_place(sick[0]), sick[0].changed_at)


def _under(now: Situation) -> Evidence:
    """Whether one node is behind pods that are ill: where they run, and how those nodes are."""
    if not now.sight.live("nodes"):
        return Evidence(_unknown(now, "nodes"), Place(pane="nodes"))
    under = sorted({node for illness in now.illnesses if illness.sick for node in illness.nodes})
    found = {node.name: node for node in now.sight.nodes}
    if not under:
        return _nodes(now)
    sick = [node for name in under if (node := found.get(name)) is not None and node in now.sick_nodes]
    told = f"{sick[0].name} {node_trouble(sick[0])}{_since(now, sick[0].changed_at)}" if sick else ""
    if len(under) == 1:
        there = found.get(under[0])
        state = told or (f"{under[0]} is {there.status}" if there is not None else f"{under[0]} is gone")
        place = node_place(there) if there is not None else Place(pane="nodes")
        return Evidence(f"all that is ill runs on one node: {state}", place, sick[0].changed_at if sick else None)
    text = f"what is ill runs on {len(under)} of {many(len(found), 'node')}, so no single node explains it"
    if sick:
        text += f"; of these, {told}{more(len(sick), 1, 'node')}"
    return Evidence(text, node_place(sick[0]) if sick else Place(pane="nodes"), sick[0].changed_at if sick else None)


def _hungriest(now: Situation) -> str:
    """Whose pods use most memory on the nodes that are short of it: those that had to go for them do not say."""
    pressed = {node.name for node in now.sick_nodes if "MemoryPressure" in node.pressures}
    if not pressed or not now.sight.live("usage") or not now.sight.live("pods"):
        return ""
    usage = now.sight.rows("usage")
    used: dict[str, list[int]] = {}
    for pod in now.sight.rows("pods").values():
        measured = usage.get(f"{pod.namespace}/{pod.name}") if pod.node in pressed else None
        if measured is not None:
            used.setdefault(pod.owner.name if pod.owner is not None else pod.name, []).append(measured.memory)
    if not used:
        return ""
    name, parts = max(used.items(), key=lambda item: (sum(item[1]), item[0]))
    return f"; most memory there: {name}, {sum(parts) / 2**30:.1f} GiB in {many(len(parts), 'pod')}"


def _hottest(now: Situation) -> str:
    """The node that uses most of what it has, if it was measured."""
    if not now.sight.live("usage"):
        return ""
    usage, worst, told = now.sight.rows("usage"), 0.0, ""
    for node in now.sight.nodes:
        used = usage.get(node.name)
        for word, share in (
            ("CPU", used.cpu / node.cpu_allocatable if used and node.cpu_allocatable else 0.0),
            ("memory", used.memory / node.memory_allocatable if used and node.memory_allocatable else 0.0),
        ):
            if share > worst:
                worst, told = share, f", at most {share:.0%} of {word} used, on {node.name}"
    return told


def _logs(now: Situation, suspects: Sequence[Suspect]) -> Evidence:
    found = _running(now, suspects)
    ended = next((illness for illness in now.illnesses if illness.exit_code is not None), None)
    if found.answer != "no" or ended is None:
        return found._replace(answer="")
    restarts = f", {many(ended.restarts, 'restart')}" if ended.restarts else ""
    said = (
        f": {clip(ended.message)}"
        if ended.message and (ended.row is None or ended.message != ended.row.message)
        else ""
    )
    return Evidence(f"{ended.name} ended with exit {ended.exit_code}{restarts}{said}", ill_place(ended), ended.since)


def _performance(now: Situation, pane: str) -> Evidence:
    """How fast the endpoints answer, and how full the nodes are."""
    place = Place(pane=pane)
    hot = "; ".join(filter(None, (_limited(now), _hottest(now).removeprefix(", "))))
    if not now.sight.live("endpoints"):
        return Evidence("; ".join(filter(None, (_unknown(now, "endpoints"), hot))), place)
    found = sorted((one for one in now.sight.endpoints if slow(one)), key=lambda one: (-(one.latency_ms or 0), one.url))
    if found:
        told = ", ".join(f"{one.name} in {latency_text(one)}" for one in found[:SHOWN])
        text = f"slow: {told}{more(len(found), SHOWN, 'endpoint')}"
        return Evidence("; ".join(filter(None, (text, hot))), endpoint_place(found[0]))
    slowest = _slowest(now)
    if not slowest:
        why = "no endpoint answers" if now.failing_endpoints else "no health endpoint is configured"
        return Evidence("; ".join(filter(None, (f"not known: {why}", hot))), place)
    return Evidence("; ".join(filter(None, (f"no endpoint is slower than usual{slowest}", hot))), place)


def _patterns(now: Situation) -> Evidence:
    if not now.sight.live("events"):
        return Evidence(_unknown(now, "events"), Place(pane="events"))
    groups = now.warnings
    if not groups:
        return Evidence(f"no warning for {span(now.response.errors_gone_for)}", Place(pane="events"))
    return Evidence(_grouped(groups), event_place(groups[0].newest), groups[0].first_at)


def _changes(now: Situation, suspects: Sequence[Suspect]) -> Evidence:
    if suspects:
        first = suspects[0]
        return Evidence(f"{first.what}, {span(first.before)} before the first symptom", first.place, first.at)
    began = now.began
    for source in ("releases", "commits", "activity"):
        if not now.sight.live(source) and (source != "activity" or source in now.sight.snapshots):
            return Evidence(_unknown(now, source), Place(pane="changes"))
    nothing = "nothing is ill" if began is None else f"no change within a day before {now.clock(began)}"
    return Evidence(nothing, Place(pane="changes"))


def _limited(now: Situation) -> str:
    """The databases that are ill, in a few words, where any are watched."""
    return f"database {clip(standing(now)[0])}" if now.sick_databases and now.sight.live("databases") else ""


def _databases(now: Situation, suspects: Sequence[Suspect], symptoms: Sequence[Seen]) -> Evidence:
    """How the watched ones stand, what messages say of any, and what was changed about them in Azure."""
    timeouts = next((seen for seen in symptoms if seen.symptom == "database-timeouts"), None)
    if "databases" not in now.sight.snapshots:
        if timeouts is not None:
            return Evidence(timeouts.text, replace(timeouts.place), timeouts.since)
        return Evidence("not known: no database is watched, and no message speaks of one", None)
    text, place, since = standing(now)
    if timeouts is not None:
        text += f"; {timeouts.text}"
        place, since = (place, since) if place.key else (replace(timeouts.place), timeouts.since)
    changed = next((one for one in suspects if one.touch == "database"), None)
    if changed is not None:
        text += f"; {changed.what}, {span(changed.before)} before the first symptom"
    return Evidence(text, place, since)
