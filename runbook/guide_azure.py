"""What a step of a guide finds in Azure: its activity log (``az monitor activity-log list``) and its databases
(``az sql db show``, ``show-usage``). Pure, from the probes' last snapshots, as `runbook.guide_findings`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from probes.azure.pressure import high_since, near_from, trouble
from probes.rows import Health
from runbook.diagnosis.databases import hardest
from runbook.diagnosis.wording import clip, many
from runbook.guide_findings import KEPT, SHOWN, Found, Sight, listed, or_unknown, when

if TYPE_CHECKING:
    from probes.azure.rows import Activity, Database, FiredAlert, Metric

ACTIVITY, DATABASES, ALERTS = "activity", "databases", "alerts"

_NAMED = re.compile(r"--(?:name|database|source-database)[ =]+['\"]?([^\s'\"\\]+)")
_SERVER = re.compile(r"--server[ =]+['\"]?([^\s'\"\\]+)")
_SHARES = (("storage_percent", "storage"), ("workers_percent", "workers"), ("sessions_percent", "sessions"))
_COUNTED = (
    ("deadlock", "deadlocks"),
    ("connection_failed", "failed connections"),
    ("blocked_by_firewall", "connections blocked by the firewall"),
)


# ---------------------------------------------------------------------- databases


def databases(sight: Sight, code: str = "") -> Found:
    """The databases that the step's command names, in full; without a name, or if none is called so, all of them."""
    seen = next((one for one in sight.symptoms if one.symptom == "database-timeouts"), None)
    beside = f"; but {seen.text}" if seen is not None else ""
    if DATABASES not in sight.latest:
        return Found(text=f"databases: not known, none is watched here{beside}", known=False, level="warn")
    rows: list[Database] = sorted(sight.rows(DATABASES).values(), key=lambda row: (row.health, row.name, row.server))
    name, server = _NAMED.search(code), _SERVER.search(code)
    asked = [row for row in rows if name and row.name.lower() == name[1].lower()]
    asked = [row for row in asked if not server or row.server.lower() == server[1].lower()] or asked
    told = [f"{clip(name[1])} is not among those that are watched"] if name and not asked and rows else []
    if asked:
        told += [_in_full(row, sight) for row in asked[:SHOWN]]
    elif rows:
        told.append(_all(rows))
    else:
        told.append("there are none in the configured resource groups")
    if seen is not None:
        told.append(seen.text)
    if changed := _last_change(asked or rows, sight):
        told.append(changed)
    shown = asked or rows
    sick = [row for row in shown if row.health <= Health.DEGRADED]
    facts = {"total": len(rows), "databases": [_facts(row) for row in shown[:KEPT]]}
    level = Found(text=f"databases: {'; '.join(told)}", level="warn" if sick or seen else "good", facts=facts)
    return or_unknown(DATABASES, sight, level)


def _all(rows: Sequence[Database]) -> str:
    sick = [row for row in rows if row.health <= Health.DEGRADED]
    if not sick:
        well = "the only one is well" if len(rows) == 1 else f"all {len(rows)} are well"
        return well + hardest(rows)
    names = listed([f"{clip(row.name)} {clip(trouble(row)) or 'is ill'}" for row in sick])
    return f"{len(sick)} of {many(len(rows), 'database')} ill: {names}"


def _in_full(row: Database, sight: Sight) -> str:
    parts = [f"{clip(row.name)} {clip(row.status)}, {clip(row.objective)}"]
    if row.capacity:
        parts[0] += f" ({row.capacity} {row.unit})"
    if row.load is not None:
        parts.append(_share(row.unit if row.unit == "DTU" else "CPU", row.load, sight))
    for name, word in (
        ("storage_percent", "storage"),
        ("workers_percent", "workers"),
        ("sessions_percent", "sessions"),
    ):
        metric = row.metric(name)
        if metric is not None and metric.last is not None:
            parts.append(
                _share(word, metric, sight) if metric.last >= near_from(metric) else f"{word} {metric.last:.0f} %"
            )
    for name, word in _COUNTED:
        metric = row.metric(name)
        count = sum(value for _, value in metric.samples if value is not None) if metric is not None else 0
        if count:
            parts.append(f"{count:,.0f} {word} in the hour")
    under_way = [operation for operation in row.operations if operation.going_on]
    parts += [
        f"{clip(one.words)} under way" + (f", {one.percent} %" if one.percent is not None else "") for one in under_way
    ]
    return ", ".join(parts) + (f", not read: {clip(row.unseen[0])}" if row.unseen else "")


