"""What the steps find that ask Azure: ``az monitor activity-log list``, ``az sql db show`` and ``show-usage``."""

from __future__ import annotations

from typing import Any

from probes.freshness import State
from probes.rows import Health
from runbook.guide_findings import Found, Sight, found
from runbook.response import Look
from tests.azure_rows import NOW, activity, alert, at_its_limit, database, load, metric, operation
from tests.pilot.pane_harness import snapshot

SHOW_USAGE = "az sql db show-usage --name BankingAccountsDb --server banking-platform-prod-sql"
LOG = "az monitor activity-log list --resource-group banking-platform-prod-rg --max-events 10"


def look(what: Any, code: str = "", *snapshots: Any, **fields: Any) -> Found:
    return found(Look(what=what), Sight({one.source: one for one in snapshots}, NOW, **fields), code)


def test_the_usage_of_the_database_that_the_command_names_is_told_with_its_hour_and_its_servers_last_change() -> None:
    counts = metric("deadlock", [0.0, 3.0, 1.0])
    metrics = (load(31, 98, 12), metric("storage_percent", [61.0] * 60), metric("workers_percent", [88.0] * 60), counts)
    rows = [at_its_limit(metrics=metrics, operations=(operation(40),)), database("Ledger")]
    seen = look(
        "databases", SHOW_USAGE, snapshot("databases", rows), snapshot("activity", [activity()]), began=NOW - 120
    )
    assert seen.text == (
        "databases: BankingAccountsDb Online, S3 (100 DTU), DTU 98 %, 90 % or more since 14:09:44, storage 61 %, "
        "workers 88 %, 80 % or more all the hour, 4 deadlocks in the hour, Update logical database under way, 40 %; "
        "last change: Update SQL server firewall rule banking-platform-prod-sql/allow-aks-egress "
        "by jane.doe@bank.example 6 min ago, 4 min before the first symptom"
    )
    assert (seen.known, seen.level, seen.facts["total"]) == (True, "warn", 2)
    assert seen.facts["databases"][0]["percent"]["dtu_consumption_percent"] == 98


def test_without_a_name_all_are_told_and_what_cannot_be_read_is_not_known() -> None:
    rows = [database(), database("Ledger", health=Health.DEGRADED, near=("storage 91 %",))]
    assert (
        look("databases", "", snapshot("databases", rows)).text
        == "databases: 1 of 2 databases ill: Ledger storage 91 %"
    )
    other = look("databases", "az sql db show --name Other --server x", snapshot("databases", [database()]))
    assert (
        other.text
        == "databases: Other is not among those that are watched; the only one is well, at 24 % of what it may do"
    )
    stale = look("databases", SHOW_USAGE, snapshot("databases", rows[:1], state=State.STALE, detail="429"))
    assert not stale.known
    assert "they are stale since 14:20:44: 429; before that, BankingAccountsDb Online" in stale.text


def test_the_activity_log_tells_what_was_changed_what_failed_and_which_alerts_are_fired() -> None:
    rows = [
        activity(),
        activity("Microsoft.Sql/servers/databases/read", ago=5),
        activity(ago=90, health=Health.FAILING, status="Failed"),
        activity(ago=40, category="ServiceHealth", health=Health.FAILING, operation_text="SQL", resource="west",
                 description="Connections fail"),
    ]  # fmt: skip
    seen = look("changes", LOG, snapshot("activity", rows), snapshot("alerts", [alert()]))
    assert seen.text == (
        "changes: Azure's activity log: 4 operations, 2 changes; 1 failed, the newest Update SQL server firewall rule "
        "banking-platform-prod-sql/allow-aks-egress by jane.doe@bank.example 1 min 30 s ago; "
        "SQL west by jane.doe@bank.example 40 s ago: Connections fail; 1 alert fired: dtu-high"
    )
    assert seen.known
    assert seen.facts["activity"]["alerts"] == ["dtu-high"]
    refused = look("changes", LOG, snapshot("activity", state=State.FORBIDDEN, detail="no Reader"))
    assert refused.text.startswith("changes: not known: Azure's activity log may not be read: no Reader; releases not")
    assert not refused.known


def test_what_a_whole_region_has_is_told_before_each_of_its_machines() -> None:
    rows = [
        activity(ago=10 * n, category="ResourceHealth", health=Health.FAILING, resource=f"vm-{n}", description="gone")
        for n in (1, 2, 3, 4)
    ]
    rows.append(
        activity(ago=90, category="ServiceHealth", health=Health.FAILING, resource="west", description="Zone 1")
    )
    told = look("changes", LOG, snapshot("activity", rows)).text
    assert "west" in told
    assert told.index("Zone 1") < told.index("vm-1")
