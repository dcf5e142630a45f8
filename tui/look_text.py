"""A look for a person in a shell: what is sick first, in kubectl's columns, nothing that is well listed one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probes.freshness import Snapshot, State
from probes.rows import Health
from tui import azure_look
from tui.look_json import percent, timestamp, unhealthy
from widgets.plain import ago, plain

if TYPE_CHECKING:
    from probes.rows import Event, Node, Pod, Workload
    from tui.columns import Page
    from tui.look import Look

MOST_PODS = 50
MOST_EVENTS = 12
MOST_RELEASES = 8
MOST_COMMITS = 8
LEVELS = {Health.FAILING: "bad", Health.DEGRADED: "warn", Health.HEALTHY: "", Health.DORMANT: "dim"}


def write(seen: Look, page: Page) -> None:
    """Write the whole look."""
    verdict = ("good", "✓ healthy") if seen.healthy else ("bad", "✗ unhealthy")
    if seen.blind:
        verdict = ("warn", "? could not look")
    where = ", ".join(seen.namespaces) or "all namespaces"
    page.line(f"{seen.context}   {where}   {seen.server}   {seen.version}   {timestamp(seen.at)}", "head")
    page.line(verdict[1], verdict[0])
    _pods(seen, page)
    _nodes(seen, page)
    _workloads(seen, page)
    _endpoints(seen, page)
    _releases(seen, page)
    azure_look.write(seen, page)
    _commits(seen, page)
    _events(seen, page)


def heading(page: Page, title: str, snapshot: Snapshot[Any], remark: str) -> bool:
    """Write the heading; False when there are no rows to show. Empty, forbidden and broken read differently."""
    freshness = snapshot.freshness
    if freshness.state is not State.LIVE:
        page.heading(title, f"{freshness.state.value}: {freshness.detail}")
    else:
        page.heading(title, remark if snapshot.rows else "none")
    return bool(snapshot.rows)


def _pods(seen: Look, page: Page) -> None:
    pods = list(seen.pods.rows.values())
    ready = sum(0 < pod.total == pod.ready for pod in pods)
    finished = sum(pod.health is Health.DORMANT for pod in pods)
    remark = f"{ready} of {len(pods)} ready" + (f", {finished} finished" if finished else "")
    sick = unhealthy(pods)
    if heading(page, "PODS", seen.pods, remark) and sick:
        page.table(
            ("", "NAMESPACE", "NAME", ">READY", "STATUS", ">RESTARTS", ">AGE", "OWNER", "NODE"),
            ((LEVELS[pod.health], _pod(pod, seen.at)) for pod in sick[:MOST_PODS]),
        )
        more(page, len(sick) - MOST_PODS, "unhealthy pods")


def _pod(pod: Pod, now: float) -> tuple[str, ...]:
    restarts = str(pod.restarts)
    if pod.restarts and pod.restarted_at is not None:
        restarts += f" ({ago(now - pod.restarted_at)} ago)"
    owner = f"{pod.owner.kind}/{pod.owner.name}" if pod.owner else "–"
    return (
        pod.health.mark,
        pod.namespace,
        pod.name,
        f"{pod.ready}/{pod.total}",
        pod.status,
        restarts,
        ago(now - pod.created_at),
        owner,
        pod.node or "–",
    )


def _nodes(seen: Look, page: Page) -> None:
    nodes = sorted(seen.nodes.rows.values(), key=lambda node: (node.health, -(_cpu(seen, node) or 0), node.name))
    remark = f"{sum(node.ready for node in nodes)} of {len(nodes)} ready"
    if not seen.usage.freshness.live:
        remark += f"   usage {seen.usage.freshness.state.value}: {seen.usage.freshness.detail}"
    if heading(page, "NODES", seen.nodes, remark):
        page.table(
            ("", "NAME", "STATUS", ">CPU%", ">MEMORY%", ">AGE", "VERSION", "PRESSURE"),
            ((LEVELS[node.health], _node(seen, node)) for node in nodes[:MOST_PODS]),
        )
        more(page, len(nodes) - MOST_PODS, "nodes")


def _cpu(seen: Look, node: Node) -> float | None:
    used = seen.usage.rows.get(node.name)
    return percent(used.cpu, node.cpu_allocatable) if used else None


def _node(seen: Look, node: Node) -> tuple[str, ...]:
    used = seen.usage.rows.get(node.name)
    memory = percent(used.memory, node.memory_allocatable) if used else None
    return (
        node.health.mark,
        node.name,
        node.status,
        _share(_cpu(seen, node)),
        _share(memory),
        ago(seen.at - node.created_at),
        node.version,
        ", ".join(node.pressures) or node.reason,
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}%"


def _workloads(seen: Look, page: Page) -> None:
    rows = sorted(seen.workloads.rows.values(), key=lambda row: (row.health, row.namespace, row.kind, row.name))
    sick = [row for row in rows if row.health < Health.HEALTHY]
    if heading(page, "WORKLOADS", seen.workloads, f"{len(rows) - len(sick)} of {len(rows)} as desired") and sick:
        page.table(
            ("", "NAMESPACE", "NAME", ">READY", ">UPDATED", "ROLLOUT", "MESSAGE"),
            ((LEVELS[row.health], _workload(row)) for row in sick[:MOST_PODS]),
        )
        more(page, len(sick) - MOST_PODS, "unhealthy workloads")


def _workload(row: Workload) -> tuple[str, ...]:
    return (
        row.health.mark,
        row.namespace,
        f"{row.kind.lower()}/{row.name}",
        f"{row.ready}/{row.desired}",
        str(row.updated),
        row.condition,
        row.message,
    )


def _endpoints(seen: Look, page: Page) -> None:
    rows = sorted(seen.endpoints.rows.values(), key=lambda row: (row.health, row.name))
    good = sum(row.ok is True for row in rows)
    if heading(page, "ENDPOINTS", seen.endpoints, f"{good} of {len(rows)} ok"):
        page.table(
            ("", "NAME", ">STATUS", ">LATENCY", "URL", "ERROR"),
            (
                (
                    LEVELS[row.health],
                    (
                        row.health.mark,
                        row.name,
                        "–" if row.status is None else str(row.status),
                        "–" if row.latency_ms is None else f"{row.latency_ms:.0f} ms",
                        row.url,
                        row.error,
                    ),
                )
                for row in rows
            ),
        )


def _releases(seen: Look, page: Page) -> None:
    rows = sorted(seen.releases.rows.values(), key=lambda row: row.updated or 0, reverse=True)
    if heading(page, "RELEASES", seen.releases, f"{len(rows)}, newest first"):
        page.table(
            ("", "NAMESPACE", "NAME", ">REVISION", ">UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"),
            (
                (
                    LEVELS[row.health],
                    (
                        row.health.mark,
                        row.namespace,
                        row.name,
                        str(row.revision),
                        _since(seen.at, row.updated),
                        row.status,
                        "-".join(part for part in (row.chart, row.chart_version) if part) or "–",
                        row.app_version or "–",
                        row.description,
                    ),
                )
                for row in rows[:MOST_RELEASES]
            ),
        )
        more(page, len(rows) - MOST_RELEASES, "releases")


def _commits(seen: Look, page: Page) -> None:
    rows = sorted(seen.commits.rows.values(), key=lambda row: row.at, reverse=True)
    if heading(page, "COMMITS", seen.commits, f"{len(rows)}, newest first"):
        page.table(
            (">AGE", "COMMIT", "AUTHOR", "SUBJECT"),
            (("", (ago(seen.at - row.at), row.commit[:10], row.author, row.subject)) for row in rows[:MOST_COMMITS]),
        )
        more(page, len(rows) - MOST_COMMITS, "commits")


def _events(seen: Look, page: Page) -> None:
    rows = sorted(seen.events.rows.values(), key=lambda row: row.last_at, reverse=True)
    warnings = [row for row in rows if row.type != "Normal"]
    remark = f"{len(warnings)} warnings of {len(rows)}, newest first"
    if heading(page, "EVENTS", seen.events, remark) and warnings:
        page.table(
            (">LAST", "TYPE", "REASON", "OBJECT", ">COUNT", "MESSAGE"),
            (("warn", _event(row, seen.at)) for row in warnings[:MOST_EVENTS]),
        )
        more(page, len(warnings) - MOST_EVENTS, "warnings")


def _event(row: Event, now: float) -> tuple[str, ...]:
    regards = f"{row.kind.lower()}/{row.object_name}"
    return (ago(now - row.last_at), row.type, row.reason, regards, str(row.count), plain(row.message, 120))


def _since(now: float, at: float | None) -> str:
    return "–" if at is None else f"{ago(now - at)} ago"


def more(page: Page, left: int, what: str) -> None:
    if left > 0:
        page.line(f"… and {left} more {what}; all of them: warroom status --json", "dim")