def _share(word: str, metric: Metric, sight: Sight) -> str:
    if metric.last is None:
        return f"{word} not measured"
    text = f"{word} {metric.last:.0f} %"
    since = high_since(metric)
    if since is not None:
        begins = metric.samples[0][0]
        return f"{text}, {near_from(metric):.0f} % or more " + (
            "all the hour" if since <= begins else f"since {sight.clock(since)}"
        )
    return text if metric.peak is None else f"{text} (at most {metric.peak:.0f} % in the hour)"


def _last_change(rows: Sequence[Database], sight: Sight) -> str:
    """The newest change of these databases' servers, their firewall rules included."""
    servers = {row.server.lower() for row in rows}
    found: list[Activity] = [
        row
        for row in sight.rows(ACTIVITY).values()
        if row.change
        and row.resource_type.lower().startswith("microsoft.sql/")
        and row.resource.partition("/")[0].lower() in servers
    ]
    if not found or sight.trouble(ACTIVITY):
        return ""
    newest = max(found, key=lambda row: (row.at, row.key))
    return f"last change: {_operation(newest, sight)}"


def _facts(row: Database) -> dict[str, Any]:
    return {
        "database": f"{row.server}/{row.name}",
        "status": row.status,
        "objective": row.objective,
        "near": list(row.near),
        "percent": {
            metric.name: metric.last for metric in row.metrics if metric.unit == "Percent" and metric.last is not None
        },
        "usages": {usage.name: [usage.current, usage.limit] for usage in row.usages},
    }


# ---------------------------------------------------------------------- activity


def activity(sight: Sight, facts: dict[str, Any]) -> tuple[str, bool]:
    """(sentence, known): how much was changed, what failed, the newest, Azure's own health, which alerts are fired."""
    called = "Azure's activity log"
    if ACTIVITY not in sight.latest:
        return f"{called}: not known, it is not watched here", False
    trouble_now = sight.trouble(ACTIVITY)
    if trouble_now and not sight.last(ACTIVITY):
        return f"not known: {trouble_now}", False
    rows: list[Activity] = sorted(sight.rows(ACTIVITY).values(), key=lambda row: (-row.at, row.key))
    changes = [row for row in rows if row.change]
    failed = [row for row in rows if row.health is Health.FAILING and row.category == "Administrative"]
    bad = [row for row in rows if row.category in ("ServiceHealth", "ResourceHealth") and row.health <= Health.DEGRADED]
    bad.sort(key=lambda row: row.category != "ServiceHealth")  # what a region has says more than each of its machines
    told = [f"{many(len(rows), 'operation')}, {many(len(changes), 'change')}"]
    if failed:
        told.append(f"{len(failed)} failed, the newest {_operation(failed[0], sight)}")
    if changes and changes[0] not in failed[:1]:
        told.append(f"the newest change {_operation(changes[0], sight)}")
    told += [f"{_operation(row, sight)}: {clip(row.description or row.status)}" for row in bad[:SHOWN]]
    fired: list[FiredAlert] = sorted(sight.rows(ALERTS).values(), key=lambda row: (row.health, row.rule))
    if fired and not sight.trouble(ALERTS):
        told.append(f"{many(len(fired), 'alert')} fired: {listed([clip(row.rule) for row in fired])}")
    facts["activity"] = {
        "operations": len(rows),
        "newest": [
            {
                "at": row.at,
                "operation": row.operation,
                "resource": row.resource,
                "caller": row.caller,
                "status": row.status,
            }
            for row in changes[:KEPT]
        ],
        "alerts": [row.rule for row in fired[:KEPT]],
    }
    text = f"{called}: {'; '.join(told)}"
    return (f"{text}; but {trouble_now}", False) if trouble_now else (text, True)


def _operation(row: Activity, sight: Sight) -> str:
    by = f" by {clip(row.caller)}" if row.caller else ""
    return f"{clip(row.operation_text or row.operation)} {clip(row.resource)}{by}{when(row.at, sight)}"
