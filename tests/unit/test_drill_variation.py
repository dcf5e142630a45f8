"""What differs from seed to seed: only what a scenario says, always something that can be played, always the same."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drill import document, scenario, variation
from drill.offsets import written
from drill.scenario import Scenario, ScenarioError
from drill.script import Say, Upgrade
from tests.breadth import examples

SCENARIO = """
name: small
title: Something is wrong
severity: 3
summary: Chart 1.5.0 is bad.
cluster: test
namespace: prod
release: {name: bank, chart: banking}
nodes: [{name: node-0, cpu: 0.9}, {name: node-1, cpu: 0.2}]
services:
  - {name: api, replicas: 2, image: example/api}
  - {name: api-gateway, replicas: 2, image: example/api-gateway}
images: {"example/api:1.5.0-7": crash}
script:
  - {do: upgrade, at: -1h, chart: 1.4.0, tags: {api: 1.4.0, api-gateway: 1.0.0}}
  - {do: upgrade, at: -20m, chart: 1.5.0, tags: {api: 1.5.0-7}}
  - {do: event, at: -19m, every: 6m, kind: Service, name: api-gateway, reason: Slow, message: api of 1.5.0 is slow, component: x}
  - {do: node-fate, at: -6m, node: node-0, fate: memory-pressure}
commits:
  - {at: -2h, author: Ada Abt, subject: one, file: a}
  - {at: -3h, author: Bo Bly, subject: two, file: b}
"""  # noqa: E501 (a line of YAML)

VARIES = """
varies:
  - {say: [1.5.0, 1.5.0-7], or: [[1.5.1, 1.5.1-2], [1.6.0, 1.6.0-1]]}
  - {swap: [node-0, node-1]}
  - {move: [-20m, -19m], by: [-6m, +4m]}
  - {number: "nodes[node-0].cpu", within: [0.85, 0.95]}
  - {say: 6m, or: [5m, 8m], where: "script[reason=Slow]"}
  - {swap: [-2h, -3h], where: commits}
  - {swap: [Ada Abt, Bo Bly]}
  - {sometimes: "script[do=node-fate]"}
  - {odds: 0.3, add: {commits: [{at: -4h, author: Cy Coe, subject: three, file: c}]}}
