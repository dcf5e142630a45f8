"""What is seen of Azure: the databases, and its activity among the other changes."""

from __future__ import annotations

from probes.freshness import State
from probes.rows import Commit, Health
from tests.azure_rows import NOW, activity, alert, at_its_limit, database, load, metric, operation
from tests.pilot.pane_harness import clocked, snapshot
from widgets.changes import ChangesPane
from widgets.databases import DatabasesPane


async def test_a_database_at_its_limit_is_first_with_its_hour_and_what_is_near_and_what_is_under_way() -> None:
    pane = DatabasesPane()
    app = clocked(pane)
    async with app.run_test(size=(140, 10)) as pilot:
        quiet = database("Ledger")
        scaling = database(
            "Payments", status="Scaling", operations=(operation(40), operation(100, "Succeeded", id="2"))
        )
        old = database(
            "Archive", metrics=(load(5, 6, 5), metric("storage_percent", [None, None])), unseen=("usages: no",)
        )
        late = database("Cold", metrics=(metric("cpu_percent", [3.0], until=NOW - 1500),), objective="GP_S_Gen5_1")
        pane.show(snapshot("databases", [quiet, scaling, old, late, at_its_limit()]))
        await pilot.pause()
        assert "Databases  1 of 5 unhealthy" in app.lines[0]
        first = app.lines[2]
        assert first.split()[:5] == ["│▌✗", "BankingAccountsDb", "Online", "S3", "100"]
        assert "▃▃▃▃▃▃▃▃▇▇▇▇" in first
        assert "98%  61% DTU 98 % for 12 min" in first
        assert "Scaling" in app.lines[3]
        assert "Update logical database 40 %" in app.lines[3]
        assert "24%  41%" in app.line("✓ Ledger")
        assert " –" in app.line("✓ Archive")
        assert "usages: no" in app.line("✓ Archive")
        assert "3%  25m ago" in app.line("✓ Cold")
        pane.show(snapshot("databases", [quiet, at_its_limit(server="other-sql")], version=2))
        await pilot.pause()
        assert "BankingAccountsDb  other-sql" in app.lines[2]  # which of them, as soon as there are two servers
        pane.set_filter("other")
        await pilot.pause()
        assert pane.counts == (1, 2)
        assert "Ledger" not in app.text


async def test_databases_that_may_not_be_read_say_which_role_is_missing_and_how_to_get_it() -> None:
    pane = DatabasesPane()
    app = clocked(pane)
    async with app.run_test(size=(140, 10)) as pilot:
        hint = "az role assignment create --role Reader …"
        detail = "cannot read Microsoft.Sql/servers/read: forbidden for jane"
        pane.show(snapshot("databases", state=State.FORBIDDEN, detail=detail, hint=hint))
        await pilot.pause()
        assert "⊘ FORBIDDEN" in app.text
        assert detail in app.text
        assert hint in app.text


async def test_azures_activity_is_merged_by_time_and_failed_operations_are_marked_in_words() -> None:
    pane = ChangesPane()
    pane.azure = True
    app = clocked(pane)
    async with app.run_test(size=(150, 12)) as pilot:
        listed = activity("Microsoft.Storage/storageAccounts/listKeys/action", "backups", ago=100)
        failed = activity(
            "Microsoft.Sql/servers/databases/write",
            ago=200,
            health=Health.FAILING,
            status="Failed",
            sub_status="Conflict",
            description="the edition does not support it",
        )
        begun = activity("Microsoft.Network/loadBalancers/write", ago=50, status="Started", health=Health.DEGRADED)
        health = activity(
            ago=2000, category="ServiceHealth", health=Health.FAILING, operation_text="SQL in West Europe"
        )
        commit = Commit(commit="8c1f0e2aaaa", author="dev", subject="raise the timeout", at=NOW - 300)
        pane.show(snapshot("commits", [commit]))
        pane.show(snapshot("releases", []))
        pane.show(snapshot("activity", [listed, failed, begun, health, activity(ago=360)]))
        pane.show(snapshot("alerts", [alert(ago=120), alert("no-time", ago=None, severity=None)]))
        pane.first_symptom = NOW - 10
        await pilot.pause()
        rows = [" ".join(row.strip("│▌ ").split()) for row in app.lines[2:-1]]
        assert "– alert no-time" in rows[0]
        for row, told in zip(
            rows[1:],
            (
                "azure loadBalancers/write …",
                "alert dtu-high sev 1 BankingAccountsDb DTU above 90 %",
                "azure databases/write failed",
                "commit 8c1f0e2 raise the timeout dev",
                "azure firewallRules/write",
                "azure service health",
            ),
            strict=False,
        ):
            assert told in row
        assert "Conflict the edition does not support it" in rows[3]
        assert "5m50s azure" in rows[5]
        assert "jane.doe" in rows[5]
        assert "listKeys" not in app.text
        # An alert is no cause, and neither is what Azure says of its own health.
        assert pane.suspect is not None
        assert pane.suspect.item is begun
        assert "helm · git · azure" in app.lines[-1]
        for typed, shown in (("l", 7), ("list", 1), ("listkeys", 1), ("listkeys !list", 0), ("list", 1), ("", 7)):
            pane.set_filter(typed)
            await pilot.pause()
            assert pane.counts == (shown, 8), typed
            assert ("listKeys" in app.lines[2]) == (shown == 1), typed


async def test_without_azure_the_changes_pane_says_nothing_of_it() -> None:
    pane = ChangesPane()
    app = clocked(pane)
    async with app.run_test(size=(150, 12)) as pilot:
        pane.show(snapshot("releases", []))
        pane.show(snapshot("commits", []))
        await pilot.pause()
        assert "azure" not in app.text.casefold()
        assert "no Helm release and no commit" in app.text
