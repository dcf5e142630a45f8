"""Scenarios as data: what ships can be played, and a mistake in one is told with its place."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from drill import scenario
from drill.fates import Fate
from drill.scenario import ScenarioError
from drill.script import Rollback, Upgrade
from incident.practice import read_good
from runbook.known import MITIGATIONS
from runbook.playbook_file import SHIPPED
from runbook.response_file import load_response
from tui.drill_process import DrillFailed, DrillProcess

MINIMAL = """
name: small
title: Something is wrong
severity: 3
summary: A small one.
cluster: test
namespace: prod
release: {name: bank, chart: banking}
nodes: [{name: node-0}]
services: [{name: api, replicas: 2, image: example/api}]
script:
  - {do: upgrade, at: -1h, chart: 1.0.0, tags: {api: 1.0.0}}
"""


def test_every_scenario_that_ships_can_be_read() -> None:
    assert "payment-release" in scenario.names()
    for name in scenario.names():
        assert scenario.load(name).name == name


def test_the_payment_release_is_the_twelfth_revision_twenty_minutes_ago() -> None:
    told = scenario.load("payment-release")
    releases = [(at, step) for at, step in told.steps() if isinstance(step, (Upgrade, Rollback))]
    at, last = releases[-1]
    assert len(releases) == 12
    assert at == -20 * 60
    assert isinstance(last, Upgrade)
    assert (last.chart, last.tags) == ("1.5.0", {"payment-service": "1.5.0"})
    assert told.images["bankingacr.azurecr.io/payment-service:1.5.0"] is Fate.CRASH
    assert sum(service.replicas for service in told.services) == 41


def test_an_unknown_scenario_is_answered_with_those_that_exist() -> None:
    with pytest.raises(ScenarioError, match=r"no scenario 'nothing'; there are: .*payment-release"):
        scenario.load("nothing")


@pytest.mark.parametrize(
    ("text", "expected"), [("-20m", -1200.0), ("-3d4h", -273_600.0), ("+90s", 90.0), ("1.5h", 5400.0), ("-0s", 0.0)]
)
def test_an_offset_is_read_as_seconds(text: str, expected: float) -> None:
    assert scenario.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "20", "m", "-", "5x", "3d-4h", "--1s"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an offset such as"):
        scenario.seconds(text)


def test_steps_come_in_the_order_of_time() -> None:
    text = MINIMAL + "  - {do: pod-fate, at: +5m, service: api, fate: oom}\n  - {do: rollback, at: -30m, to: 1}\n"
    assert [at for at, _ in scenario.parse(text).steps()] == [-3600, -1800, 300]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("severity: 3", "severity: 5"), r"^small\.yaml:4: severity: expected a whole number from 1 to 4, found 5$"),
        (("title:", "titel:"), r"^small\.yaml:3: titel: there is no such key; did you mean title\?$"),
        (
            ("replicas: 2", "replicas: many"),
            r"^small\.yaml:10: services\[0\]\.replicas: expected a whole number of at least 0, found 'many'$",
        ),
        (
            ("tags: {api: 1.0.0}", "tags: {apy: 1.0.0}"),
            r"^small\.yaml:12: script\[0\]\.tags\.apy: there is no service 'apy'; did you mean api\?$",
        ),
        (("tags: {api: 1.0.0}", "tags: {}"), "first upgrade must give every service a tag; missing: api"),
        (("do: upgrade", "do: rollback"), r"^small\.yaml:12: script\[0\]\.chart: there is no such key"),
        (
            ("at: -1h", "at: yesterday"),
            r"^small\.yaml:12: script\[0\]\.at: expected an offset such as -20m, .*, found 'yesterday'$",
        ),
        (("name: small", "name: [small"), r"^small\.yaml:3: not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        scenario.parse(MINIMAL.replace(*change), source="small.yaml")


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ("{do: rollback, at: -10m, to: 2}", "there is no revision 2 by then"),
        ("{do: pod-fate, at: -10m, service: web, fate: crash}", "there is no service 'web'"),
        ("{do: node-fate, at: -10m, node: node-9, fate: not-ready}", "there is no node 'node-9'"),
        ("{do: pod-fate, at: -10m, service: api, fate: sad}", "fate|sad"),
    ],
)
def test_a_step_about_nothing_is_refused(step: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        scenario.parse(f"{MINIMAL}  - {step}\n")


def test_a_scenario_without_an_installation_is_refused() -> None:
    text = MINIMAL.replace("  - {do: upgrade, at: -1h, chart: 1.0.0, tags: {api: 1.0.0}}", "  []")
    with pytest.raises(ScenarioError, match="must begin with an upgrade"):
        scenario.parse(text)


GOOD = """
good:
  severity: 3
  path:
    - {id: declare, say: Declare it, done: declared}
    - {id: heal, say: Restart the API, act: [restart], target: "deployment/api"}