"""


def seen(seeds: range) -> list[Scenario]:
    return [scenario.parse(SCENARIO + VARIES, seed=seed) for seed in seeds]


def test_without_a_seed_a_scenario_is_as_it_is_written() -> None:
    assert scenario.parse(SCENARIO + VARIES) == scenario.parse(SCENARIO)


def test_a_seed_is_the_same_each_time_and_another_is_another() -> None:
    first = seen(range(1, 25))
    assert first == seen(range(1, 25))
    assert len({str(told) for told in first}) > 20


def test_each_row_varies_what_it_names_and_keeps_together_what_belongs_together() -> None:
    told = seen(range(1, 50))
    for one in told:
        bad = one.script[1]
        assert isinstance(bad, Upgrade)
        tag = bad.tags["api"]
        assert tag in {"1.5.0-7": "1.5.0", "1.5.1-2": "1.5.1", "1.6.0-1": "1.6.0"}
        assert tag.startswith(bad.chart)
        assert one.images.keys() == {f"example/api:{tag}"}
        assert one.summary == f"Chart {bad.chart} is bad."
        event = next(step for step in one.script if isinstance(step, Say))
        assert event.message == f"api of {bad.chart} is slow"
        assert scenario.seconds(event.at) - scenario.seconds(bad.at) == 60
        assert -26 * 60 <= scenario.seconds(bad.at) <= -16 * 60
        busy = max(one.nodes, key=lambda node: node.cpu)
        assert 0.85 <= busy.cpu <= 0.95
        assert {service.name for service in one.services} == {"api", "api-gateway"}
    events = [next(step.every for step in one.script if isinstance(step, Say)) for one in told]
    assert {*events} == {"5m", "6m", "8m"}
    assert {max(one.nodes, key=lambda node: node.cpu).name for one in told} == {"node-0", "node-1"}
    assert {len(one.script) for one in told} == {3, 4}
    assert {len(one.commits) for one in told} == {2, 3}
    assert {(one.commits[0].author, one.commits[0].at) for one in told} == {
        (author, at) for author in ("Ada Abt", "Bo Bly") for at in ("-2h", "-3h")
    }


def test_another_row_does_not_change_what_the_others_choose() -> None:
    more = VARIES + "  - {say: two, or: [zwei]}\n"
    for seed in range(1, 10):
        told = scenario.parse(SCENARIO + more, seed=seed)
        assert told.script == scenario.parse(SCENARIO + VARIES, seed=seed).script


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{say: 1.5.0}", r"varies\[0\]\.or: missing, expected what else to say: a list"),
        ("{say: 1.9.9, or: [2]}", r"varies\[0\]\.say: '1\.9\.9' stands nowhere in the scenario"),
        ("{say: 6m, or: [7m], where: commits}", r"varies\[0\]\.say: '6m' stands nowhere in commits"),
        ("{say: [1.5.0, 1.5.0-7], or: [1.5.1]}", r"varies\[0\]\.or\[0\]: expected as many words as say has: 2"),
        ("{sya: 1.5.0, or: [2]}", r"varies\[0\]\.sya: there is no such key; did you mean say\?"),
        ("{or: [2]}", r"varies\[0\]: expected exactly one of say, .*, found none"),
        ("{say: api, or: [web], swap: [a, b]}", r"varies\[0\]: expected exactly one of .*, found say and swap"),
        ("{swap: [node-0]}", r"varies\[0\]\.swap: expected at least two words, all of them different"),
        ("{move: [20m], by: [-1m, +1m]}", r"varies\[0\]\.move\[0\]: expected an offset such as"),
        ("{move: [-20m], by: 3m}", r"varies\[0\]\.by: expected two offsets such as \[-5m, \+3m\], found '3m'"),
        ("{move: [-20m], by: [+3m, -3m]}", r"varies\[0\]\.by: expected two offsets, the least and the most"),
        ("{move: [-6m], by: [-1m, +7m]}", r"varies\[0\]\.by: -6m would move from one side of the start to the other"),
        ("{number: 'nodes[node-9].cpu', within: [0, 1]}", r"varies\[0\]: .*no \[node-9\]; did you mean node-\d\?"),
        ("{number: 'nodes[node-0].name', within: [0, 1]}", r"varies\[0\]\.number: .* a number there, found 'node-0'"),
        ("{number: 'nodes[0].cpu', within: [1, 0]}", r"varies\[0\]\.within: expected two numbers"),
        ("{sometimes: scirpt}", r"varies\[0\]: scirpt: there is no scirpt; did you mean script\?"),
        ("{sometimes: 'script[['}", r"varies\[0\]: script\[\[: expected a path such as"),
        ("{add: {title: [x]}}", r"varies\[0\]\.add\.title: expected the path of a list"),
        ("{say: 1.5.0, or: [2], odds: 0.5}", r"varies\[0\]\.odds: only sometimes and add have odds"),
        ("{sometimes: commits, odds: 2}", r"varies\[0\]\.odds: expected a number between 0 and 1, found 2"),
        ("{sometimes: commits, where: script}", r"varies\[0\]\.where: only say, swap and move have a where"),
        (
            "{say: 1.5.0, or: [2]}\n  - {swap: [1.5.0, 1.4.0]}",
            r"varies\[1\]\.swap: '1\.5\.0' is in varies\[0\] already",
        ),
    ],
)
def test_a_mistake_in_what_varies_is_told_with_its_place(row: str, said: str) -> None:
    line = SCENARIO.count("\n") + 2 + row.count("\n")
    with pytest.raises(ScenarioError, match=rf"^small\.yaml:{line}: {said}"):
        scenario.parse(f"{SCENARIO}varies:\n  - {row}\n", source="small.yaml")


def test_a_mistake_of_one_variant_has_the_line_that_it_is_written_on() -> None:
    text = SCENARIO + "varies:\n  - {say: memory-pressure, or: [sadness]}\n"
    scenario.parse(text)
    line = next(number for number, said in enumerate(text.splitlines(), 1) if "node-fate" in said)
    told = variation.varied(document.compose(text, "small"), variation.Extreme(1, most=False, there=True))
    found, mistakes = scenario.read(told)
    assert found is None
    [said] = [document.told(mistake, told, "small") for mistake in mistakes]
    assert said.startswith(f"small:{line}: script[3].fate: expected one of memory-pressure, not-ready")
    assert said.endswith("found 'sadness'")


def test_the_edges_of_what_there_is_to_choose_can_be_played() -> None:
    root = document.compose(SCENARIO + VARIES, "small")
    assert variation.widest(root) == 3
    for most in (False, True):
        told, mistakes = scenario.read(variation.varied(root, variation.Extreme(1, most=most, there=most)))
        assert not mistakes
        assert told is not None
        assert told.script[1].at == ("-16m" if most else "-26m")


@pytest.mark.parametrize(("seconds", "text"), [(-1200, "-20m"), (-273_600, "-3d4h"), (90.2, "+1m30s"), (0, "+0s")])
def test_seconds_are_written_as_an_offset(seconds: float, text: str) -> None:
    assert written(seconds) == text


@pytest.mark.parametrize("name", scenario.names())
def test_every_variant_of_what_ships_can_be_played(name: str) -> None:
    text = resources.files("drill").joinpath("scenarios", f"{name}.yaml").read_text(encoding="utf-8")
    root = document.compose(text, name)
    assert [document.told(mistake, root, name) for mistake in variation.mistakes(root)] == []
    assert variation.varies(root)
    edges = [
        variation.Extreme(turn, most=most, there=there)
        for turn in range(variation.widest(root))
        for most in (False, True)
        for there in (False, True)
    ]

    def played(chooser: variation.Chooser) -> str:
        told = variation.varied(root, chooser)
        found, mistakes = scenario.read(told)
        assert found is not None, [document.told(mistake, told, name) for mistake in mistakes]
        assert (found.name, found.severity, found.title) == (plainly.name, plainly.severity, plainly.title)
        return str(found)

    plainly = scenario.load(name)
    for edge in edges:
        played(edge)

    @settings(deadline=None, max_examples=examples(5))
    @given(st.integers(1, 1_000_000))
    def seeds(seed: int) -> None:
        assert played(variation.Chooser(seed)) == str(scenario.load(name, seed)) != str(plainly)

    seeds()
