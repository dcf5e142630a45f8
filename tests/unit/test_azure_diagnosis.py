"""What Azure adds to a diagnosis: suspects of kind "azure", databases at a limit as symptom and as evidence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from probes.freshness import Snapshot, State
from probes.rows import Health
from runbook.diagnosis.findings import Diagnosis
from tests.azure_rows import NOW, SERVER, activity, at_its_limit, database
from tests.pilot.pane_harness import snapshot
from tests.unit.diagnosis_world import SINCE, commit, crashing, diagnose, endpoint, event, node, release, seen, workload

ILL: dict[str, Any] = {"pods": crashing(), "workloads": [workload("payment-service", 0)]}
TIMED_OUT = event("Unhealthy", "payment-service-0", "SqlException: timeout expired, pool of BankingAccountsDb")


def azure(operations: Iterable[Any] = (), databases: Iterable[Any] = (), **rows: Any) -> dict[str, Snapshot[Any]]:
    found = seen(**rows)
    return found | {"activity": snapshot("activity", operations), "databases": snapshot("databases", databases)}


def ranked(found: Diagnosis) -> list[tuple[str, str]]:
    return [(one.short, one.touch) for one in found.suspects]


def evidence(found: Diagnosis, of: str) -> str:
    node = found.finding(of)
    assert node is not None
    return node.evidence


def test_a_firewall_rule_changed_before_the_first_symptom_is_a_suspect_and_the_first_where_databases_time_out() -> None:
    rule = activity(ago=SINCE + 360)
    rest: dict[str, Any] = {
        "operations": [
            rule,
            activity("Microsoft.Insights/metricAlerts/write", "dtu-high", ago=SINCE + 10),
            activity("Microsoft.Network/networkSecurityGroups/write", "aks-nsg", ago=SINCE + 700),
            activity("Microsoft.Sql/servers/databases/read", f"{SERVER}/x", ago=SINCE + 5),
            activity("Microsoft.Compute/virtualMachineScaleSets/write", "aks-1", ago=SINCE - 100),
        ],
        "commits": [commit("docs: a comma", ago=SINCE + 400)],
    }
    found = diagnose(azure(**rest, databases=[database()], **ILL))
    assert ranked(found) == [
        ("firewall rule allow-aks-egress", "shared"),
        ("network security group aks-nsg", "shared"),
        (found.suspects[2].short, "namespace"),
        ("metric alert dtu-high", "elsewhere"),
    ]
    assert [one.short for one in found.after] == ["virtual machine scale set aks-1"]

    found = diagnose(azure(**rest, databases=[database()], events=[TIMED_OUT], **ILL))
    first = found.suspects[0]
    assert (first.kind, first.touch, first.before, first.by) == ("azure", "database", 360, "jane.doe@bank.example")
    assert first.what == f"Update SQL server firewall rule {SERVER}/allow-aks-egress"
    assert first.why == "what is ill speaks of a database"
    assert (first.place.pane, first.place.kind, first.place.key) == ("changes", "Activity", rule.key)
    told = evidence(found, "check-dependencies")
    assert told.startswith("the only database is well, at 24 % of what it may do; Unhealthy payment-service: SqlExc")
    assert told.endswith(f"{first.what}, 6 min before the first symptom")


def test_a_change_that_failed_counts_half_and_a_release_of_the_sick_workload_stays_first() -> None:
    failed = activity(ago=SINCE + 60, health=Health.FAILING, status="Failed")
    found = diagnose(azure([failed], releases=[release((12, SINCE + 90))], **ILL))
    assert [one.kind for one in found.suspects] == ["release", "azure"]
    assert found.suspects[1].what.endswith(", failed")
    assert found.suspects[1].why == "what is ill may stand on it, but it failed"


def test_a_database_at_its_limit_is_a_symptom_the_first_one_while_all_else_is_well_and_every_node_names_it() -> None:
    migration = activity("Microsoft.Sql/servers/databases/extensions/write", f"{SERVER}/BankingAccountsDb", ago=900)
    slow = endpoint("api", latency_ms=6_000.0)
    found = diagnose(azure([migration], [at_its_limit(), database("Ledger")], endpoints=[slow]))
    limit = next(one for one in found.symptoms if one.symptom == "database-at-limit")
    assert (limit.text, limit.since) == ("BankingAccountsDb DTU 98 % for 12 min", NOW - 660)
    assert limit.place.key == at_its_limit().key
    assert found.fits[0].id == "database-degradation"
    assert (found.first_symptom, found.first_text) == (NOW - 660, limit.text)
    assert [(one.touch, one.before) for one in found.suspects] == [("database", 240)]
    assert found.suspects[0].why == "it is about the server of BankingAccountsDb, which is ill"
    for place in ("check-performance", "check-dependencies"):
        assert "BankingAccountsDb DTU 98 % for 12 min; 1 other well" in evidence(found, place), place
    assert found.finding("check-dependencies").place.key == at_its_limit().key  # type: ignore[union-attr]

    # All the hour: nobody knows when it began, and a full disk is no incident's beginning.
    disk = replace(database("Full"), health=Health.DEGRADED, near=("storage 91 %",))
    calm = diagnose(azure((), [at_its_limit(minutes=60), disk]))
    assert calm.first_symptom is None
    assert {one.symptom for one in calm.symptoms} == {"database-at-limit"}


def test_a_database_that_is_not_online_speaks_for_an_outage_and_a_source_that_cannot_be_read_is_unknown() -> None:
    offline = database(status="Offline", health=Health.FAILING)
    found = diagnose(azure((), [offline]))
    assert [(one.symptom, one.text) for one in found.symptoms] == [
        ("database-unavailable", "BankingAccountsDb Offline")
    ]
    refused = seen() | {"databases": snapshot("databases", state=State.FORBIDDEN, detail="no Reader role")}
    found = diagnose(refused | {"activity": snapshot("activity", state=State.STALE, detail="429")})
    assert evidence(found, "check-dependencies") == "not known: databases may not be read: no Reader role"


def test_without_azure_nothing_of_it_is_missing_or_unknown() -> None:
    found = diagnose(seen(events=[TIMED_OUT], **ILL))
    fit = next(one for one in found.fits if one.id == "database-degradation")
    assert "database-at-limit" not in (*fit.missing, *fit.unknown)
    assert "azure" not in evidence(found, "check-dependencies").casefold()


def test_while_nodes_are_not_ready_azures_own_health_goes_first_and_what_their_pods_say_is_no_change() -> None:
    outage = activity(
        "Microsoft.ServiceHealth/incident/action",
        "4TK3-BZG",
        ago=SINCE + 900,
        category="ServiceHealth",
        status="Active",
        health=Health.DEGRADED,
        operation_text="Active: Virtual Machines",
        description="Start workloads in other zones",
    )
    silent = event("NodeNotReady", "payment-service-0", "Node is not ready", ago=SINCE, type="Warning")
    sick = {**ILL, "nodes": [node("aks-1", ready=False, since=SINCE)], "events": [silent]}
    found = diagnose(azure([outage], **sick))
    assert [one.kind for one in found.suspects] == ["azure", "node"]
    first = found.suspects[0]
    assert first.what.startswith("Active: Virtual Machines: Start workloads in other zones")
    assert (first.touch, first.why) == ("node", "nodes are not ready, and the machines are Azure's")
    well = diagnose(azure([outage], **(sick | {"nodes": [node("aks-1")]})))
    assert [one.touch for one in well.suspects] == ["shared"]
