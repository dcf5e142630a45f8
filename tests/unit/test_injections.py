"""What an organiser writes to have something happen: the kinds there are, and a sentence for what will not do."""

from __future__ import annotations

from typing import get_args

import pytest

from drill import script, troubles
from drill.injections import BadStep, forms, parse, written
from drill.script import NodeFate, PodFate, Upgrade
from drill.troubles import Error, Message
from tests.drill.small_scenario import SMALL

ELAPSED = 100.0


def test_every_kind_of_a_script_and_of_trouble_can_be_injected_without_being_listed_again() -> None:
    kinds = [kind.__struct_config__.tag for kind in (*get_args(script.Step), *get_args(troubles.Kind))]
    assert [form.do for form in forms(SMALL)] == kinds
    assert all(form.says for form in forms(SMALL))


@pytest.mark.parametrize("form", forms(SMALL), ids=lambda form: form.do)
def test_an_example_is_complete_or_shows_what_is_missing(form: object) -> None:
    example = getattr(form, "example")  # noqa: B009
    if any(word.endswith("=") for word in example.split()):
        with pytest.raises(BadStep):
            parse(example, SMALL, ELAPSED)
    else:
        assert written(parse(example, SMALL, ELAPSED)) == example


def test_a_step_is_words_or_yaml_and_happens_now_or_later() -> None:
    crash = parse("pod-fate service=card-service fate=crash pods=2", SMALL, ELAPSED)
    assert isinstance(crash, PodFate)
    assert (crash.service, crash.pods, crash.at) == ("card-service", 2, "+100.000s")
    assert parse("{do: pod-fate, service: card-service, fate: crash, pods: 2}", SMALL, ELAPSED) == crash
    later = parse("node-fate node=aks-system-00001 fate=not-ready at=+90s", SMALL, ELAPSED)
    assert isinstance(later, NodeFate)
    assert later.at == "+190.000s"
    upgrade = parse("upgrade chart=1.10 tags.card-service=1.20", SMALL, ELAPSED)
    assert isinstance(upgrade, Upgrade)
    assert (upgrade.chart, upgrade.tags) == ("1.10", {"card-service": "1.20"})  # no numbers: 1.10 is not 1.1
    error = parse("error status=503 only=/pods lasts=2m", SMALL, ELAPSED)
    assert error == Error(status=503, only="/pods", lasts="2m")


@pytest.mark.parametrize("text", ["message It's the CEO's birthday", "message text=\"It's the CEO's birthday\""])
def test_words_need_no_quotes(text: str) -> None:
    assert parse(text, SMALL, ELAPSED) == Message(text="It's the CEO's birthday")
    assert written(Message(text="It's the CEO's birthday")) == "message It's the CEO's birthday"
    for awkward in (Message(text="text=x"), Message(text=" two\n lines "), Message(text="now", warning=True)):
        assert parse(written(awkward), SMALL, ELAPSED) == awkward


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "begin with one of upgrade, rollback"),
        ("pod-fat service=card-service", "found 'pod-fat'; did you mean pod-fate?"),
        ("pod-fate service=card-servic fate=crash", "did you mean card-service?"),
        ("pod-fate service=card-service", "fate: missing, expected one of"),
        ("pod-fate service=card-service fate=crash podz=2", "podz: there is no such key; did you mean pods?"),
        ("pod-fate service=card-service fate=crash at=-5m", "-5m has passed"),
        ("pod-fate service=card-service fate=crash twice", "expected NAME=VALUE, found 'twice'"),
        ("node-fate node=nowhere fate=not-ready", "there is no node 'nowhere'"),
        ("rollback to=99", "there is no revision 99"),
        ("error status=200", "expected a whole number from 400 to 599"),
        ("event name='half", "close the quotes"),
        ("{do: [}", "not YAML"),
        ("{do: error, <<: {a: 1}}", "merge keys"),
    ],
)
def test_what_cannot_happen_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(BadStep) as refused:
        parse(text, SMALL, ELAPSED)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
