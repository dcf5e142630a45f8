"""The Azure part of a scenario: what it may say, and that a mistake in it is told with its place."""

from __future__ import annotations

import pytest

from drill import scenario
from drill.azure.tiers import TIERS, by_sku
from drill.scenario import ScenarioError

TEXT = """
name: small
title: Something is wrong
severity: 3
summary: A small one.
cluster: test
namespace: prod
release: {name: bank, chart: banking}
nodes: [{name: node-0}]
services: [{name: api, replicas: 2, image: example/api, database: Accounts}]
script:
  - {do: upgrade, at: -1h, chart: 1.0.0, tags: {api: 1.0.0}}
azure:
  subscription: 3f1c6a52-8b0d-4e57-9a41-6c2d7e90b318
  group: prod-rg
  server: prod-sql
  databases:
    - name: Accounts
      objective: S3
      surges: [{at: -20m, while_down: api, sessions: 100}]
      blockers: [{session: 87, at: -25m, login: a, host: b, program: c, statement: UPDATE x, demand: 90}]
  alerts: [{name: high, database: Accounts, metric: dtu_consumption_percent, threshold: 90}]
  activity:
    - {at: -27m, operation: Microsoft.Sql/servers/firewallRules/write, text: Rule, resource: Microsoft.Sql/servers/prod-sql/firewallRules/x, caller: ci}
"""  # noqa: E501 (a line of YAML)


def test_a_scenario_can_have_a_part_for_azure() -> None:
    told = scenario.parse(TEXT)
    assert told.azure is not None
    assert [database.name for database in told.azure.databases] == ["Accounts"]
    assert told.azure.trouble == -25 * 60
    assert scenario.parse(TEXT.partition("azure:")[0].replace(", database: Accounts", "")).azure is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            ("objective: S3", "objective: S5"),
            r"small\.yaml:19: azure\.databases\[0\]\.objective: there is no service objective 'S5', but Basic, S0",
        ),
        (("objective: S3", "objective: Basic"), r"azure\.databases\[0\]\.max_gb: Basic holds at most 2 GB, not 250"),
        (
            ("objective: S3", "objective: S3\n      used_gb: 300"),
            r"small\.yaml:20: azure\.databases\[0\]\.used_gb: it uses 300 GB of 250",
        ),
        (("while_down: api", "while_down: web"), r"surges\[0\]\.while_down: there is no service 'web'"),
        (("at: -20m, while_down: api", "at: -20m, until: -21m"), "the surge at -20m ends at -21m, before it begins"),
        (
            ("session: 87", "session: 7"),
            r"^small\.yaml:21: .*session: expected a whole number of at least 51, found 7$",
        ),
        (("database: Accounts, metric", "database: Nothing, metric"), "alert high: there is no database 'Nothing'"),
        (("metric: dtu_consumption_percent", "metric: dtu"), "alert high: expected one of dtu_consumption_percent"),
        (("at: -27m", "at: +5m"), r"activity\[0\]\.at: expected something of the past"),
        (
            ("resource: Microsoft.Sql/servers/prod-sql/firewallRules/x", "resource: prod-sql"),
            "expected a resource such as",
        ),
        (("image: example/api, database: Accounts", "image: example/api, database: Ledger"), "no database 'Ledger'"),
        (("subscription: 3f1c6a52", "subscription: 3f1c"), r"^small\.yaml:14: azure\.subscription: expected a GUID"),
        (
            ("group: prod-rg", "gruppe: prod-rg"),
            r"^small\.yaml:15: azure\.gruppe: there is no such key; did you mean group\?$",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(change: tuple[str, str], complaint: str) -> None:
    assert change[0] in TEXT
    with pytest.raises(ScenarioError, match=complaint):
        scenario.parse(TEXT.replace(*change), source="small.yaml")


@pytest.mark.parametrize(
    ("sku", "objective"),
    [
        ({"name": "S4"}, "S4"),
        ({"name": "s4", "tier": "Standard"}, "S4"),
        ({"name": "Standard", "tier": "Standard", "capacity": 200}, "S4"),
        ({"name": "Basic"}, "Basic"),
        ({"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 4}, "GP_Gen5_4"),
        ({"name": "GP_Gen5_4"}, "GP_Gen5_4"),
        ({"name": "S5"}, None),
        ({"name": "Standard", "capacity": 7}, None),
        ({"name": "Standard"}, None),
        ({}, None),
    ],
)
def test_a_sku_means_a_tier_in_all_ways_in_which_clients_write_it(
    sku: dict[str, object], objective: str | None
) -> None:
    found = by_sku(sku)
    assert (found.objective if found is not None else None) == objective


def test_every_tier_is_found_by_what_azure_says_of_it() -> None:
    assert all(by_sku(tier.sku) is tier for tier in TIERS.values())
