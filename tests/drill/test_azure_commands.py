"""``warroom status`` and ``warroom doctor`` where the settings name an Azure: what is there, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill.platform import running
from tests.drill.shell import document, flags, fresh_user, warroom

NOBODY = "11111111-1111-1111-1111-111111111111"  # a subscription that is not there


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    return fresh_user(tmp_path)


async def test_status_tells_azure_and_doctor_what_is_missing_and_the_command_that_gives_it(
    user: dict[str, str],
) -> None:
    async with running() as platform:
        where, arm = flags(platform), platform.platform.arm
        assert arm is not None
        seen = document(await warroom(user, "status", "--json", *where))
        text = (await warroom(user, "status", *where)).out

        azure = seen["azure"]
        accounts = next(row for row in azure["databases"] if row["name"] == "BankingAccountsDb")
        assert {"status": "Online", "objective": "S3", "healthy": True, "near": []}.items() <= accounts.items()
        assert 0 < accounts["load_percent"] < 100
        assert {"operation", "status", "caller", "resource", "time"} <= azure["activity"][0].keys()
        assert [row["time"] for row in azure["activity"]] == sorted(
            (r["time"] for r in azure["activity"]), reverse=True
        )
        assert azure["alerts"] == []
        assert {probe["name"] for probe in seen["probes"]} >= {"activity", "databases", "alerts"}
        for heading in ("DATABASES   3 of 3 well", "AZURE ACTIVITY", "AZURE ALERTS   none"):
            assert heading in text
        assert "listClusterUserCredential" not in text  # it changed nothing

        arm.faults.forbidden.add("Microsoft.Insights/eventtypes/values/read")
        refused = await warroom(user, "doctor", "--json", *where)
        arm.faults.logged_out = True
        expired = await warroom(user, "doctor", "--json", *where)
        arm.faults.logged_out = False
        told = platform.config.read_text()
        mistaken = {"subscription": (arm.estate.part.subscription, NOBODY), "group": (arm.estate.part.group, "nope-rg")}
        found = {}
        for what, (right, wrong) in mistaken.items():
            (platform.config.parent / f"{what}.toml").write_text(told.replace(f'"{right}"', f'"{wrong}"'))
            settings = ("--config", str(platform.config.parent / f"{what}.toml"))
            done = await warroom(user, "doctor", "--json", *settings)
            found[what] = {check["name"]: check for check in document(done)["checks"]}["databases"]
            (platform.config.parent / f"{what}.toml").unlink()

    said = {"subscription": f"The subscription '{NOBODY}' could", "group": "Resource group 'nope-rg' could"}
    cure = {"subscription": "az account list --output table", "group": "az group list --output table"}
    for what, check in found.items():
        assert check["found"].startswith(f"{said[what]} not be found."), check
        assert f"(azure.{'resource_groups' if what == 'group' else what})" in check["found"]
        assert check["advice"] == cure[what]
    checks = {check["name"]: check for check in document(refused)["checks"]}
    assert (checks["databases"]["level"], checks["alerts"]["level"]) == ("ok", "ok")
    assert checks["activity"]["level"] == "warn"
    assert "Microsoft.Insights/eventtypes/values/read is missing for" in checks["activity"]["found"]
    assert checks["activity"]["advice"].startswith('az role assignment create --role "Reader" --assignee ')
    checks = {check["name"]: check for check in document(expired)["checks"]}
    for name in ("activity", "databases", "alerts"):
        assert "the login to Azure has expired" in checks[name]["found"]
        assert checks[name]["advice"].startswith("write a new token into ")
