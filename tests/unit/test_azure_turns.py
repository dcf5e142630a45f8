"""What the timeline is told of Azure by itself: turns, in Azure's own time, and nothing of before twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from probes.azure.pressure import trouble_since
from probes.freshness import State
from probes.rows import Health
from probes.transitions import Transition, Watcher
from tests.azure_rows import NOW, activity, alert, at_its_limit, database, load, operation
from tests.pilot.pane_harness import snapshot


class Story:
    def __init__(self) -> None:
        self.watcher = Watcher()

    def at(self, seconds: float, source: str, rows: Iterable[Any] = (), **fields: Any) -> list[Transition]:
        now = NOW + seconds
        return self.watcher.observe(snapshot(source, rows, confirmed=now, **fields), now)


def texts(turns: Iterable[Transition]) -> list[tuple[str, str]]:
    return [(turn.level, turn.text) for turn in turns]


def test_a_change_that_comes_late_into_the_log_is_told_with_the_time_it_was_made() -> None:
    story = Story()
    old = activity(ago=3000)
    assert story.at(0, "activity", [old]) == []
    late, read = activity(ago=360), activity("Microsoft.Sql/servers/databases/read", ago=10)
    keys = activity("Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", ago=10)
    (told,) = story.at(30, "activity", [old, late, read, keys])
    assert told.text == "azure Update SQL server firewall rule: banking-platform-prod-sql/allow-aks-egress"
    assert (told.at, told.level, told.detail) == (NOW - 360, "info", "by jane.doe@bank.example")
    assert told.evidence["operation"] == "Microsoft.Sql/servers/firewallRules/write"
    assert story.at(60, "activity", [old, late, read]) == []


def test_an_operation_is_told_at_its_end_a_long_one_before_it_too_and_a_failure_as_one() -> None:
    story = Story()
    story.at(0, "activity", [])
    begun = activity(ago=0, status="Started", ended_at=None, health=Health.DEGRADED)
    assert story.at(10, "activity", [begun]) == []
    assert [turn.text.split(":")[0] for turn in story.watcher.tick(NOW + 60)] == [
        "azure Update SQL server firewall rule is under way"
    ]
    ended = activity(ago=0, status="Failed", sub_status="Conflict", health=Health.FAILING, description="locked")
    (told,) = story.at(90, "activity", [ended])
    assert (told.level, told.detail) == ("info", "by jane.doe@bank.example · Conflict · locked")
    assert "firewall rule failed: " in told.text
    assert story.watcher.tick(NOW + 900) == []
    # Azure's own health is a symptom, and its end is one's end.
    sick = activity(ago=0, category="ServiceHealth", operation_text="SQL", resource="west", health=Health.FAILING)
    well = replace(sick, health=Health.HEALTHY, status="Resolved")
    assert texts(story.at(120, "activity", [ended, sick])) == [("warn", "azure SQL: west")]
    assert texts(story.at(150, "activity", [ended, well])) == [("good", "azure SQL: west")]


def test_a_database_turns_ill_when_its_load_rose_and_well_again() -> None:
    story = Story()
    (already,) = story.at(0, "databases", [at_its_limit("Old", 60), database()])
    assert already.text == "database Old already DTU 98 % for 60 min when the console opened"
    sick = at_its_limit()
    assert trouble_since(sick) == NOW - 11 * 60
    (ill,) = story.at(60, "databases", [at_its_limit("Old", 60), sick])
    assert (ill.level, ill.text, ill.at) == ("bad", "database BankingAccountsDb DTU 98 % for 12 min", NOW - 660)
    scaled = database(objective="S6", status="Scaling", operations=(operation(10),))
    assert texts(story.at(120, "databases", [at_its_limit("Old", 60), scaled])) == [
        ("info", "database BankingAccountsDb: Update logical database under way"),
        ("good", "database BankingAccountsDb well again"),
        ("info", "database BankingAccountsDb Online → Scaling"),
        ("info", "database BankingAccountsDb S3 → S6"),
    ]
    done = database(objective="S6", operations=(operation(100, "Failed", error="no capacity"),))
    status, failed, gone = story.at(240, "databases", [done])
    assert (failed.level, failed.detail) == ("warn", "after 5 min · no capacity")
    assert (status.text, gone.text) == (
        "database BankingAccountsDb Scaling → Online",
        "database Old is gone from banking-platform-prod-sql",
    )


def test_a_database_that_is_near_no_limit_any_more_is_told_while_what_failed_before_keeps_it_amber() -> None:
    story = Story()
    counts = ("3 deadlocks in 10 min",)
    near: dict[str, Any] = {
        "health": Health.DEGRADED,
        "near": ("DTU 92 % for 2 min", *counts),
        "metrics": (load(31.0, 92.0, 12),),
    }
    story.at(0, "databases", [at_its_limit()])
    assert story.at(60, "databases", [database(**near)]) == []  # better, and not over
    amber = database(health=Health.DEGRADED, near=counts)
    (over,) = story.at(120, "databases", [amber])
    assert (over.level, over.text) == ("good", "database BankingAccountsDb Online and near no limit any more")
    assert over.detail == "of before: 3 deadlocks in 10 min"
    assert story.at(180, "databases", [replace(amber, near=("1 deadlock in 10 min",))]) == []
    assert texts(story.at(240, "databases", [database()])) == [("good", "database BankingAccountsDb well again")]
    assert texts(story.at(300, "databases", [at_its_limit()])) == [
        ("bad", "database BankingAccountsDb DTU 98 % for 12 min")
    ]


def test_alerts_fire_and_become_quiet_and_a_source_that_is_gone_is_told_once() -> None:
    story = Story()
    assert texts(story.at(0, "alerts", [alert("old")])) == [
        ("bad", "alert old (sev 1) already fired when the console opened: banking-platform-prod-sql/BankingAccountsDb")
    ]
    turns = story.at(60, "alerts", [alert(ago=10)])
    assert [turn.text.split(":")[0] for turn in turns] == ["alert dtu-high (sev 1) fired", "alert old is quiet again"]
    assert story.at(90, "alerts", [alert(ago=10)], state=State.STALE, detail="429") == []
    assert texts(story.watcher.tick(NOW + 300)) == [("warn", "Azure's alerts cannot be seen")]
    assert story.watcher.tick(NOW + 400) == []
    assert texts(story.at(600, "alerts", [alert(ago=10)])) == [("info", "Azure's alerts can be seen again")]
