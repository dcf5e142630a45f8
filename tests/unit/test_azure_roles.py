"""The custom roles of Azure allow what the sources read and the mitigations do, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from probes.azure.actions import READS
from runbook import azure_preflight, restore_cancelling
from runbook.mitigations import restore_database, scale_database

DOCS = Path(__file__).parents[2] / "docs"

# A long-running operation is asked for by the address that Azure gives.
FOLLOWING = {
    "Microsoft.Sql/locations/databaseAzureAsyncOperation/read",
    "Microsoft.Sql/locations/databaseRestoreAzureAsyncOperation/read",
    "Microsoft.Sql/locations/databaseOperationResults/read",
}


def role(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "rbac" / name).read_text())
    assert found["AssignableScopes"]
    assert not any("*" in action for action in found["Actions"])
    return found


def test_the_viewer_may_read_exactly_what_the_sources_read() -> None:
    assert set(role("azure-role.json")["Actions"]) == {action for actions in READS.values() for action in actions}


def test_the_responder_may_do_exactly_what_the_mitigations_do_besides() -> None:
    done = {*restore_database.ACTIONS, *scale_database.ACTIONS, *restore_cancelling.ACTIONS}
    reads = set(role("azure-role.json")["Actions"])
    assert set(role("azure-responder-role.json")["Actions"]) == (done - reads) | FOLLOWING | {azure_preflight.ASKING}


def test_the_page_names_every_action() -> None:
    page = (DOCS / "azure.md").read_text()
    for actions in READS.values():
        for action in actions:
            assert action in page or action.replace("Microsoft.Sql/servers/databases", "…/databases") in page
