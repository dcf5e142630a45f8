"""A surprise drill: nobody reads which scenario it is before it is over, and then everybody does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drill import scenario, surprise
from incident.export import TEXTS
from incident.practice import LEFT, UNTOLD
from incident.practising import exercise_of, exported, progress
from incident.score import to_json
from tests.unit.drills import STANDARD, Drill
from tui.cli import build_parser
from tui.commands.drill import _platform_flags
from tui.drill_process import DrillProcess, announced

TELL_TALE = ("payment-release", "Scale it", "only crashes again", "SEV 2 is right")


def everything(drill: Drill) -> str:
    """All that leaves the program of a drill."""
    found = drill.dossier
    row = exported(progress([exercise_of(found.incident, drill.entries, STANDARD)]))
    texts = [write(found) for write in TEXTS.values()]
    return "\n".join([*texts, json.dumps(to_json(drill.score())), json.dumps(row)])


def begun(**how: Any) -> Drill:
    """Called wrong, and somebody has done what does harm."""
    drill = Drill(severity=3, surprise=True, **how).seen(3.1, "bad").note(4).update(5)
    return drill.act(6, "restart", "Deployment/payment-service")


def test_a_surprise_is_picked_by_its_seed_and_every_scenario_can_be_it() -> None:
    assert {surprise.pick(seed) for seed in range(80)} == {*scenario.names()}
    assert [surprise.pick(seed) for seed in range(9)] == [surprise.pick(seed) for seed in range(9)]


def test_what_a_platform_says_of_a_surprise_names_nothing_until_it_is_unpacked() -> None:
    told = scenario.load("payment-release", 5)
    said = {"kubeconfig": "k", "config": "c"} | surprise.announced(told, 5, surprise=True)
    text = json.dumps(said)
    assert told.good is not None
    for word in (told.name, told.title, "rollback", told.good.path[0].say, told.good.harmful[0].why):
        assert word not in text
    assert json.loads(text)["seed"] is None  # it would say which scenario it is
    ready = announced(said, Path("/d"))
    assert (ready.scenario, ready.seed, ready.surprise, ready.title, ready.severity) == (
        "payment-release",
        5,
        True,
        "Surprise drill",
        None,
    )
    assert ready.good is not None
    assert [step.say for step in ready.good.path] == [step.say for step in told.good.path]
    plain = announced({"kubeconfig": "k", "config": "c"} | surprise.announced(told, 0, surprise=False))
    assert (plain.scenario, plain.title, plain.surprise, plain.good) == (told.name, told.title, False, ready.good)


def test_nothing_that_leaves_the_program_names_a_surprise_while_it_is_open() -> None:
    open_now = begun()
    for word in TELL_TALE:
        assert word not in everything(open_now), word
    assert UNTOLD in everything(open_now)
    found = {one.id: one for one in open_now.score().judged}
    assert found["severity"].got is None
    assert found["harm"].got is None
    assert found["mitigation"].got is None
    called, right = (STANDARD.level(level) for level in (3, 2))
    assert called is not None
    assert right is not None
    assert called.resolve_within != right.resolve_within
    assert found["resolution"].target == round(
        (called.resolve_within or 0) * 1000
    )  # those of the severity it was called
    assert found["first-update"].got == found["first-update"].of  # what does not give it away is judged as ever


def test_what_is_right_is_no_more_told_than_what_is_wrong() -> None:
    right = Drill(severity=2, surprise=True).role(4).update(5).act(6, "scale", "Deployment/payment-service")
    for word in ("Scale it", "Call it severity 2"):
        assert word not in everything(right), word
    assert [step.id for step in right.score().path] == ["declare", "lead", "told"]
    assert [deed.mitigation for deed in right.score().others] == ["scale"]


def test_the_score_says_which_it_was_once_it_is_over() -> None:
    for over in (begun(seed=7).seen(8, "good").resolved(10), begun(seed=7).resolved(10, LEFT)):
        text = everything(over)
        assert "payment-release, seed 7" in text
        assert "Scale it" in text
        assert "only crashes again" in text
        assert UNTOLD not in text
        assert over.row("severity").said == "SEV 3, where SEV 2 is right"


def test_the_process_of_a_surprise_is_started_without_a_name_or_a_seed_wherever_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dis.py").write_text("raise SystemExit('somebody else is called like a module')")
    monkeypatch.chdir(tmp_path)
    flags = _platform_flags(build_parser().parse_args(["drill", "--surprise"]))
    process = DrillProcess("", flags)
    with process:
        ready = process.wait()
        assert process._child is not None
        words = Path(f"/proc/{process._child.pid}/cmdline").read_bytes().decode().split("\0")
    assert ready.surprise
    assert ready.seed
    assert ready.scenario == surprise.pick(ready.seed)
    assert "--surprise" in words
    assert not any(name in word for name in (*scenario.names(), "--seed", str(ready.seed)) for word in words)