"""


def test_every_scenario_that_ships_says_what_a_good_response_is_in_names_that_the_runbook_has() -> None:
    bank = load_response(SHIPPED / "banking-platform.yaml")
    roles, lists = {role.id for role in bank.roles}, {one.id for one in bank.checklists}
    for told in map(scenario.load, scenario.names()):
        assert told.good is not None, told.name
        acts = {act for step in told.good.path for act in step.act} | {one.act for one in told.good.harmful}
        assert acts <= MITIGATIONS.keys(), told.name
        assert {step.role for step in told.good.path} <= roles | {""}, told.name
        assert {step.checklist for step in told.good.path} <= lists | {""}, told.name


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "done: declared",
            "done: perhaps",
            r"small:17: good\.path\[0\]\.done: expected one of declared, .*, found 'perhaps'",
        ),
        (
            ", done: declared",
            "",
            r"small:17: good\.path\[0\]: step 'declare' needs exactly one of done, .*, and has none",
        ),
        (
            "done: declared",
            "done: declared, role: ic",
            "step 'declare' needs .*done and role",
        ),
        ("id: heal", "id: declare", r"small:17: good\.path\[0\]\.id: there is more than one step 'declare'"),
        (
            "act: [restart], ",
            "update: team, ",
            r"small:18: good\.path\[1\]\.target: step 'heal' has a target, and no act",
        ),
        (
            "severity: 3\n  path",
            "severity: 5\n  path",
            r"small:15: good\.severity: expected a whole number from 1 to 4, found 5",
        ),
        (
            "severity: 3\n  path",
            "severity: 3\n  evidence_first: true\n  path",
            r"small:16: good\.evidence_first: it needs a step that says which evidence",
        ),
    ],
)
def test_a_mistake_in_what_is_good_is_told_with_its_place(before: str, after: str, said: str) -> None:
    text = MINIMAL + GOOD.replace(before, after)
    with pytest.raises(ScenarioError, match=said):
        scenario.parse(text, source="small")


def test_what_is_good_travels_with_the_announcement_and_is_read_by_who_scores() -> None:
    told = scenario.parse(MINIMAL + GOOD)
    assert told.good is not None
    found = read_good(json.loads(json.dumps(msgspec.to_builtins(told.good))))
    assert found is not None
    assert [(step.id, step.done, step.act, step.target) for step in found.path] == [
        ("declare", "declared", (), "*"),
        ("heal", "", ("restart",), "deployment/api"),
    ]


class SaysNonsense(DrillProcess):
    """A platform of another version, say."""

    async def _first_line(self) -> bytes:
        told = {
            "incident": {"title": "t", "severity": 2},
            "scenario": "small",
            "good": {"severity": "high", "path": []},
        }
        said = {"kubeconfig": "k", "config": "c", "urls": {}, **told}
        return json.dumps(said).encode()


def test_an_announcement_that_cannot_be_scored_is_refused_with_its_place() -> None:
    with pytest.raises(DrillFailed, match=r"cannot be scored: .* Expected `int`, got `str` - at `\$.severity`"):
        asyncio.run(SaysNonsense("small").ready())
