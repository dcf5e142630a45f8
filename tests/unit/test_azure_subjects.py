"""What a pin and a detail say of Azure's rows: whole, in words and dates."""

from __future__ import annotations

import json

from probes.rows import Health
from tests.azure_rows import activity, alert, at_its_limit, operation
from tui import azure_subjects
from tui.subjects import Subject, subject_of
from widgets.azure_changes import activity_change, alert_change


def subject(row: object) -> Subject:
    found = subject_of(row)
    assert found is not None
    json.dumps(found.facts)
    assert found.whole == azure_subjects.WHOLE
    return found


def test_a_database_is_told_with_what_is_near_its_limit_and_its_hour() -> None:
    found = subject(at_its_limit(operations=(operation(40),)))
    assert found.text == (
        "database banking-platform-prod-sql/BankingAccountsDb: Online, S3, DTU 98 % for 12 min, "
        "Update logical database 40 %"
    )
    assert (found.level, found.at) == ("bad", None)
    hour = found.facts["metrics"]["dtu_consumption_percent"]
    assert (hour["from"], hour["last"], hour["peak"]) == ("2026-11-23T13:21:44.000Z", 98, 98)
    assert hour["each minute"] == " ".join(["31"] * 48 + ["98"] * 12)
    assert found.facts["earliest_restore_at"] == "2026-11-16T14:20:44.000Z"
    assert found.facts["health"] == "failing"


def test_an_operation_and_an_alert_are_told_by_whom_on_what_and_when_also_from_the_changes_pane() -> None:
    row = activity(health=Health.FAILING, status="Failed", sub_status="Conflict", description="a lock holds it")
    found = subject(activity_change(row))
    assert found.text == (
        "azure Update SQL server firewall rule: banking-platform-prod-sql/allow-aks-egress, Failed "
        "by jane.doe@bank.example: Conflict: a lock holds it"
    )
    assert (found.level, found.at, found.facts["at"]) == ("bad", row.at, "2026-11-23T14:14:44.000Z")
    fired = subject(alert_change(alert()))
    assert fired.text == (
        "alert dtu-high (sev 1) on banking-platform-prod-sql/BankingAccountsDb: DTU above 90 % for five minutes"
    )
